//! How sandboxes end: by themselves, by their limits, by the daemon, with the nursery.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{inventory, launcher, python, run, shell, start, wait_until};
use offshoot_sandbox::{CreateError, Exit, Launcher, sweep};
use offshoot_trace::Tracee;
use rustix::process::{Pid, Signal, kill_process};

fn host_pid(pid: i32) -> Pid {
    Pid::from_raw(pid).unwrap()
}

fn is_alive(pid: i32) -> bool {
    rustix::process::test_kill_process(host_pid(pid)).is_ok()
}

#[tokio::test]
async fn exit_code_and_signal_are_reported() {
    let Some((_, launcher)) = launcher("exits").await else {
        return;
    };
    assert_eq!(
        run(&launcher, shell("a", "exit 7")).await.0,
        Exit::Exited(7)
    );
    assert_eq!(
        run(&launcher, shell("b", "kill -SEGV $$")).await.0,
        Exit::Signaled(11)
    );
    // What the program leaves behind ends with it.
    assert_eq!(
        run(&launcher, shell("c", "sleep 1000 & exit 0")).await.0,
        Exit::Exited(0)
    );
    launcher.shutdown().await;
}

#[tokio::test]
async fn exit_may_be_awaited_often_and_dropped() {
    let Some((_, launcher)) = launcher("await").await else {
        return;
    };
    let running = start(&launcher, shell("a", "sleep 0.2; exit 3")).await;
    for _ in 0..3 {
        let early = Duration::from_millis(10);
        assert!(
            tokio::time::timeout(early, running.sandbox.exited())
                .await
                .is_err()
        );
    }
    let (first, second) = tokio::join!(running.sandbox.exited(), running.sandbox.exited());
    assert_eq!((first, second), (Exit::Exited(3), Exit::Exited(3)));
    running.sandbox.destroy().await.unwrap();
    launcher.shutdown().await;
}

/// A checkpoint ends the process that it has frozen, and lets go of it a little later.
#[tokio::test]
async fn program_that_ends_while_it_is_traced_is_reaped_when_its_tracer_lets_go() {
    let Some((_, launcher)) = launcher("traced").await else {
        return;
    };
    let running = start(&launcher, shell("a", "sleep 1000")).await;
    let pid = running.sandbox.program_pid();
    let tracer = std::thread::spawn(move || {
        let traced = Tracee::seize(pid.unsigned_abs()).unwrap();
        assert!(traced.is_some(), "nobody traces it");
        kill_process(host_pid(pid), Signal::KILL).unwrap();
        std::thread::sleep(Duration::from_millis(200));
    });
    let long = Duration::from_secs(5);
    let exit = tokio::time::timeout(long, running.sandbox.exited()).await;
    assert_eq!(exit.unwrap(), Exit::Signaled(9));
    tracer.join().unwrap();
    running.sandbox.destroy().await.unwrap();
    launcher.shutdown().await;
}

#[tokio::test]
async fn program_over_its_memory_is_killed_and_counted() {
    let Some((_, launcher)) = launcher("oom").await else {
        return;
    };
    let mut spec = python("a", "x = bytearray(200 << 20); print('survived')");
    spec.memory_bytes = 64 << 20;
    let running = start(&launcher, spec).await;
    assert_eq!(running.sandbox.exited().await, Exit::Signaled(9));
    assert!(running.sandbox.oom_kills() > 0);
    let peak = running.sandbox.peak_memory_bytes().unwrap();
    assert!((32 << 20..=64 << 20).contains(&peak), "{peak} bytes");
    running.sandbox.destroy().await.unwrap();
    launcher.shutdown().await;
}

#[tokio::test]
async fn tmpfs_contents_count_as_memory() {
    let Some((_, launcher)) = launcher("tmpmem").await else {
        return;
    };
    let mut spec = shell("a", "dd if=/dev/zero of=/tmp/a bs=1M count=200");
    (spec.memory_bytes, spec.tmp_bytes) = (64 << 20, 512 << 20);
    let running = start(&launcher, spec).await;
    running.sandbox.exited().await;
    assert!(running.sandbox.oom_kills() > 0);
    running.sandbox.destroy().await.unwrap();
    launcher.shutdown().await;
}

#[tokio::test]
async fn peak_memory_of_a_small_program_is_small() {
    let Some((_, launcher)) = launcher("peak").await else {
        return;
    };
    let running = start(&launcher, python("a", "x = b'x' * (40 << 20)")).await;
    assert_eq!(running.sandbox.exited().await, Exit::Exited(0));
    let peak = running.sandbox.peak_memory_bytes().unwrap();
    assert!((40 << 20..100 << 20).contains(&peak), "{peak} bytes");
    assert_eq!(running.sandbox.oom_kills(), 0);
    running.sandbox.destroy().await.unwrap();
    launcher.shutdown().await;
}

