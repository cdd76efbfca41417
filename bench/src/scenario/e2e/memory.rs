//! What an instance has of its own in memory when it has handled an event: one from nothing, a clone of its version's seed, and
//! one of its runtime's.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::super::clone::memory::private_kb;
use super::super::processes::{self, Kind};
use super::rung::{NO_LEVEL1, SEEDS_LATE, from_runtimes};
use crate::bench::{Bench, Running, invocation};
use crate::record::Recorder;
use crate::summary::Samples;
use crate::workload::Workload;

/// Instances are kept for long enough to be looked at: the next event meets none of them.
const CLONES: [(&str, &str); 3] = [
    ("OFFSHOOT_SEEDS_AFTER_EVENTS", "1"),
    ("OFFSHOOT_SEEDS_PARKED", "0"),
    ("OFFSHOOT_LIMITS_KEEP_ALIVE_S", "1"),
];
const NO_SEEDS: (&str, &str) = ("OFFSHOOT_SEEDS_AFTER_EVENTS", "0");
/// Clones that are looked at.
const LOOKS: usize = 3;
const SEEDING: Duration = Duration::from_secs(4);
const LIMIT: Duration = Duration::from_secs(30);

pub(super) fn run(
    bench: &Bench<'_>,
    runtime_seeds: bool,
    recorder: &mut Recorder,
) -> anyhow::Result<()> {
    let running = bench.daemon(&CLONES)?;
    let mut settings = vec![NO_SEEDS];
    settings.extend(runtime_seeds.then(|| from_runtimes(false)));
    let cold = bench.daemon(&settings)?;
    let level1 = runtime_seeds
        .then(|| bench.daemon(&[SEEDS_LATE[0], SEEDS_LATE[1], from_runtimes(true)]))
        .transpose()?;
    for workload in bench.workloads()? {
        measure_cold(&cold, &workload, recorder)
            .with_context(|| format!("memory of {} from nothing", workload.name()))?;
        measure(&running, &workload, recorder)
            .with_context(|| format!("memory of {}", workload.name()))?;
        measure_level1(level1.as_ref(), &workload, recorder)
            .with_context(|| format!("memory of {} from level 1", workload.name()))?;
    }
    if let Some(level1) = level1 {
        level1.stop()?;
    }
    cold.stop()?;
    running.stop()
}

/// One instance that began as a clone of its runtime's seed. Without such a rung, why there is no figure.
fn measure_level1(
    running: Option<&Running>,
    workload: &Workload,
    recorder: &mut Recorder,
) -> anyhow::Result<()> {
    let scenario = format!("e2e/{}", workload.name());
    let Some(running) = running else {
        return recorder.record_absence(&scenario, "level1", "private_kb", "KiB", NO_LEVEL1);
    };
    let begun = Instant::now();
    loop {
        running.deploy(workload)?;
        call(running, workload)?;
        let clones = processes::instances(running.pid()?, Kind::Clone)?;
        let found = !clones.is_empty();
        if found {
            record(&scenario, "level1", look(clones), recorder)?;
        }
        running.block_on(running.client().delete(workload.name()))?;
        wait_for_end(running)?;
        if found {
            return Ok(());
        }
        if begun.elapsed() > LIMIT {
            let why = "no instance is a clone of its runtime's seed";
            return recorder.record_absence(&scenario, "level1", "private_kb", "KiB", why);
        }
        // The runtime's first function has made its seed possible; it is there for the next.
        thread::sleep(SEEDING);
    }
}

/// What instances have of their own now.
fn look(pids: Vec<i32>) -> Samples {
    let mut samples = Samples::numbers();
    for pid in pids {
        match private_kb(pid) {
            Ok(found_kb) => samples.record_number(found_kb),
            // One that has just ended: its memory is gone before it is.
            Err(error) => eprintln!("bench: {pid} cannot be looked at: {error:#}"),
        }
    }
    samples
}

fn record(
    scenario: &str,
    system: &str,
    samples: Samples,
    recorder: &mut Recorder,
) -> anyhow::Result<()> {
    anyhow::ensure!(
        samples.n() > 0,
        "{scenario}: every instance has ended before it was looked at"
    );
    recorder.record(scenario, system, "private_kb", "KiB", samples.summary())
}

/// An event's instances are no other event's.
fn wait_for_end(running: &Running) -> anyhow::Result<()> {
    let begun = Instant::now();
    while instances(running.pid()?)? != (Vec::new(), Vec::new()) {
        if begun.elapsed() > LIMIT {
            bail!("instances are there after {LIMIT:?}");
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Those from nothing, and clones.
fn instances(daemon: i32) -> anyhow::Result<(Vec<i32>, Vec<i32>)> {
    let started = processes::instances(daemon, Kind::Started)?;
    Ok((started, processes::instances(daemon, Kind::Clone)?))
}

/// One instance that began from nothing.
fn measure_cold(
    running: &Running,
    workload: &Workload,
    recorder: &mut Recorder,
) -> anyhow::Result<()> {
    running.deploy(workload)?;
    call(running, workload)?;
    let started = processes::instances(running.pid()?, Kind::Started)?;
    let scenario = format!("e2e/{}", workload.name());
    record(&scenario, "cold", look(started), recorder)?;
    running.block_on(running.client().delete(workload.name()))?;
    wait_for_end(running)
}

/// Clones of the version's seed, each after one event.
fn measure(running: &Running, workload: &Workload, recorder: &mut Recorder) -> anyhow::Result<()> {
    running.deploy(workload)?;
    let begun = Instant::now();
    // The first clones are watched, and later ones come of a template that has learnt of one.
    while !has_learnt(running, workload.name())? {
        if begun.elapsed() > LIMIT {
            bail!("no seed that has learnt after {LIMIT:?}");
        }
        call(running, workload)?;
        wait_for_end(running)?;
    }
    let mut samples = Samples::numbers();
    for _ in 0..LOOKS {
        call(running, workload)?;
        samples.add(&look(processes::instances(running.pid()?, Kind::Clone)?));
        wait_for_end(running)?;
    }
    let scenario = format!("e2e/{}", workload.name());
    record(&scenario, "clone", samples, recorder)?;
    running.block_on(running.client().delete(workload.name()))?;
    Ok(())
}

/// Whether there is a template of the version's seed that knows which pages clones need.
fn has_learnt(running: &Running, function: &str) -> anyhow::Result<bool> {
    let page = running.page("/offshoot/v1/seeds")?;
    let seeds = page["seeds"].as_array().context("no list of seeds")?;
    let is_it = |seed: &serde_json::Value| {
        seed["function"] == function && seed["level"] == 2 && seed["learnt"] == true
    };
    Ok(seeds.iter().any(is_it))
}

fn call(running: &Running, workload: &Workload) -> anyhow::Result<()> {
    let mut connection = running.connect()?;
    let status = connection.exchange(&invocation(workload, &[]))?.status;
    anyhow::ensure!(status == 200, "status {status}");
    Ok(())
}
