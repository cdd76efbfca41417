//! An idle daemon must cost nothing: the state directory neither polls nor keeps timers.
#![allow(clippy::unwrap_used)]

mod suite;

use std::time::Duration;

use offshoot_state::{Queue, Registry, StateDir};

#[test]
fn idle_state_directory_wakes_no_thread() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let state = runtime.block_on(async {
        let state = StateDir::open(dir.path()).await.unwrap();
        // All connections exist: a write and a read were done.
        state
            .queue()
            .enqueue(vec![suite::event("a", 1)])
            .await
            .unwrap();
        state.queue().depth().await.unwrap();
        state.registry().list("").await.unwrap();
        state
    });
    settle();
    // One is this thread's own sleep.
    let during = wake_ups_in(Duration::from_millis(1500));
    assert!(during <= 1, "{during} wake-ups in 1.5 s");
    runtime.block_on(state.close());
}

/// Waits for the end of what was begun, which takes longer on a busy machine.
fn settle() {
    let is_quiet = || wake_ups_in(Duration::from_millis(200)) <= 1;
    assert!((0..50).any(|_| is_quiet()), "woken all the time");
}

fn wake_ups_in(time: Duration) -> u64 {
    let before = wake_ups();
    std::thread::sleep(time);
    wake_ups() - before
}

/// Times that the threads of this process slept and were woken, in total (proc_pid_status(5)).
fn wake_ups() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks
        .map(|task| std::fs::read_to_string(task.unwrap().path().join("status")).unwrap())
        .map(|status| {
            let line = status
                .lines()
                .find(|line| line.starts_with("voluntary_ctxt_switches"));
            line.unwrap()
                .rsplit('\t')
                .next()
                .unwrap()
                .parse::<u64>()
                .unwrap()
        })
        .sum()
}
