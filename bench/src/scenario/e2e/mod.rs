//! First events end to end: from each rung of the ladder, through HTTP, beside an instance that is hot.
//!
//! One daemon for each rung, whose settings leave it no other one, and all of them at once: their samples alternate, so
//! that what the machine does meanwhile meets all. Each answer says from which rung it came, and one from another is an
//! error. Then what an instance has of its own in memory, and clones started as fast as several clients can.

mod concurrent;
mod memory;
mod rung;

use std::time::{Duration, Instant};

use anyhow::Context;

use crate::bench::{Bench, Running, invocation};
use crate::record::Recorder;
use crate::summary::Samples;
use crate::workload::Workload;
use rung::Rung;

/// What ends after an answer has ended by then, and what is made ahead is there.
const PAUSE: Duration = Duration::from_millis(60);

pub(crate) fn run(bench: &Bench<'_>, recorder: &mut Recorder) -> anyhow::Result<()> {
    let rungs = Rung::ALL.map(|rung| Ok((rung, bench.daemon(rung.settings())?)));
    let rungs: Vec<(Rung, Running)> = rungs.into_iter().collect::<anyhow::Result<_>>()?;
    for workload in bench.workloads()? {
        measure(bench, &rungs, &workload, recorder)
            .with_context(|| format!("e2e/{}", workload.name()))?;
    }
    for (_, running) in rungs {
        running.stop()?;
    }
    memory::run(bench, recorder)?;
    concurrent::run(bench, recorder)
}

fn measure(
    bench: &Bench<'_>,
    rungs: &[(Rung, Running)],
    workload: &Workload,
    recorder: &mut Recorder,
) -> anyhow::Result<()> {
    let mut clients = Vec::new();
    for (rung, running) in rungs {
        running.deploy(workload)?;
        let request = invocation(workload, &[rung::WISH]);
        let mut client = rung::Client::new(*rung, running.connect()?, request);
        client.settle()?;
        clients.push((client, Samples::microseconds()));
    }
    let n = bench.args.n_or(200, 3);
    let limit = Duration::from_secs(bench.args.seconds_or(120, 60));
    let begun = Instant::now();
    for _ in 0..n {
        for (client, samples) in &mut clients {
            std::thread::sleep(PAUSE);
            samples.record(client.sample()?);
        }
        if begun.elapsed() > limit {
            break;
        }
    }
    let scenario = format!("e2e/{}", workload.name());
    for ((client, samples), (_, running)) in clients.iter().zip(rungs) {
        let system = client.rung().name();
        recorder.record(&scenario, system, "latency_us", "us", samples.summary())?;
        running.block_on(running.client().delete(workload.name()))?;
    }
    Ok(())
}
