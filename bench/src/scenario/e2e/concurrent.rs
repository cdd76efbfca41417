//! Clones started as fast as some clients can: every event meets a new instance.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::rung::{Client, Rung, WISH};
use crate::bench::{Bench, invocation};
use crate::record::Recorder;
use crate::scenario::processor::Metered;
use crate::summary::{Samples, Summary};
use crate::workload::{self, Workload};

const CLIENTS: [usize; 2] = [1, 24];
/// Processor time is looked at so often, and divided by the starts of that time.
const SLICE: Duration = Duration::from_millis(250);

pub(super) fn run(bench: &Bench<'_>, recorder: &mut Recorder) -> anyhow::Result<()> {
    let mut found = workload::load(&bench.args.workloads_dir, &["json".to_owned()], false)?;
    let json = found.pop().context("there is no workload json")?;
    let running = bench.daemon(&Rung::Clone.settings(false))?;
    running.deploy(&json)?;
    Client::new(Rung::Clone, running.connect()?, invocation(&json, &[WISH])).settle()?;
    let metered = Metered::new(running)?;
    let window = Duration::from_secs(bench.args.seconds_or(10, 1));
    let mut p99s = Vec::new();
    for clients in CLIENTS {
        p99s.push(measure(&metered, &json, clients, window, recorder)?);
    }
    metered.stop()?;
    if let [one, many] = p99s[..]
        && one > 0.0
    {
        let scenario = format!("e2e/concurrent@{}", CLIENTS[1]);
        let over = Summary::single(1, many / one);
        recorder.record(&scenario, "offshoot", "cpu_p99_over_one", "", over)?;
    }
    Ok(())
}

/// Records the figures of so many clients; gives the 99th percentile of processor time for a start.
fn measure(
    metered: &Metered,
    workload: &Workload,
    clients: usize,
    window: Duration,
    recorder: &mut Recorder,
) -> anyhow::Result<f64> {
    let mut connections = Vec::new();
    for _ in 0..clients {
        let request = invocation(workload, &[WISH]);
        let connection = metered.running.connect()?;
        connections.push(Client::new(Rung::Clone, connection, request));
    }
    let (begun, done) = (Instant::now(), AtomicU64::new(0));
    let until = begun + window;
    let (samples, cpu) = thread::scope(|scope| {
        let running: Vec<_> = connections
            .into_iter()
            .map(|client| scope.spawn(|| starts(client, until, &done)))
            .collect();
        let cpu = slices(metered, until, &done);
        let mut all = Samples::microseconds();
        for client in running {
            let samples = client
                .join()
                .map_err(|_| anyhow::anyhow!("a client panicked"))??;
            all.add(&samples);
        }
        anyhow::Ok((all, cpu?))
    })?;
    let per_second = samples.n() as f64 / begun.elapsed().as_secs_f64();
    let scenario = format!("e2e/concurrent@{clients}");
    recorder.record(&scenario, "offshoot", "start_us", "us", samples.summary())?;
    let cpu = cpu.summary();
    recorder.record(&scenario, "offshoot", "cpu_us", "us", cpu)?;
    let rate = Summary::single(samples.n(), per_second);
    recorder.record(&scenario, "offshoot", "per_second", "1/s", rate)?;
    Ok(cpu.p99)
}

fn starts(mut client: Client, until: Instant, done: &AtomicU64) -> anyhow::Result<Samples> {
    let mut samples = Samples::microseconds();
    while Instant::now() < until {
        samples.record(client.sample()?);
        done.fetch_add(1, Ordering::Relaxed);
    }
    Ok(samples)
}

/// Processor time for a start, slice by slice.
fn slices(metered: &Metered, until: Instant, done: &AtomicU64) -> anyhow::Result<Samples> {
    let mut samples = Samples::microseconds();
    let look = || anyhow::Ok((metered.used()?, done.load(Ordering::Relaxed)));
    let mut before = look()?;
    while Instant::now() + SLICE <= until {
        thread::sleep(SLICE);
        let now = look()?;
        if let Ok(starts) = u32::try_from(now.1 - before.1)
            && starts > 0
        {
            samples.record(now.0.saturating_sub(before.0) / starts);
        }
        before = now;
    }
    Ok(samples)
}
