//! Nothing is left: counted before and after, by a count that is shown to see something.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{inventory, launcher, pool, recycled, run, shell, start, wait_until};
use offshoot_sandbox::{Exit, Launcher};

/// These tests count this process's descriptors, so only one of them runs at a time.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test]
async fn killed_sandbox_leaves_nothing() {
    let _alone = ALONE.lock().await;
    let Some((owner, launcher)) = launcher("kill").await else {
        return;
    };
    let before = inventory(&owner);
    let mut running = start(
        &launcher,
        shell("a", "sleep 1000 & sleep 1000 & echo up; wait"),
    )
    .await;
    running.first_output().await;
    // The positive control: the inventory sees what is there.
    let during = inventory(&owner);
    assert!(
        during.processes.len() >= 4 && !during.groups.is_empty(),
        "{during:?}"
    );
    assert!(during.descriptors > before.descriptors);
    running.sandbox.kill();
    assert!(matches!(
        running.sandbox.exited().await,
        Exit::Lost | Exit::Signaled(9)
    ));
    running.sandbox.destroy().await.unwrap();
    let mut after = inventory(&owner);
    // The output file of `running`.
    after.descriptors -= 1;
    assert_eq!(after, before);
    launcher.shutdown().await;
}

#[tokio::test]
async fn cancelled_creation_leaves_nothing() {
    let _alone = ALONE.lock().await;
    let Some((owner, launcher)) = launcher("cancel").await else {
        return;
    };
    let before = inventory(&owner);
    for round in 0..40 {
        let spec = shell(&format!("a{round}"), "sleep 1000");
        let (_, fds) = common::output();
        let limit = Duration::from_micros(100 * round);
        let _ = tokio::time::timeout(limit, launcher.create(spec, fds)).await;
    }
    wait_until(|| inventory(&owner) == before).await;
    launcher.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_cycles_leave_everything_as_it_was() {
    let _alone = ALONE.lock().await;
    let Some((owner, launcher)) = launcher("drift").await else {
        return;
    };
    let launcher = Arc::new(launcher);
    cycles(&launcher, 0..20).await;
    let (before, groups_before) = (inventory(&owner), kernel_groups());
    cycles(&launcher, 20..220).await;
    wait_until(|| inventory(&owner) == before).await;
    // All of the machine's groups, those included that are removed but still referenced; other
    // work on the machine has some too, so a margin far below one group for each cycle.
    wait_until(|| kernel_groups() < groups_before + 60).await;
    Arc::try_unwrap(launcher).unwrap().shutdown().await;
}

/// On v1 a removed group lived on in the kernel as long as a page was cached that its processes had read first: one
/// more in `/proc/cgroups` for each function that had a file of its own.
#[tokio::test(flavor = "multi_thread")]
async fn group_that_read_a_file_first_is_gone_from_the_kernel() {
    let _alone = ALONE.lock().await;
    let Some((owner, launcher)) = launcher("cache").await else {
        return;
    };
    let directory = tempfile::tempdir_in("/var/tmp").unwrap();
    let before = kernel_groups();
    for number in 0..40 {
        // Not in the page cache: whoever reads it first is charged for it, and it stays.
        let path = directory.path().join(format!("{number}"));
        std::fs::write(&path, [7; 16 << 10]).unwrap();
        let file = std::fs::File::open(&path).unwrap();
        file.sync_all().unwrap();
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
        let mut spec = shell(&format!("a{number}"), "cat /var/task/*");
        spec.code.task = Some(directory.path().into());
        assert_eq!(run(&launcher, spec).await.0, Exit::Exited(0));
    }
    assert!(inventory(&owner).groups.is_empty());
    // Other tests of the machine make groups, too; each of ours would have stayed.
    wait_until(|| kernel_groups() < before + 20).await;
    launcher.shutdown().await;
}

async fn cycles(launcher: &Arc<Launcher>, numbers: std::ops::Range<u32>) {
    let mut running = tokio::task::JoinSet::new();
    for number in numbers {
        let launcher = Arc::clone(launcher);
        running.spawn(async move {
            let mut spec = shell(&format!("a{number}"), "echo x >/tmp/a; sleep 100 & exit 1");
            spec.runtime_api = true;
            assert_eq!(run(&launcher, spec).await.0, Exit::Exited(1));
        });
        if running.len() >= 4 {
            running.join_next().await.unwrap().unwrap();
        }
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
}

/// The numbers in `/proc/cgroups`, summed.
fn kernel_groups() -> u32 {
    let text = std::fs::read_to_string("/proc/cgroups").unwrap();
    let counts = text
        .lines()
        .filter_map(|line| line.split('\t').nth(2)?.parse::<u32>().ok());
    counts.sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_reuses_drift_nowhere() {
    let _alone = ALONE.lock().await;
    let Some((owner, launcher)) = pool("reuse", 4).await else {
        return;
    };
    let launcher = Arc::new(launcher);
    reuses(&launcher, 20).await;
    wait_until(|| launcher.pool_stats().ghosts >= 4).await;
    launcher.drain();
    wait_until(|| launcher.pool_stats().ghosts == 4 && inventory(&owner).processes.len() == 16)
        .await;
    let before = inventory(&owner);
    reuses(&launcher, 200).await;
    launcher.drain();
    let same = || {
        let now = inventory(&owner);
        now.processes.len() == before.processes.len()
            && now.groups.len() == before.groups.len()
            && (now.descriptors, now.mounts) == (before.descriptors, before.mounts)
    };
    wait_until(same).await;
    let stats = launcher.pool_stats();
    assert!(stats.repurposed >= 200, "{stats:?}");
    Arc::try_unwrap(launcher).unwrap().shutdown().await;
    assert!(inventory(&owner).groups.is_empty());
}

async fn reuses(launcher: &Arc<Launcher>, count: usize) {
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..count {
        let launcher = Arc::clone(launcher);
        running.spawn(async move {
            let script = "echo x >/tmp/a; sleep 100 & exit 1";
            assert_eq!(
                recycled(&launcher, shell("a", script)).await.0,
                Exit::Exited(1)
            );
        });
        if running.len() >= 4 {
            running.join_next().await.unwrap().unwrap();
        }
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
}
