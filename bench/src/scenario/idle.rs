//! A daemon that has nothing to do: its memory, and how often it wakes up.
//!
//! It has a function and an idle instance. A wake-up is a context switch of one of its threads, voluntary or not
//! (`proc_pid_status(5)`): a thread that sleeps has none.

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use procfs::process::{self, Process};

use crate::bench::Bench;
use crate::record::Recorder;
use crate::summary::Summary;

const INVOCATIONS: u64 = 20;
/// The work of the invocations is over by then.
const SETTLE: Duration = Duration::from_secs(3);
/// Part of the nursery's command line.
const NURSERY: &str = "nursery";

pub(crate) fn run(bench: &Bench<'_>, recorder: &mut Recorder) -> anyhow::Result<()> {
    let echo = bench.echo()?;
    let running = bench.daemon(&[])?;
    running.deploy(&echo)?;
    let client = running.client();
    for _ in 0..INVOCATIONS {
        running.block_on(client.invoke(echo.name(), echo.event.clone()))?;
    }
    // Its connections are no part of an idle daemon.
    drop(client);
    running.pause(SETTLE);

    let window = Duration::from_secs(bench.args.seconds_or(30, 3));
    let daemon = running.pid()?;
    let nursery = nursery_of(daemon)?;
    let of_daemon = wakeups_per_s(&[daemon, nursery], window)?;
    for (system, pid, wakeups) in [
        ("offshoot", daemon, of_daemon[0]),
        ("offshoot-nursery", nursery, of_daemon[1]),
    ] {
        let rss_kb = resident_kib(pid)?;
        recorder.record(
            "idle",
            system,
            "rss_kb",
            "KiB",
            Summary::single(1, rss_kb as f64),
        )?;
        let n = window.as_secs();
        recorder.record(
            "idle",
            system,
            "wakeups_per_s",
            "1/s",
            Summary::single(n, wakeups),
        )?;
    }
    running.stop()
}

/// The daemon's child that says in its command line that it is the nursery.
fn nursery_of(daemon: i32) -> anyhow::Result<i32> {
    let is_nursery = |process: &Process| {
        process.stat().is_ok_and(|stat| stat.ppid == daemon)
            && process
                .cmdline()
                .is_ok_and(|line| line.iter().any(|word| word.contains(NURSERY)))
    };
    let mut all = process::all_processes()?.filter_map(Result::ok);
    all.find(is_nursery)
        .map(|process| process.pid)
        .context("the daemon has no nursery")
}

fn resident_kib(pid: i32) -> anyhow::Result<u64> {
    Process::new(pid)?
        .status()?
        .vmrss
        .context("VmRSS is not known")
}

/// Wake-ups of each process in one and the same window.
fn wakeups_per_s(pids: &[i32], window: Duration) -> anyhow::Result<Vec<f64>> {
    let count = || {
        pids.iter()
            .map(|pid| switches(*pid))
            .collect::<anyhow::Result<Vec<_>>>()
    };
    let before = count()?;
    let begun = Instant::now();
    thread::sleep(window);
    let after = count()?;
    let seconds = begun.elapsed().as_secs_f64();
    let rates = before
        .iter()
        .zip(&after)
        .map(|(old, new)| new_switches(old, new) as f64 / seconds);
    Ok(rates.map(|rate| (rate * 1000.0).round() / 1000.0).collect())
}

/// Context switches of each thread so far.
fn switches(pid: i32) -> anyhow::Result<BTreeMap<String, u64>> {
    let folder = format!("/proc/{pid}/task");
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {folder}"))? {
        let path = entry?.path();
        // A thread may end meanwhile.
        let Ok(text) = fs::read_to_string(path.join("status")) else {
            continue;
        };
        found.insert(path.to_string_lossy().into_owned(), switches_in(&text));
    }
    Ok(found)
}

fn switches_in(status: &str) -> u64 {
    let count = |line: &str| {
        line.split_once("ctxt_switches:")?
            .1
            .trim()
            .parse::<u64>()
            .ok()
    };
    status.lines().filter_map(count).sum()
}

/// A thread that began in the window counts from zero; one that ended is not known any more.
fn new_switches(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> u64 {
    let since = |(thread, now): (&String, &u64)| now - before.get(thread).unwrap_or(&0).min(now);
    after.iter().map(since).sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn both_sorts_of_context_switches_count() {
        let status = "Threads:\t1\nvoluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t7\n";
        assert_eq!(switches_in(status), 157);
    }

    #[test]
    fn threads_may_come_and_go_in_the_window() {
        let at = |pairs: &[(&str, u64)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect();
        let before: BTreeMap<_, _> = at(&[("1", 10), ("2", 5)]);
        let after: BTreeMap<_, _> = at(&[("1", 13), ("3", 4)]);
        assert_eq!(new_switches(&before, &after), 7);
    }

    #[test]
    fn own_process_has_memory_and_a_sleeping_thread_wakes_up() {
        let me = std::process::id() as i32;
        assert!(resident_kib(me).unwrap() > 100);
        assert!(wakeups_per_s(&[me], Duration::from_millis(50)).unwrap()[0] > 0.0);
    }
}
