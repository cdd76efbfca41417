//! Warm invocations: one client on one connection, beside the same handler behind a bare Unix socket.
//!
//! Both clients are blocking: one write, then reads until the answer is whole. Blocks of calls to the one and
//! to the other alternate, so that what the machine does meanwhile meets both.

use std::time::{Duration, Instant};

use anyhow::Context;

use super::platform::Platform;
use crate::baseline::UnixServer;
use crate::bench::{Bench, Running, invocation};
use crate::record::Recorder;
use crate::summary::Samples;
use crate::workload::Workload;

/// Warm-up ends after so many calls, or after so long.
const WARM_UP_CALLS: u64 = 200;
const WARM_UP_LIMIT: Duration = Duration::from_secs(2);
/// How long one side is measured before the other has its turn.
const BLOCK: Duration = Duration::from_millis(50);
/// However slow a workload is, it is measured so often.
const LEAST_SAMPLES: u64 = 5;

pub(crate) fn run(bench: &Bench<'_>, recorder: &mut Recorder) -> anyhow::Result<()> {
    let running = bench.daemon(&[])?;
    for workload in bench.workloads()? {
        measure(bench, &running, &workload, recorder)
            .with_context(|| format!("hot/{}", workload.name()))?;
    }
    running.stop()
}

fn measure(
    bench: &Bench<'_>,
    running: &Running,
    workload: &Workload,
    recorder: &mut Recorder,
) -> anyhow::Result<()> {
    running.deploy(workload)?;
    let mut ours = Platform {
        connection: running.connect()?,
        request: invocation(workload, &[]),
    };
    let mut bare = UnixServer::start(workload)?;
    workload.check("unix-socket", bare.call()?)?;
    warm_up(&mut || ours.call())?;
    warm_up(&mut || bare.call().map(drop))?;

    let n = bench.args.n_or(2000, 50);
    let limit = Duration::from_secs(bench.args.seconds_or(20, 2));
    let begun = Instant::now();
    let (mut of_ours, mut of_bare) = (Samples::microseconds(), Samples::microseconds());
    while of_bare.n() < n && (begun.elapsed() < limit || of_bare.n() < LEAST_SAMPLES) {
        block(n, &mut of_ours, &mut || ours.call())?;
        // As many of the other, so that both meet the same stretch of time.
        block(of_ours.n(), &mut of_bare, &mut || bare.call().map(drop))?;
    }
    let scenario = format!("hot/{}", workload.name());
    recorder.record(&scenario, "offshoot", "latency_us", "us", of_ours.summary())?;
    recorder.record(
        &scenario,
        "unix-socket",
        "latency_us",
        "us",
        of_bare.summary(),
    )?;
    running.block_on(running.client().delete(workload.name()))?;
    Ok(())
}

type Call<'a> = dyn FnMut() -> anyhow::Result<()> + 'a;

fn warm_up(call: &mut Call<'_>) -> anyhow::Result<()> {
    let begun = Instant::now();
    for _ in 0..WARM_UP_CALLS {
        call()?;
        if begun.elapsed() > WARM_UP_LIMIT {
            break;
        }
    }
    Ok(())
}

/// Calls until there are `n` samples or the time of a block is over, at least once.
fn block(n: u64, samples: &mut Samples, call: &mut Call<'_>) -> anyhow::Result<()> {
    let begun = Instant::now();
    while samples.n() < n {
        let sent = Instant::now();
        call()?;
        samples.record(sent.elapsed());
        if begun.elapsed() > BLOCK {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn block_ends_with_the_samples_or_with_its_time() {
        let mut samples = Samples::microseconds();
        block(7, &mut samples, &mut || Ok(())).unwrap();
        assert_eq!(samples.n(), 7);
        let mut slow = || {
            std::thread::sleep(BLOCK * 2);
            Ok(())
        };
        block(100, &mut samples, &mut slow).unwrap();
        assert_eq!(samples.n(), 8);
    }

    #[test]
    fn failing_call_ends_the_block() {
        let mut samples = Samples::microseconds();
        assert!(block(7, &mut samples, &mut || anyhow::bail!("no")).is_err());
        assert_eq!(samples.n(), 0);
    }
}
