//! Ghost sandboxes: made ahead, taken, and made like new.
#![allow(clippy::unwrap_used)]

mod common;

use common::{inventory, output, pool, python, recycled, run, shell, start, wait_until};
use offshoot_sandbox::{Account, Exit, Hand, Launcher, Reason, SandboxInfo, State};

fn ghosts(launcher: &Launcher) -> Vec<SandboxInfo> {
    let all = launcher.sandboxes().into_iter();
    all.filter(|sandbox| sandbox.state == State::Ghost)
        .collect()
}

fn recreations(launcher: &Launcher, reason: Reason) -> u64 {
    let stats = launcher.pool_stats();
    let found = stats.recreations.iter().find(|(other, _)| *other == reason);
    found.unwrap().1
}

#[tokio::test]
async fn ghosts_are_made_ahead_and_replaced_when_taken() {
    let Some((_, launcher)) = pool("fill", 2).await else {
        return;
    };
    let before: Vec<String> = ghosts(&launcher)
        .into_iter()
        .map(|ghost| ghost.id)
        .collect();
    let running = start(&launcher, shell("a", "sleep 1000")).await;
    wait_until(|| launcher.pool_stats().ghosts == 2).await;
    let stats = launcher.pool_stats();
    assert_eq!((stats.takes, stats.misses), (1, 0));
    let after = ghosts(&launcher);
    assert!(
        after.iter().any(|ghost| !before.contains(&ghost.id)),
        "{before:?} {after:?}"
    );
    running.sandbox.destroy().await.unwrap();
    launcher.shutdown().await;
}

#[tokio::test]
async fn empty_pool_delays_a_start_and_does_not_fail_it() {
    let Some((_, launcher)) = pool("miss", 0).await else {
        return;
    };
    let (exit, text) = run(&launcher, shell("a", "echo here")).await;
    assert_eq!((exit, text.as_str()), (Exit::Exited(0), "here\n"));
    let stats = launcher.pool_stats();
    assert_eq!((stats.takes, stats.misses), (1, 1));
    launcher.shutdown().await;
}

#[tokio::test]
async fn used_sandbox_serves_its_account_again_and_no_other() {
    let Some((_, launcher)) = pool("account", 1).await else {
        return;
    };
    let first = start(&launcher, shell("a", "exit 0")).await;
    let pid = first.sandbox.pid();
    first.sandbox.exited().await;
    first.sandbox.recycle().await;
    let mut other = shell("b", "exit 0");
    other.account = Account::from("somebody else");
    let stranger = start(&launcher, other).await;
    assert_eq!(stranger.sandbox.uses(), 1);
    stranger.sandbox.destroy().await.unwrap();
    let again = start(&launcher, shell("c", "exit 0")).await;
    assert_eq!(again.sandbox.uses(), 2);
    // Never the same init: its PID namespace and mounts are new.
    assert_ne!(again.sandbox.pid(), pid);
    again.sandbox.destroy().await.unwrap();
    launcher.shutdown().await;
}

#[tokio::test]
async fn network_is_kept_only_if_nobody_used_it() {
    let Some((_, launcher)) = pool("net", 1).await else {
        return;
    };
    recycled(&launcher, shell("a", "exit 0")).await;
    assert_eq!(recreations(&launcher, Reason::NetworkUsed), 0);
    assert_eq!(launcher.pool_stats().repurposed, 1);
    // One packet that nobody took.
    let script = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); \
                  s.sendto(b'x', ('127.0.0.1', 9))";
    let (exit, text) = recycled(&launcher, python("b", script)).await;
    assert_eq!(exit, Exit::Exited(0), "{text}");
    assert_eq!(recreations(&launcher, Reason::NetworkUsed), 1);
    assert_eq!(launcher.pool_stats().repurposed, 2);
    launcher.shutdown().await;
}

#[tokio::test]
async fn group_in_which_a_process_was_killed_for_memory_is_replaced() {
    let Some((owner, launcher)) = pool("oom", 1).await else {
        return;
    };
    let mut spec = python("a", "x = bytearray(200 << 20)");
    spec.memory_bytes = 64 << 20;
    let (exit, _) = recycled(&launcher, spec).await;
    assert_eq!(exit, Exit::Signaled(9));
    assert_eq!(recreations(&launcher, Reason::OutOfMemory), 1);
    assert_eq!(launcher.pool_stats().repurposed, 1);
    let next = start(&launcher, shell("b", "exit 0")).await;
    assert_eq!((next.sandbox.uses(), next.sandbox.oom_kills()), (2, 0));
    assert_eq!(next.sandbox.exited().await, Exit::Exited(0));
    next.sandbox.destroy().await.unwrap();
    launcher.shutdown().await;
    assert!(inventory(&owner).groups.is_empty());
}

