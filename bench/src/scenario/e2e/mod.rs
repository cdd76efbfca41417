//! First events end to end: from each rung of the ladder, through HTTP, beside an instance that is hot.
//!
//! One daemon for each rung, whose settings leave it no other one, and all of them at once: their samples alternate, so
//! that what the machine does meanwhile meets all. Each answer says from which rung it came, and one from another is an
//! error. Then what an instance has of its own in memory, and clones started as fast as several clients can.

mod concurrent;
mod images;
mod memory;
pub(super) mod rung;

use std::time::{Duration, Instant};

use anyhow::Context;

use super::clone::memory::private_kb;
use super::processes::{self, Kind};
use crate::bench::{Bench, Running, invocation};
use crate::interrupt;
use crate::record::Recorder;
use crate::summary::{Samples, Summary};
use crate::workload::Workload;
use images::Images;
use rung::{Client, NO_LEVEL1, RUNTIME_SEEDS, Rung};

/// What ends after an answer has ended by then, and what is made ahead is there.
const PAUSE: Duration = Duration::from_millis(60);
/// A workload names an event of its own for its seeds' training: another one than is measured.
const TRAINING: &str = "OFFSHOOT_TRAINING_EVENT";

pub(crate) fn run(bench: &Bench<'_>, recorder: &mut Recorder) -> anyhow::Result<()> {
    let runtime_seeds = bench.knows(RUNTIME_SEEDS);
    let mut rungs = Vec::new();
    for rung in Rung::ALL {
        if runtime_seeds || rung != Rung::Level1 {
            rungs.push((rung, bench.daemon(&rung.settings(runtime_seeds))?));
        }
    }
    let mut images = Images::default();
    for mut workload in bench.workloads()? {
        let untrained = bench.args.untrained;
        if untrained {
            let variables = &mut workload.function.environment;
            variables.retain(|(name, _)| name != TRAINING);
        }
        let suite = if untrained { "e2e-untrained" } else { "e2e" };
        let scenario = format!("{suite}/{}", workload.name());
        if !runtime_seeds {
            recorder.record_absence(&scenario, "level1", "latency_us", "us", NO_LEVEL1)?;
        }
        let measured = measure(bench, &rungs, &workload, &scenario, &mut images, recorder);
        measured.with_context(|| scenario.clone())?;
    }
    for (_, running) in rungs {
        running.stop()?;
    }
    if bench.args.untrained {
        return Ok(());
    }
    images.record(recorder)?;
    memory::run(bench, runtime_seeds, recorder)?;
    concurrent::run(bench, recorder)
}

fn measure(
    bench: &Bench<'_>,
    rungs: &[(Rung, Running)],
    workload: &Workload,
    scenario: &str,
    images: &mut Images,
    recorder: &mut Recorder,
) -> anyhow::Result<()> {
    let mut clients: Vec<Sampled<'_>> = Vec::new();
    for (rung, running) in rungs {
        running.deploy(workload)?;
        let request = invocation(workload, &[rung::WISH]);
        let mut client = Client::new(*rung, running.connect()?, request);
        match client.settle() {
            Ok(()) => clients.push((client, Samples::microseconds(), running)),
            Err(error) if *rung == Rung::Level1 => {
                let why = format!("{error:#}");
                recorder.record_absence(scenario, rung.name(), "latency_us", "us", &why)?;
            }
            Err(error) => return Err(error),
        }
    }
    let n = bench.args.n_or(200, 3);
    let limit = Duration::from_secs(bench.args.seconds_or(120, 60));
    let begun = Instant::now();
    for _ in 0..n {
        interrupt::check()?;
        for (client, samples, _) in &mut clients {
            std::thread::sleep(PAUSE);
            samples.record(client.sample()?);
        }
        if begun.elapsed() > limit {
            break;
        }
    }
    std::thread::sleep(PAUSE);
    for (client, samples, running) in &clients {
        let rung = client.rung();
        recorder.record(scenario, rung.name(), "latency_us", "us", samples.summary())?;
        record_over_hot(scenario, rung, &clients, recorder)?;
        record_memory(scenario, rung, running, recorder)?;
        if rung == Rung::Clone {
            images.look(running)?;
        }
    }
    for (_, running) in rungs {
        running.block_on(running.client().delete(workload.name()))?;
    }
    Ok(())
}

/// A client, what it has found, and its daemon.
type Sampled<'a> = (Client, Samples, &'a Running);

/// How much longer a first event takes than one that meets a hot instance, by the medians.
fn record_over_hot(
    scenario: &str,
    rung: Rung,
    clients: &[Sampled<'_>],
    recorder: &mut Recorder,
) -> anyhow::Result<()> {
    let of = |wanted: Rung| {
        let mut all = clients.iter();
        let found = all.find(|(client, ..)| client.rung() == wanted);
        found.map(|(_, samples, _)| samples.summary())
    };
    let (Some(hot), Some(own), false) = (of(Rung::Hot), of(rung), rung == Rung::Hot) else {
        return Ok(());
    };
    let over = Summary::single(own.n, (own.p50 - hot.p50).round());
    recorder.record(scenario, rung.name(), "over_hot_us", "us", over)
}

/// What instances that are still there have of their own: the hot one, and parked ones before their event. Those of other
/// rungs have ended; `memory` has them kept.
fn record_memory(
    scenario: &str,
    rung: Rung,
    running: &Running,
    recorder: &mut Recorder,
) -> anyhow::Result<()> {
    let kind = match rung {
        Rung::Hot => Kind::Started,
        Rung::Parked => Kind::Clone,
        Rung::Clone | Rung::Level1 | Rung::Cold => return Ok(()),
    };
    let mut samples = Samples::numbers();
    for pid in processes::instances(running.pid()?, kind)? {
        samples.record_number(private_kb(pid)?);
    }
    recorder.record(
        scenario,
        rung.name(),
        "private_kb",
        "KiB",
        samples.summary(),
    )
}