#[tokio::test]
async fn fork_bomb_stays_within_its_limit_and_can_be_destroyed() {
    let Some((owner, launcher)) = launcher("bomb").await else {
        return;
    };
    let script = r#"
import os, time
made = 0
try:
    while True:
        if os.fork() == 0:
            time.sleep(1000)
        made += 1
except OSError:
    print(made, flush=True)
time.sleep(1000)
"#;
    let mut running = start(&launcher, python("a", script)).await;
    let made: u32 = running.first_output().await.trim().parse().unwrap();
    // RLIMIT_NPROC of the sandbox's own uid comes before the group's limit.
    assert!((700..=742).contains(&made), "{made} processes");
    running.sandbox.destroy().await.unwrap();
    assert!(inventory(&owner).processes.is_empty());
    launcher.shutdown().await;
}

#[tokio::test]
async fn dropped_sandbox_is_removed_in_the_background() {
    let Some((owner, launcher)) = launcher("drop").await else {
        return;
    };
    let running = start(&launcher, shell("a", "sleep 1000")).await;
    let pid = running.sandbox.pid();
    drop(running);
    wait_until(|| !is_alive(pid) && inventory(&owner).groups.is_empty()).await;
    launcher.shutdown().await;
}

#[tokio::test]
async fn killed_nursery_takes_all_sandboxes_with_it() {
    let Some((owner, launcher)) = launcher("nursery").await else {
        return;
    };
    let first = start(&launcher, shell("a", "sleep 1000 & sleep 1000")).await;
    let second = start(&launcher, shell("b", "sleep 1000")).await;
    let nursery = i32::try_from(launcher.nursery_pid()).unwrap();
    kill_process(host_pid(nursery), Signal::KILL).unwrap();
    assert_eq!(first.sandbox.exited().await, Exit::Lost);
    assert_eq!(second.sandbox.exited().await, Exit::Lost);
    let (_, fds) = common::output();
    let refused = launcher.create(shell("c", "true"), fds).await;
    assert!(
        matches!(refused, Err(CreateError::NurseryGone)),
        "{refused:?}"
    );
    first.sandbox.destroy().await.unwrap();
    second.sandbox.destroy().await.unwrap();
    assert!(inventory(&owner).groups.is_empty());
    launcher.shutdown().await;
}

#[tokio::test]
async fn sweep_removes_what_a_killed_daemon_left() {
    let Some((owner, launcher)) = launcher("sweep").await else {
        return;
    };
    launcher.shutdown().await;
    let daemon = DaemonProcess::start(&owner);
    let nursery_child = inventory(&owner);
    assert!(!nursery_child.processes.is_empty(), "{nursery_child:?}");
    daemon.kill();
    // A process that the nursery's death does not reach.
    let group = "/sys/fs/cgroup/unified/offshoot";
    let group = std::path::Path::new(group).join(&owner).join("stray");
    let stray = std::process::Command::new("/bin/sleep").arg("1000").spawn();
    let mut stray = stray.unwrap();
    if std::fs::create_dir(&group).is_ok() {
        std::fs::write(group.join("cgroup.procs"), stray.id().to_string()).unwrap();
    } else {
        stray.kill().unwrap();
    }
    let report = tokio::task::spawn_blocking({
        let owner = owner.clone();
        move || sweep(&owner)
    });
    let report = report.await.unwrap();
    stray.wait().unwrap();
    assert!(
        report.cgroups > 0 && report.remains.is_empty(),
        "{report:?}"
    );
    let after = inventory(&owner);
    assert!(
        after.groups.is_empty() && after.processes.is_empty(),
        "{after:?}"
    );
    assert_eq!(sweep(&owner).cgroups, 0);
}

/// This test program again, as a daemon that will be killed.
struct DaemonProcess(std::process::Child);

const DAEMON_OWNER: &str = "OFFSHOOT_TEST_DAEMON_OWNER";

impl DaemonProcess {
    fn start(owner: &str) -> Self {
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "daemon_process", "--nocapture"])
            .env(DAEMON_OWNER, owner)
            .stdout(std::process::Stdio::piped())
            .spawn();
        let mut child = child.unwrap();
        let mut lines =
            std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
        assert!(lines.any(|line| line.unwrap().contains("sandboxes are up")));
        Self(child)
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Not a test: the body of [`DaemonProcess`].
#[tokio::test]
async fn daemon_process() {
    let Ok(owner) = std::env::var(DAEMON_OWNER) else {
        return;
    };
    let launcher = Launcher::start(common::config(&owner)).await.unwrap();
    let _first = start(&launcher, shell("a", "sleep 1000")).await;
    let _second = start(&launcher, shell("b", "sleep 1000 & sleep 1000")).await;
    println!("sandboxes are up");
    std::future::pending::<()>().await;
}
