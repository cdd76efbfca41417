//! S1: what a tenant leaves, and how it is seen. Two fresh sandboxes look the same, byte for byte; after the dirtier they
//! do not, which shows that the dump sees what it is for.

use offshoot_sandbox::{Exit, Launcher, SandboxSpec};

use crate::common;
use crate::ground::Ground;

const DUMP: &str = "/usr/bin/python3 -SEB /var/task/dump.py";
/// How many traces a dirtier must leave.
const MIN_TRACES: usize = 60;

fn spec(ground: &Ground, id: &str, script: &str) -> SandboxSpec {
    SandboxSpec {
        task_dir: Some(ground.path("code")),
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
