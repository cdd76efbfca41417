//! S17: another tenant of the same launcher, and the host, are neither reached nor seen.

use std::io::Write as _;
use std::os::unix::net::UnixStream;

use offshoot_sandbox::{Launcher, SandboxFds};

use crate::arena::{self, fight_beside};
use crate::common;
use crate::ground::Ground;
use crate::table;

/// The victim runs in a sandbox of the same launcher, offers its secret in every way there is, and answers afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn neighbour_is_out_of_reach() {
    let Some((owner, launcher)) = common::launcher("beside").await else {
        return;
    };
    let ground = Ground::new();
    let (mut output, fds) = common::output();
    let (channel, mut ours) = UnixStream::pair().unwrap();
    let fds = SandboxFds {
        channel: Some(channel.into()),
        ..fds
    };
    let spec = arena::spec("victim", &ground, "neighbour.py", &["--victim", "channel"]);
    let victim = launcher.create(spec, fds).await.unwrap();
    common::wait_for(&mut output, "up ").await;
    let mut pids = common::inventory(&owner).processes;
    pids.push(victim.pid().to_string());
    let launcher = fight_beside(launcher, table::neighbours(), &pids.join(",")).await;
    ours.write_all(b"after\n").unwrap();
    common::wait_for(&mut output, "well after").await;
    victim.destroy().await.unwrap();
    Launcher::shutdown(launcher).await;
}

/// `flock`s and watches on the files that all sandboxes see tell one of another. The design says so; while it is so, it
/// must go on saying so.
#[tokio::test(flavor = "multi_thread")]
async fn locks_on_shared_files_are_a_limit_that_is_written_down() {
    let Some((_, launcher)) = common::launcher("flock").await else {
        return;
    };
    let script = |rest: &str| {
        format!(
            "import fcntl, time\nfile = open('/usr/bin/env')\ntry:\n  fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)\n  \
             print('locked', flush=True)\nexcept OSError:\n  print('somebody else has it')\n{rest}"
        )
    };
    let mut holder = common::start(&launcher, common::python("a", &script("time.sleep(60)"))).await;
    assert_eq!(holder.first_output().await, "locked\n");
    let seen = common::lines(&launcher, common::python("b", &script(""))).await;
    let design = include_str!("../../../../docs/design/sandbox.md");
    let (_, limits) = design.split_once("## Known limits").unwrap();
    let written_down = limits.contains("`flock`s and inotify watches");
    assert_eq!(seen == ["somebody else has it"], written_down, "{seen:?}");
    holder.sandbox.destroy().await.unwrap();
    launcher.shutdown().await;
}
