//! Kernel objects that are left over after many cycles.
//!
//! The whole machine is counted, so that what escapes is seen; whatever begins elsewhere meanwhile is counted with it. Both
//! times the pool has been drained and filled again, so that there are as many ghosts, none of which was used.
//!
//! Tolerated is what the kernel itself counts only roughly (`Objects::slack` of the testkit: open files), and nothing else.
//! Memory in use is told, but no object, and has no limit here: caches of the kernel grow with whatever runs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use offshoot_testkit::{KernelObjects, Probe, drift};

use super::SYSTEM;
use super::footprint::used_kb;
use super::ground::Ground;
use crate::record::Recorder;
use crate::scenario::leak;
use crate::summary::Summary;

const SCENARIO: &str = "sandbox/drift";
/// The positive control: what a ghost that is left over on purpose amounts to.
const PLANTED: &str = "planted";
/// What is freed late has so long: threads that tokio keeps for a second, namespaces, control groups.
const LIMIT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(250);

/// What there is of each kind.
#[derive(Debug, Clone, Default)]
struct Count {
    objects: KernelObjects,
    /// Those that the testkit does not know.
    others: BTreeMap<&'static str, u64>,
}

/// What there was before the cycles.
#[derive(Debug)]
pub(super) struct Baseline {
    probe: Probe,
    count: Count,
    memory_kb: u64,
}

impl Baseline {
    /// Waits until the machine is quiet.
    pub(super) fn take(ground: &Ground) -> anyhow::Result<Self> {
        let nursery = i32::try_from(ground.launcher.nursery_pid())?;
        let own = i32::try_from(std::process::id())?;
        let probe = Probe {
            descriptors_of: vec![("launcher".into(), own), ("nursery".into(), nursery)],
            ..Probe::default()
        };
        refill(ground)?;
        let objects = leak::baseline(&probe)?;
        Ok(Self {
            count: Count {
                objects,
                others: others(&probe)?,
            },
            probe,
            memory_kb: memory_kb()?,
        })
    }

    /// Records what has grown since, after `n` cycles.
    pub(super) fn record(
        &self,
        ground: &Ground,
        n: u64,
        recorder: &mut Recorder,
    ) -> anyhow::Result<()> {
        refill(ground)?;
        let left = self.settled()?;
        for (kind, grown) in &left {
            eprintln!("bench: {SCENARIO}: {grown} more: {kind}");
        }
        let memory = memory_kb()? as f64 - self.memory_kb as f64;
        let ghost = ground.ghost()?;
        let seen = sum(&self.grown()?);
        drop(ghost);
        let mut record = |system, metric, unit, value| {
            recorder.record(SCENARIO, system, metric, unit, Summary::single(n, value))
        };
        record(SYSTEM, "objects", "objects", sum(&left) as f64)?;
        record(SYSTEM, "used_kb", "KiB", memory)?;
        record(PLANTED, "objects", "objects", seen as f64)?;
        ensure!(
            seen > sum(&left),
            "a ghost that was left over was not seen, so the count means nothing"
        );
        Ok(())
    }

    /// What has grown and does not come back.
    fn settled(&self) -> anyhow::Result<BTreeMap<String, u64>> {
        let begun = Instant::now();
        loop {
            let grown = self.grown()?;
            if grown.is_empty() || begun.elapsed() > LIMIT {
                return Ok(grown);
            }
            thread::sleep(PAUSE);
        }
    }

    fn grown(&self) -> anyhow::Result<BTreeMap<String, u64>> {
        let now = Count {
            objects: KernelObjects::take(&self.probe)?,
            others: others(&self.probe)?,
        };
        Ok(growth(&self.count, &now))
    }
}

/// As many ghosts as there shall be, all unused.
fn refill(ground: &Ground) -> anyhow::Result<()> {
    ground.launcher.drain();
    ground.await_filled()
}

/// By how much each kind has grown, with the names of what is new.
fn growth(before: &Count, now: &Count) -> BTreeMap<String, u64> {
    let named = drift(&before.objects, &now.objects);
    let named = named.into_iter().filter(|drift| drift.is_growth());
    let named = named.map(|drift| (drift.to_string(), drift.after - drift.before));
    let counted = now.others.iter().filter_map(|(kind, count)| {
        let was = before.others.get(kind).copied().unwrap_or(0);
        (*count > was).then(|| (format!("{kind}: {was} became {count}"), count - was))
    });
    named.chain(counted).collect()
}

fn sum(grown: &BTreeMap<String, u64>) -> u64 {
    grown.values().sum()
}

fn others(probe: &Probe) -> anyhow::Result<BTreeMap<&'static str, u64>> {
    let threads = |pid: &i32| fs::read_dir(Path::new("/proc").join(pid.to_string()).join("task"));
    let watched = probe.descriptors_of.iter().map(|(_, pid)| pid);
    let threads = watched.filter_map(|pid| Some(threads(pid).ok()?.count() as u64));
    let memory =
        fs::read_to_string("/proc/vmallocinfo").context("cannot read /proc/vmallocinfo")?;
    let mut found = BTreeMap::from([
        ("threads", threads.sum()),
        (
            "allocations of filters and their machine code",
            filters(&memory),
        ),
    ]);
    if let Ok(output) = Command::new("nft").args(["list", "ruleset"]).output() {
        let rules = output.stdout.split(|byte| *byte == b'\n').count() as u64;
        found.insert("lines of the rules of nftables", rules);
    }
    Ok(found)
}

/// Kernel memory for BPF programs, to which seccomp filters are compiled: lines that name who allocated it.
fn filters(vmallocinfo: &str) -> u64 {
    vmallocinfo
        .lines()
        .filter(|line| line.contains(" bpf_"))
        .count() as u64
}

fn memory_kb() -> anyhow::Result<u64> {
    let text = fs::read_to_string("/proc/meminfo").context("cannot read /proc/meminfo")?;
    used_kb(&text).context("/proc/meminfo lacks a line")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(threads: u64) -> Count {
        Count {
            others: BTreeMap::from([("threads", threads)]),
            ..Count::default()
        }
    }

    #[test]
    fn growth_counts_and_shrinking_does_not() {
        let grown = growth(&with(3), &with(5));
        assert_eq!(sum(&grown), 2);
        assert_eq!(
            grown.keys().next().map(String::as_str),
            Some("threads: 3 became 5")
        );
        assert_eq!(sum(&growth(&with(5), &with(3))), 0);
        assert_eq!(sum(&growth(&Count::default(), &with(1))), 1);
    }

    #[test]
    fn filters_are_found_among_other_memory() {
        let text = "0x0-0x1 8192 bpf_prog_alloc_no_stats+0x42/0x280 pages=1 vmalloc N0=1\n\
                    0x2-0x3 8192 alloc_large_system_hash+0x1/0x2 pages=1 vmalloc\n";
        assert_eq!(filters(text), 1);
    }
}
