//! Clones started as fast as some clients can: every event meets a new instance.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::rung::{Client, Rung, WISH};
use crate::bench::{Bench, Running, invocation};
use crate::record::Recorder;
use crate::summary::{Samples, Summary};
use crate::workload::{self, Workload};

const CLIENTS: [usize; 2] = [1, 24];

pub(super) fn run(bench: &Bench<'_>, recorder: &mut Recorder) -> anyhow::Result<()> {
    let mut found = workload::load(&bench.args.workloads_dir, &["json".to_owned()], false)?;
    let json = found.pop().context("there is no workload json")?;
    let running = bench.daemon(Rung::Clone.settings())?;
    running.deploy(&json)?;
    Client::new(Rung::Clone, running.connect()?, invocation(&json, &[WISH])).settle()?;
    let window = Duration::from_secs(bench.args.seconds_or(10, 1));
    for clients in CLIENTS {
        measure(&running, &json, clients, window, recorder)?;
    }
    running.stop()
}

fn measure(
    running: &Running,
    workload: &Workload,
    clients: usize,
    window: Duration,
    recorder: &mut Recorder,
) -> anyhow::Result<()> {
    let mut connections = Vec::new();
    for _ in 0..clients {
        let request = invocation(workload, &[WISH]);
        connections.push(Client::new(Rung::Clone, running.connect()?, request));
    }
    let begun = Instant::now();
    let samples = thread::scope(|scope| {
        let running: Vec<_> = connections
            .into_iter()
            .map(|client| scope.spawn(move || starts(client, begun + window)))
            .collect();
        let mut all = Samples::microseconds();
        for client in running {
            let samples = client
                .join()
                .map_err(|_| anyhow::anyhow!("a client panicked"))??;
            all.add(&samples);
        }
        anyhow::Ok(all)
    })?;
    let per_second = samples.n() as f64 / begun.elapsed().as_secs_f64();
    let scenario = format!("e2e/concurrent@{clients}");
    recorder.record(&scenario, "offshoot", "start_us", "us", samples.summary())?;
    let rate = Summary::single(samples.n(), per_second);
    recorder.record(&scenario, "offshoot", "per_second", "1/s", rate)
}

fn starts(mut client: Client, until: Instant) -> anyhow::Result<Samples> {
    let mut samples = Samples::microseconds();
    while Instant::now() < until {
        samples.record(client.sample()?);
    }
    Ok(samples)
}
