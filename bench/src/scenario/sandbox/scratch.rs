//! A sandbox that is made from nothing while its function waits, beside `runc create` of a container like it.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use offshoot_sandbox::{Hand, Taken};

use super::clock::{Busy, timed};
use super::crew::at_once;
use super::ground::{Ground, MEMORY_BYTES, wait_until};
use super::{SYSTEM, named};
use crate::baseline::{Container, Containers};
use crate::bench::Bench;
use crate::record::Recorder;
use crate::summary::{Samples, Summary};

const RUNC: &str = "runc";
/// Sandboxes of each thread in a round, after which they are removed; of `runc`, which takes longer, less.
const SHARE: usize = 10;
const SHARE_OF_RUNC: usize = 2;
/// The launcher's removals and the kernel's end within this after the last process.
const CALM: Duration = Duration::from_millis(200);

/// Who makes sandboxes.
trait Maker: Sync {
    type Made: Send;

    /// Makes one; `number` is its own among those that are there at the same time.
    fn make(&self, hand: &Hand, number: usize) -> anyhow::Result<Self::Made>;

    fn remove(&self, all: Vec<Self::Made>) -> anyhow::Result<()>;
}

/// Measures with so many threads at once. `take_us` is the median of a take from the pool, if that was measured.
pub(super) fn run(
    bench: &Bench<'_>,
    threads: usize,
    take_us: Option<f64>,
    recorder: &mut Recorder,
) -> anyhow::Result<()> {
    let scenario = named("scratch", threads);
    let usual = if threads == 1 { 200 } else { 960 };
    let n = bench.args.n_or(usual, threads as u64);
    let found = Ground::with(bench, 0, |ground| rounds(ground, n, threads, SHARE))?;
    record(&scenario, SYSTEM, &found, recorder)?;
    if let Some(take_us) = take_us {
        let times = found.0.summary();
        let ratio = (times.p50 / take_us * 100.0).round() / 100.0;
        let ratio = Summary::single(times.n, ratio);
        recorder.record(&scenario, SYSTEM, "over_take", "ratio", ratio)?;
    }
    let wanted = &bench.args.systems;
    if wanted.is_empty() || wanted.iter().any(|system| system == RUNC) {
        of_runc(&scenario, threads, n.min(200), recorder)?;
    }
    Ok(())
}

fn of_runc(scenario: &str, threads: usize, n: u64, recorder: &mut Recorder) -> anyhow::Result<()> {
    let code = tempfile::tempdir()?;
    let count = threads * SHARE_OF_RUNC;
    match Containers::prepare(count, code.path(), MEMORY_BYTES) {
        Ok(containers) => {
            let found = rounds(&containers, n, threads, SHARE_OF_RUNC)?;
            record(scenario, RUNC, &found, recorder)
        }
        Err(error) => {
            let reason = format!("{error:#}");
            recorder.record_absence(scenario, RUNC, "latency_us", "us", &reason)
        }
    }
}

/// Rounds until there are `n` samples; in each, every thread makes `share` of them, or less if that is enough.
fn rounds<M: Maker>(
    maker: &M,
    n: u64,
    threads: usize,
    share: usize,
) -> anyhow::Result<(Samples, Busy)> {
    let (mut times, mut busy) = (Samples::microseconds(), Busy::default());
    while times.n() < n {
        let left = usize::try_from(n - times.n())?.div_ceil(threads);
        let share = share.min(left);
        let numbers: Vec<_> = (0..threads)
            .map(|at| at * share..(at + 1) * share)
            .collect();
        let made = busy.during(|| {
            at_once(numbers, |hand, numbers| {
                let one = |number| timed(|| maker.make(hand, number));
                Ok(numbers.map(one).collect::<Vec<_>>())
            })
        })?;
        let mut all = Vec::new();
        for (one, cost) in made.into_iter().flatten() {
            times.record(cost.took);
            all.push(one);
        }
        let failed = all
            .iter()
            .position(Result::is_err)
            .map(|at| all.swap_remove(at));
        maker.remove(all.into_iter().flatten().collect())?;
        if let Some(Err(error)) = failed {
            return Err(error);
        }
    }
    Ok((times, busy))
}

fn record(
    scenario: &str,
    system: &str,
    (times, busy): &(Samples, Busy),
    recorder: &mut Recorder,
) -> anyhow::Result<()> {
    recorder.record(scenario, system, "latency_us", "us", times.summary())?;
    let cpu = Summary::single(times.n(), busy.us_of_each(times.n()));
    recorder.record(scenario, system, "cpu_us", "us", cpu)
}

impl Maker for Ground {
    /// With the PID of its init.
    type Made = (i32, Taken);

    fn make(&self, hand: &Hand, _: usize) -> anyhow::Result<Self::Made> {
        let ghost = self.ghost()?;
        let pid = ghost.pid();
        Ok((pid, self.launcher.take(hand, ghost, &self.spec)?))
    }

    fn remove(&self, all: Vec<Self::Made>) -> anyhow::Result<()> {
        let pids: Vec<_> = all.iter().map(|(pid, _)| format!("/proc/{pid}")).collect();
        drop(all);
        wait_until("sandboxes are still there", || {
            !pids.iter().any(|pid| Path::new(pid).exists())
        })?;
        std::thread::sleep(CALM);
        Ok(())
    }
}

impl Maker for Containers {
    type Made = (usize, Container);

    fn make(&self, _: &Hand, number: usize) -> anyhow::Result<Self::Made> {
        Ok((number, self.create(number)?))
    }

    fn remove(&self, all: Vec<Self::Made>) -> anyhow::Result<()> {
        for (number, container) in &all {
            let deleted = self.delete(*number, container);
            deleted.context("a container was left behind")?;
        }
        Ok(())
    }
}
