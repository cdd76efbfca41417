//! Takers that go on and on: does it get slower, and is anything left?

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use offshoot_sandbox::Hand;

use super::crew::at_once;
use super::drift::Baseline;
use super::ground::Ground;
use super::joiner::Joiner;
use super::{MANY, SYSTEM};
use crate::bench::Bench;
use crate::record::Recorder;
use crate::summary::{Samples, Summary};

const SCENARIO: &str = "sandbox/soak";
/// With `--soak`, in seconds; else; and in a quick run.
const LONG: u64 = 3600;
const USUAL: u64 = 300;
const QUICK: u64 = 3;

pub(super) fn run(bench: &Bench<'_>, recorder: &mut Recorder) -> anyhow::Result<()> {
    let usual = if bench.args.soak { LONG } else { USUAL };
    let length = Duration::from_secs(bench.args.seconds_or(usual, QUICK));
    Ground::with(bench, MANY, |ground| on(ground, length, recorder))
}

fn on(ground: &Ground, length: Duration, recorder: &mut Recorder) -> anyhow::Result<()> {
    let joiners = (0..MANY).map(|_| Joiner::start(&ground.joiner));
    let joiners = joiners.collect::<anyhow::Result<Vec<_>>>()?;
    // What is made once is there afterwards.
    let warm_up = (length / 20).max(Duration::from_secs(1));
    cycles(ground, &joiners, warm_up)?;
    let baseline = Baseline::take(ground)?;
    let counts = cycles(ground, &joiners, length)?;
    counts.record(length, recorder)?;
    let stats = ground.launcher.pool_stats();
    for (reason, count) in stats.recreations.iter().filter(|(_, count)| *count > 0) {
        eprintln!("bench: {SCENARIO}: made anew: {count}, {}", reason.name());
    }
    baseline.record(ground, counts.total(), recorder)
}

/// All takers at once, for so long.
fn cycles(ground: &Ground, joiners: &[Joiner], length: Duration) -> anyhow::Result<Counts> {
    let members = joiners.iter().collect();
    let begun = Instant::now();
    let each = at_once(members, |hand, joiner: &Joiner| {
        let mut counts = Counts::new(length);
        while begun.elapsed() < length {
            let started = Instant::now();
            cycle(ground, hand, joiner, &mut counts)?;
            counts.add(begun.elapsed(), started.elapsed(), length);
        }
        Ok(counts)
    })?;
    let all = each.into_iter().reduce(Counts::with);
    all.context("there are no takers")
}

/// A sandbox is taken, a process runs in it and exits, and the sandbox is a ghost again.
fn cycle(ground: &Ground, hand: &Hand, joiner: &Joiner, counts: &mut Counts) -> anyhow::Result<()> {
    let launcher = &ground.launcher;
    let ghost = match launcher.pop(&ground.spec.account, false) {
        Some(ghost) => ghost,
        None => {
            counts.misses += 1;
            ground.ghost()?
        }
    };
    let taken = launcher.take(hand, ghost, &ground.spec)?;
    let (occupied, _) = joiner.send(taken)?;
    match ground.repurpose(occupied.end())? {
        Ok(ghost) => launcher.put(ghost),
        Err(_) => counts.given_up += 1,
    }
    Ok(())
}

/// What takers have done.
#[derive(Debug)]
struct Counts {
    /// Cycles in each whole second, and in each tenth of the time.
    seconds: Vec<u64>,
    tenths: [u64; 10],
    /// How long each took.
    times: Samples,
    /// How often the pool was empty.
    misses: u64,
    /// Sandboxes that were destroyed instead of repurposed.
    given_up: u64,
}

impl Counts {
    fn new(length: Duration) -> Self {
        Self {
            seconds: vec![0; usize::try_from(length.as_secs()).unwrap_or_default()],
            tenths: [0; 10],
            times: Samples::microseconds(),
            misses: 0,
            given_up: 0,
        }
    }

    /// A cycle that ended `at`, from the beginning; one that ended too late does not count.
    fn add(&mut self, at: Duration, took: Duration, length: Duration) {
        let tenth = at.as_nanos() * 10 / length.as_nanos().max(1);
        let Some(count) = usize::try_from(tenth)
            .ok()
            .and_then(|at| self.tenths.get_mut(at))
        else {
            return;
        };
        *count += 1;
        self.times.record(took);
        let second = usize::try_from(at.as_secs()).unwrap_or(usize::MAX);
        if let Some(count) = self.seconds.get_mut(second) {
            *count += 1;
        }
    }

    fn with(mut self, other: Self) -> Self {
        let pairs = self.seconds.iter_mut().zip(&other.seconds);
        pairs.for_each(|(own, others)| *own += others);
        let pairs = self.tenths.iter_mut().zip(&other.tenths);
        pairs.for_each(|(own, others)| *own += others);
        self.times.add(&other.times);
        self.misses += other.misses;
        self.given_up += other.given_up;
        self
    }

    fn total(&self) -> u64 {
        self.tenths.iter().sum()
    }

    fn last_tenth_over_first(&self) -> Option<f64> {
        let [first, .., last] = self.tenths;
        let ratio = last as f64 / first as f64;
        (first > 0).then_some((ratio * 1000.0).round() / 1000.0)
    }

    fn record(&self, length: Duration, recorder: &mut Recorder) -> anyhow::Result<()> {
        let n = self.total();
        let ratio = self.last_tenth_over_first();
        let ratio = ratio.with_context(|| format!("no cycle in a tenth of {length:?}"))?;
        ensure!(n > 0, "no cycle");
        eprintln!("bench: {SCENARIO}: cycles in each tenth: {:?}", self.tenths);
        let mut per_second = Samples::numbers();
        for count in &self.seconds {
            per_second.record_number(*count);
        }
        let one = |value: u64| Summary::single(n, value as f64);
        let mut record =
            |metric, unit, summary| recorder.record(SCENARIO, SYSTEM, metric, unit, summary);
        record("last_tenth_over_first", "ratio", Summary::single(n, ratio))?;
        record("per_second", "1/s", per_second.summary())?;
        record("cycle_us", "us", self.times.summary())?;
        record("misses", "takes", one(self.misses))?;
        record("given_up", "sandboxes", one(self.given_up))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cycles_are_counted_where_they_ended_and_late_ones_are_not() {
        let (length, took) = (Duration::from_secs(10), Duration::from_millis(1));
        let counted = |millis: &[u64]| {
            let mut counts = Counts::new(length);
            for at in millis {
                counts.add(Duration::from_millis(*at), took, length);
            }
            counts
        };
        let all = counted(&[0, 500, 999, 5_000]).with(counted(&[9_000, 9_999, 10_000]));
        assert_eq!((all.total(), all.tenths[0], all.tenths[9]), (6, 3, 2));
        assert_eq!(all.last_tenth_over_first(), Some(0.667));
        assert_eq!((all.seconds[0], all.times.n()), (3, 6));
        assert_eq!(counted(&[9_000]).last_tenth_over_first(), None);
    }
}
