//! What an instance has of its own in memory when it has handled an event: one from nothing, and a clone.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use procfs::process::{Process, all_processes};

use super::super::clone::memory::private_kb;
use crate::bench::{Bench, Running, invocation};
use crate::record::Recorder;
use crate::summary::Samples;
use crate::workload::Workload;

/// Instances are kept, and clones wait ahead: as many events at once as there are instances, and one, meet a clone.
const SETTINGS: [(&str, &str); 2] = [
    ("OFFSHOOT_SEEDS_AFTER_EVENTS", "1"),
    ("OFFSHOOT_SEEDS_PARKED", "0"),
];
/// Events at once that make clones, while the first instance is busy.
const AT_ONCE: usize = 8;
const SEEDING: Duration = Duration::from_secs(4);
const LIMIT: Duration = Duration::from_secs(30);

pub(super) fn run(bench: &Bench<'_>, recorder: &mut Recorder) -> anyhow::Result<()> {
    let running = bench.daemon(&SETTINGS)?;
    for workload in bench.workloads()? {
        measure(&running, &workload, recorder)
            .with_context(|| format!("memory of {}", workload.name()))?;
    }
    running.stop()
}

fn measure(running: &Running, workload: &Workload, recorder: &mut Recorder) -> anyhow::Result<()> {
    running.deploy(workload)?;
    let begun = Instant::now();
    let (cold, clones) = loop {
        // Later than the seed of the one that has been invoked.
        thread::sleep(SEEDING);
        at_once(running, workload)?;
        let found = instances(running.pid()?)?;
        if !found.0.is_empty() && found.1.len() >= 2 {
            break found;
        }
        if begun.elapsed() > LIMIT {
            bail!("no clones after {LIMIT:?}");
        }
    };
    let scenario = format!("e2e/{}", workload.name());
    for (system, pids) in [("cold", cold), ("clone", clones)] {
        let mut samples = Samples::numbers();
        for pid in pids {
            samples.record_number(private_kb(pid)?);
        }
        recorder.record(&scenario, system, "private_kb", "KiB", samples.summary())?;
    }
    running.block_on(running.client().delete(workload.name()))?;
    // Its instances are no other workload's.
    while instances(running.pid()?)? != (Vec::new(), Vec::new()) {
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn at_once(running: &Running, workload: &Workload) -> anyhow::Result<()> {
    let request = invocation(workload, &[]);
    let connections = (0..AT_ONCE).map(|_| running.connect());
    let connections: Vec<_> = connections.collect::<anyhow::Result<_>>()?;
    thread::scope(|scope| {
        let all: Vec<_> = connections
            .into_iter()
            .map(|mut connection| {
                let request = &request;
                scope.spawn(move || anyhow::Ok(connection.exchange(request)?.status))
            })
            .collect();
        for one in all {
            let status = one
                .join()
                .map_err(|_| anyhow::anyhow!("a client panicked"))??;
            anyhow::ensure!(status == 200, "status {status}");
        }
        Ok(())
    })
}

/// The processes of instances below a daemon: those from nothing, and clones, whose parent is the nursery of templates.
/// The templates themselves are there, too, as the daemon's own user.
fn instances(daemon: i32) -> anyhow::Result<(Vec<i32>, Vec<i32>)> {
    let (mut cold, mut clones) = (Vec::new(), Vec::new());
    for process in all_processes()?.flatten() {
        let Some((words, uid, parent)) = described(&process) else {
            continue;
        };
        if uid == 0 || !words.iter().any(|word| word.contains("bootstrap.")) {
            continue;
        }
        let Some(nursery) = Process::new(parent)
            .ok()
            .and_then(|parent| described(&parent))
        else {
            continue;
        };
        if nursery.2 != daemon {
            continue;
        }
        if nursery.0.iter().any(|word| word == "__templates") {
            clones.push(process.pid);
        } else {
            cold.push(process.pid);
        }
    }
    Ok((cold, clones))
}

/// Command line, user and parent of a process that has not ended meanwhile.
fn described(process: &Process) -> Option<(Vec<String>, u32, i32)> {
    let words = process.cmdline().ok()?;
    Some((words, process.uid().ok()?, process.stat().ok()?.ppid))
}
