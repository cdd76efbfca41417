//! The daemon is killed at its system calls, one after the other, while it fills, takes, runs, repurposes and destroys:
//! afterwards nothing of it is left that the next start does not clear, and its processes are gone before that.
//!
//! A few points by default; `OFFSHOOT_KILLS=300` tries more.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{inventory, output, shell};
use offshoot_sandbox::{Launcher, LauncherConfig, SweepReport, sweep};

const OWNER: &str = "OFFSHOOT_TEST_KILLED_OWNER";
/// Points that are tried by default.
const POINTS: usize = 24;
/// After so long a dead daemon's processes are gone, and after a sweep everything is.
const LIMIT: Duration = Duration::from_secs(2);
/// What makes, changes or ends something outside the daemon.
const CALLS: [&str; 16] = [
    "mkdirat",
    "openat",
    "write",
    "unlinkat",
    "sendmsg",
    "recvmsg",
    "socketpair",
    "open_tree",
    "mount_setattr",
    "move_mount",
    "setns",
    "pidfd_send_signal",
    "clone3",
    "epoll_ctl",
    "close",
    "execve",
];

/// Not a test: the life of a daemon, in short.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn daemon_process() {
    let Ok(owner) = std::env::var(OWNER) else {
        return;
    };
    let config = LauncherConfig {
        ghosts: 1,
        ..common::config(&owner)
    };
    let launcher = Launcher::start(config).await.unwrap();
    for round in 0..3 {
        let (_file, fds) = output();
        let mut spec = shell("a", "echo x >/tmp/a; exit 0");
        spec.code.task = Some("/usr/share".into());
        spec.memory_bytes = (64 + round) << 20;
        let sandbox = launcher.create(spec, fds).await.unwrap();
        sandbox.exited().await;
        match round {
            0 | 1 => sandbox.recycle().await,
            _ => sandbox.destroy().await.unwrap(),
        }
    }
    launcher.shutdown().await;
}

/// How a daemon is run, so that strace(1) sees or kills it. The nursery is not followed: it dies with the daemon.
fn daemon(owner: &str, strace: &[String]) -> bool {
    let status = Command::new("strace")
        .args(["-f", "-qq"])
        .args(strace)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "daemon_process", "--nocapture"])
        .env(OWNER, owner)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.unwrap().success()
}

/// Each point is the `when`th call of a kind by any thread or process of the daemon's.
fn points(owner: &str) -> Vec<(String, usize)> {
    let log = tempfile::NamedTempFile::new().unwrap();
    let trace = format!("trace={}", CALLS.join(","));
    let path = log.path().display().to_string();
    assert!(
        daemon(owner, &["-o".into(), path, "-e".into(), trace]),
        "a good run fails"
    );
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    for line in std::fs::read_to_string(log.path()).unwrap().lines() {
        let mut words = line.split_whitespace();
        let (Some(thread), Some(call)) = (words.next(), words.next()) else {
            continue;
        };
        // A call that was interrupted by another thread's has a second line: `<... write resumed>`.
        let Some((name, _)) = call.split_once('(') else {
            continue;
        };
        *counts
            .entry((name.to_owned(), thread.to_owned()))
            .or_default() += 1;
    }
    let mut most: BTreeMap<String, usize> = BTreeMap::new();
    for ((name, _), count) in counts {
        let entry = most.entry(name).or_default();
        *entry = count.max(*entry);
    }
    let all = most.into_iter();
    all.flat_map(|(name, count)| (1..=count).map(move |when| (name.clone(), when)))
        .collect()
}

/// As many as are wanted, evenly from all.
fn chosen(points: Vec<(String, usize)>, wanted: usize) -> Vec<(String, usize)> {
    let step = (points.len() / wanted).max(1);
    points.into_iter().step_by(step).collect()
}

fn eventually(condition: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    while !condition() {
        if begun.elapsed() > LIMIT {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

#[test]
fn daemon_may_be_killed_at_any_system_call() {
    let has_strace = Command::new("strace").arg("-V").output().is_ok();
    if !rustix::process::geteuid().is_root() || !has_strace {
        eprintln!("skipped: it needs root and strace(1)");
        return;
    }
    let owner = format!("t{}-kills", std::process::id());
    let wanted = std::env::var("OFFSHOOT_KILLS")
        .ok()
        .and_then(|count| count.parse().ok());
    let points = chosen(points(&owner), wanted.unwrap_or(POINTS));
    assert!(points.len() >= POINTS, "{points:?}");
    let (mut killed, mut cleared) = (0, 0);
    for (call, when) in &points {
        let inject = format!("inject={call}:signal=SIGKILL:when={when}");
        let finished = daemon(
            &owner,
            &["-e".into(), format!("trace={call}"), "-e".into(), inject],
        );
        killed += usize::from(!finished);
        let gone = || inventory(&owner).processes.is_empty();
        assert!(eventually(gone), "{call} #{when}: {:?}", inventory(&owner));
        let report = sweep(&owner);
        cleared += usize::from(report != SweepReport::default());
        assert_eq!(report.remains, Vec::<String>::new(), "{call} #{when}");
        assert!(
            inventory(&owner).groups.is_empty(),
            "{call} #{when}: {:?}",
            inventory(&owner)
        );
    }
    // Else nothing was killed, or nothing was there to be left.
    assert!(
        killed * 2 > points.len() && cleared * 4 > points.len(),
        "{killed} {cleared} {points:?}"
    );
}
