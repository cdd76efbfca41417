//! S1: what a tenant leaves, and how it is seen. Two fresh sandboxes look the same, byte for byte; after the dirtier they
//! do not, which shows that the dump sees what it is for.

use offshoot_sandbox::{CodeDirs, Exit, Launcher, LauncherConfig, SandboxSpec};

use crate::common;
use crate::ground::Ground;

const DUMP: &str = "/usr/bin/python3 -SEB /var/task/dump.py";
/// How many traces a dirtier must leave.
const MIN_TRACES: usize = 60;

fn spec(ground: &Ground, id: &str, script: &str) -> SandboxSpec {
    SandboxSpec {
        code: CodeDirs {
            task: Some(ground.path("code")),
            ..CodeDirs::default()
        },
        ..common::shell(id, script)
    }
}

async fn output(launcher: &Launcher, spec: SandboxSpec) -> String {
    let (exit, text) = common::run(launcher, spec).await;
    assert_eq!(exit, Exit::Exited(0), "{text}");
    text
}

/// Lines that are in one text only.
fn difference(one: &str, other: &str) -> Vec<String> {
    let missing = |from: &str, text: &str| -> Vec<String> {
        let known: std::collections::BTreeSet<&str> = text.lines().collect();
        from.lines()
            .filter(|line| !known.contains(line))
            .map(str::to_owned)
            .collect()
    };
    [missing(one, other), missing(other, one)].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn fresh_sandboxes_look_the_same_and_dirty_ones_do_not() {
    let Some((_, launcher)) = common::launcher("traces").await else {
        return;
    };
    let ground = Ground::new();
    let first = output(&launcher, spec(&ground, "first", DUMP)).await;
    assert!(first.lines().count() > 500, "{first}");
    // Another uid, another number of cgroup, another time.
    let held = common::start(&launcher, common::shell("held", "sleep 60")).await;
    for round in 0..4 {
        let second = output(&launcher, spec(&ground, &format!("second{round}"), DUMP)).await;
        assert_eq!(difference(&first, &second), Vec::<String>::new());
        assert_eq!(first, second);
    }
    let dirty = format!("/usr/bin/python3 -SEB /var/task/dirtier.py 7; echo ----; {DUMP}");
    let text = output(&launcher, spec(&ground, "dirty", &dirty)).await;
    let (report, after) = text.split_once("----\n").unwrap();
    let planted = report
        .lines()
        .filter(|line| line.starts_with("planted "))
        .count();
    let refused = report
        .lines()
        .filter(|line| line.starts_with("refused "))
        .count();
    assert_eq!(planted + refused, report.lines().count(), "{report}");
    assert!(planted >= MIN_TRACES, "{report}");
    let seen = difference(&first, after);
    for trace in [
        "/tmp/dirt ",
        "/dev/shm/dirt ",
        "dirt-backlog",
        "next pid",
        "processes",
    ] {
        assert!(
            seen.iter().any(|line| line.contains(trace)),
            "{trace:?} is not seen: {seen:#?}"
        );
    }
    // And what is seen of it is gone with the sandbox.
    assert_eq!(output(&launcher, spec(&ground, "after", DUMP)).await, first);
    held.sandbox.destroy().await.unwrap();
    launcher.shutdown().await;
}

/// How many tenants a sandbox sees by default; `OFFSHOOT_REUSE_CYCLES` asks for more.
const REUSES: u64 = 6;

/// G2 of the threat model: a sandbox that a tenant has filled with everything it can leave, and with traces chosen at
/// random, shows its next tenant what a fresh one shows, byte for byte.
#[tokio::test(flavor = "multi_thread")]
async fn reused_sandbox_looks_like_a_fresh_one() {
    let with_ghosts = |config: LauncherConfig| LauncherConfig {
        ghosts: 1,
        ghost_hostname: "test-box".into(),
        ..config
    };
    let Some((_, launcher)) = common::launcher_with("reuse", with_ghosts).await else {
        return;
    };
    let ground = Ground::new();
    let fresh = output(&launcher, spec(&ground, "fresh", DUMP)).await;
    let asked = std::env::var("OFFSHOOT_REUSE_CYCLES").ok();
    let cycles = asked.and_then(|asked| asked.parse().ok()).unwrap_or(REUSES);
    let mut reused = 0;
    for seed in 0..cycles {
        let dirty = format!("/usr/bin/python3 -SEB /var/task/dirtier.py {seed} 20");
        let dirtier = common::start(&launcher, spec(&ground, "dirty", &dirty)).await;
        dirtier.sandbox.exited().await;
        dirtier.sandbox.recycle().await;
        let mut looking = common::start(&launcher, spec(&ground, "look", DUMP)).await;
        assert_eq!(looking.sandbox.exited().await, Exit::Exited(0));
        let seen = looking.output();
        assert_eq!(
            difference(&fresh, &seen),
            Vec::<String>::new(),
            "seed {seed}"
        );
        assert_eq!(fresh, seen, "seed {seed}");
        reused += u64::from(looking.sandbox.uses() > 1);
        looking.sandbox.recycle().await;
    }
    // Else this would have looked at fresh ones only.
    assert!(reused * 2 > cycles, "{:?}", launcher.pool_stats());
    launcher.shutdown().await;
}
