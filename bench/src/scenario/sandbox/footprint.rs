//! What a ghost takes: memory of the whole machine, descriptors, processes.
//!
//! Memory is what is in use before and after many ghosts are made, whoever uses it: inits, page tables, namespaces, mounts,
//! control groups, the nursery's and the daemon's own. It is counted as all memory that is neither free nor page cache of
//! files. `MemAvailable` would leave out what the kernel calls reclaimable, such as the inodes of a `tmpfs`, which
//! nothing can reclaim while it is mounted.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::Context;

use super::SYSTEM;
use super::ground::Ground;
use crate::bench::Bench;
use crate::record::Recorder;
use crate::summary::Summary;

const SCENARIO: &str = "sandbox/footprint";
/// Made before the first count, so that what is there once for all is there.
const WARM_UP: u64 = 20;
/// Pages that processors keep for themselves are given back meanwhile.
const CALM: Duration = Duration::from_secs(1);

/// What the machine has of each.
#[derive(Debug, Clone, Copy)]
struct Usage {
    memory_kb: u64,
    descriptors: u64,
    processes: u64,
}

pub(super) fn run(bench: &Bench<'_>, recorder: &mut Recorder) -> anyhow::Result<()> {
    let n = bench.args.n_or(1000, 24);
    let (before, after) = Ground::with(bench, 0, |ground| around(ground, n))?;
    let mut record = |metric, unit, of: fn(&Usage) -> u64| {
        let each = (of(&after) as f64 - of(&before) as f64) / n as f64;
        let summary = Summary::single(n, (each * 100.0).round() / 100.0);
        recorder.record(SCENARIO, SYSTEM, metric, unit, summary)
    };
    record("kb_each", "KiB", |usage| usage.memory_kb)?;
    record("descriptors_each", "descriptors", |usage| usage.descriptors)?;
    record("processes_each", "processes", |usage| usage.processes)
}

/// What there is before and after so many ghosts are made.
fn around(ground: &Ground, n: u64) -> anyhow::Result<(Usage, Usage)> {
    let make = |count| {
        (0..count)
            .map(|_| ground.ghost())
            .collect::<anyhow::Result<Vec<_>>>()
    };
    let _first = make(WARM_UP)?;
    thread::sleep(CALM);
    let before = Usage::read()?;
    let _ghosts = make(n)?;
    thread::sleep(CALM);
    Ok((before, Usage::read()?))
}

impl Usage {
    fn read() -> anyhow::Result<Self> {
        let text = fs::read_to_string("/proc/meminfo").context("cannot read /proc/meminfo")?;
        let entries = |path: &str| {
            let list = fs::read_dir(path).with_context(|| format!("cannot read {path}"))?;
            anyhow::Ok(list.flatten().map(|entry| entry.file_name()))
        };
        let is_number = |name: &std::ffi::OsString| {
            name.to_str()
                .is_some_and(|name| name.parse::<u32>().is_ok())
        };
        Ok(Self {
            memory_kb: used_kb(&text).context("/proc/meminfo lacks a line")?,
            descriptors: entries("/proc/self/fd")?.count() as u64,
            processes: entries("/proc")?.filter(is_number).count() as u64,
        })
    }
}

/// All that is neither free nor page cache of files; contents of a `tmpfs` (`Shmem`) are within `Cached`.
pub(super) fn used_kb(meminfo: &str) -> Option<u64> {
    let field = |name: &str| -> Option<u64> {
        let value = |line: &str| {
            line.strip_prefix(name)?
                .strip_prefix(':')
                .map(str::to_owned)
        };
        let value = meminfo.lines().find_map(value)?;
        value.split_ascii_whitespace().next()?.parse().ok()
    };
    let cache = (field("Cached")? + field("Buffers")?).saturating_sub(field("Shmem")?);
    field("MemTotal")?.checked_sub(field("MemFree")? + cache)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tmpfs_and_slab_are_used_and_page_cache_is_not() {
        let text = "MemTotal: 1000 kB\nMemFree: 300 kB\nMemAvailable: 600 kB\nBuffers: 20 kB\n\
                    Cached: 200 kB\nSwapCached: 0 kB\nShmem: 50 kB\nSReclaimable: 80 kB\n";
        assert_eq!(used_kb(text), Some(1000 - 300 - 20 - 150));
        assert_eq!(used_kb("MemTotal: 1 kB\n"), None);
    }
}