#[tokio::test]
async fn next_program_finds_its_own_limits_and_nothing_of_the_last_one() {
    let Some((_, launcher)) = pool("reuse", 1).await else {
        return;
    };
    let plant = "echo x >/tmp/a; echo x >/dev/shm/b; (setsid sleep 1000 &); \
                 head -c 40000000 /dev/zero | tail >/dev/null; exit 0";
    let mut spec = shell("a", plant);
    (spec.hostname, spec.tmp_bytes) = ("other".into(), 1 << 20);
    let code = tempfile::tempdir().unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(code.path(), open).unwrap();
    std::fs::write(code.path().join("secret"), "x").unwrap();
    spec.code.task = Some(code.path().into());
    assert_eq!(recycled(&launcher, spec).await.0, Exit::Exited(0));
    let look = "ls -A /tmp /dev/shm /var/task; ls -d /proc/[0-9]*; cat /etc/hostname; hostname; df -k --output=size /tmp";
    let mut spec = shell("b", look);
    spec.memory_bytes = 64 << 20;
    let mut running = start(&launcher, spec).await;
    assert_eq!(running.sandbox.uses(), 2);
    assert_eq!(running.sandbox.exited().await, Exit::Exited(0));
    let seen = running.output();
    let expected = "/dev/shm:\n\n/tmp:\n\n/var/task:\n";
    assert!(seen.starts_with(expected), "{seen}");
    assert!(seen.contains("test-box\ntest-box\n"), "{seen}");
    assert!(seen.trim_end().ends_with("16384"), "{seen}");
    let processes = seen.lines().filter(|line| line.starts_with("/proc/"));
    assert_eq!(
        processes.collect::<Vec<_>>(),
        ["/proc/2"],
        "only the shell: {seen}"
    );
    let peak = running.sandbox.peak_memory_bytes().unwrap();
    assert!(peak < 32 << 20, "{peak} bytes");
    running.sandbox.destroy().await.unwrap();
    launcher.shutdown().await;
}

/// What was read stays cached while the sandbox is made like new, or the next program would read it again; but it is none of
/// that one's.
#[tokio::test]
async fn page_cache_is_kept_for_the_next_program_and_not_counted_as_its_own() {
    let Some((owner, launcher)) = pool("kept", 1).await else {
        return;
    };
    let charged = || -> u64 {
        let groups = inventory(&owner).groups.into_iter();
        let texts = groups.filter_map(|group| {
            std::fs::read_to_string(format!("{group}/memory.usage_in_bytes")).ok()
        });
        texts.map(|text| text.trim().parse::<u64>().unwrap()).sum()
    };
    let directory = tempfile::tempdir_in("/var/tmp").unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(directory.path(), open).unwrap();
    for (megabytes, kept) in [(8, 7..10), (120, 60..66)] {
        let file = directory.path().join("file");
        std::fs::write(&file, vec![7; megabytes << 20]).unwrap();
        let file = std::fs::File::open(&file).unwrap();
        file.sync_all().unwrap();
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
        let mut spec = shell("a", "cat /var/task/file | wc -c");
        spec.code.task = Some(directory.path().into());
        spec.memory_bytes = 128 << 20;
        let read = recycled(&launcher, spec).await;
        assert_eq!(read, (Exit::Exited(0), format!("{}\n", megabytes << 20)));
        let charged = charged() >> 20;
        assert!(kept.contains(&charged), "{charged} of {megabytes} MiB");
        let next = start(&launcher, shell("b", "exit 0")).await;
        assert!(next.sandbox.uses() > 1);
        next.sandbox.exited().await;
        let peak = next.sandbox.peak_memory_bytes().unwrap();
        assert!(peak < 7 << 20, "{peak} bytes");
        next.sandbox.recycle().await;
    }
    assert_eq!(recreations(&launcher, Reason::MemoryCharged), 0);
    launcher.shutdown().await;
}

#[tokio::test]
async fn peak_of_a_program_that_is_over_is_not_read_from_its_successor() {
    let Some((_, launcher)) = pool("peak", 1).await else {
        return;
    };
    let running = start(&launcher, shell("a", "exit 0")).await;
    running.sandbox.exited().await;
    let peak = running.sandbox.peak_memory();
    assert!(peak.bytes().is_some());
    running.sandbox.recycle().await;
    assert_eq!(peak.bytes(), None);
    launcher.shutdown().await;
}

#[tokio::test]
async fn start_that_is_cancelled_at_any_moment_leaves_nothing() {
    let Some((owner, launcher)) = pool("cancel", 2).await else {
        return;
    };
    for round in 0..40 {
        let (_, fds) = output();
        let limit = std::time::Duration::from_micros(50 * round);
        let start = launcher.create(shell("a", "sleep 1000"), fds);
        let _ = tokio::time::timeout(limit, start).await;
    }
    let quiet = || inventory(&owner).groups.len() == 2 * group_dirs(&owner, &launcher);
    wait_until(|| launcher.pool_stats().ghosts == 2 && quiet()).await;
    launcher.shutdown().await;
    assert!(inventory(&owner).groups.is_empty() && inventory(&owner).processes.is_empty());
}

/// In how many hierarchies a sandbox has a directory.
fn group_dirs(owner: &str, launcher: &Launcher) -> usize {
    let Some(ghost) = ghosts(launcher).into_iter().next() else {
        return usize::MAX;
    };
    let groups = inventory(owner).groups;
    groups
        .iter()
        .filter(|group| group.ends_with(&ghost.id))
        .count()
}

#[tokio::test]
async fn thread_that_takes_is_at_home_again_afterwards() {
    let Some((_, launcher)) = pool("hand", 1).await else {
        return;
    };
    let ghost = launcher.pop(&Account::from("test"), false).unwrap();
    let code = tempfile::tempdir().unwrap();
    let mut spec = shell("a", "true");
    (spec.code.task, spec.hostname) = (Some(code.path().into()), "renamed".into());
    let hosted = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let taken = std::thread::scope(|scope| {
        let take = || {
            let hand = Hand::of_this_thread().unwrap();
            let taken = launcher.take(&hand, ghost, &spec).unwrap();
            let now = std::fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
            assert_eq!(
                now,
                std::fs::read_to_string("/proc/self/mountinfo").unwrap()
            );
            assert_eq!(
                rustix::system::uname().nodename().to_str().unwrap(),
                hosted.trim()
            );
            taken
        };
        scope.spawn(take).join().unwrap()
    });
    assert!(taken.join().is_some());
    launcher.recycle(taken.occupied().end()).await;
    assert_eq!(launcher.pool_stats().repurposed, 1);
    launcher.shutdown().await;
}
