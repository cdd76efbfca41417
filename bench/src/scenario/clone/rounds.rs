//! Turns: the systems of a seed, one after the other, again and again.

use std::time::{Duration, Instant};

use anyhow::Context;

use super::memory;
use super::system::System;
use crate::bench::Bench;
use crate::record::Recorder;
use crate::summary::Samples;

/// Samples of one system before the next one has its turn, and how long they may take.
pub(super) const BLOCK_SAMPLES: u64 = 10;
const BLOCK: Duration = Duration::from_millis(50);
/// However slow a system is, it is measured so often.
const LEAST_SAMPLES: u64 = 3;
/// How long nothing happens before each sample of an `-idle` figure.
const IDLE: Duration = Duration::from_millis(200);
/// At most so many, as they take long.
const IDLE_SAMPLES: u64 = 40;
/// Processes whose memory is looked at, at most.
const MEMORY_SAMPLES: u64 = 10;

/// Samples of a system, and when it is done.
struct Tally {
    samples: Samples,
    wanted: u64,
}

impl Tally {
    fn of(wanted: u64) -> Self {
        Self {
            samples: Samples::microseconds(),
            wanted,
        }
    }

    fn is_done(&self, time_is_over: bool) -> bool {
        let n = self.samples.n();
        n >= self.wanted || (time_is_over && n >= LEAST_SAMPLES.min(self.wanted))
    }
}

/// The systems in turn, until each has its samples or the time is over.
pub(super) fn in_blocks(
    bench: &Bench<'_>,
    systems: &mut [Box<dyn System + '_>],
    scenario: &str,
    recorder: &mut Recorder,
) -> anyhow::Result<()> {
    let n = bench.args.n_or(200, 10);
    let limit = Duration::from_secs(bench.args.seconds_or(30, 2));
    let rarities = systems.iter().map(|system| system.rarity());
    let mut tallies: Vec<Tally> = rarities.map(|of| Tally::of(n.div_ceil(of))).collect();
    let begun = Instant::now();
    loop {
        let time_is_over = begun.elapsed() > limit;
        if tallies.iter().all(|tally| tally.is_done(time_is_over)) {
            break;
        }
        for (system, tally) in systems.iter_mut().zip(&mut tallies) {
            let block = Instant::now();
            for _ in 0..BLOCK_SAMPLES.div_ceil(system.rarity()) {
                if tally.is_done(time_is_over) || block.elapsed() > BLOCK {
                    break;
                }
                let took = system.sample(Duration::ZERO, &mut |_| Ok(()));
                tally
                    .samples
                    .record(took.with_context(|| system.name().to_owned())?);
            }
        }
    }
    record(recorder, scenario, "", systems, &tallies)
}

/// The systems in turn, each sample after a while in which nothing happens.
pub(super) fn after_idleness(
    bench: &Bench<'_>,
    systems: &mut [Box<dyn System + '_>],
    scenario: &str,
    recorder: &mut Recorder,
) -> anyhow::Result<()> {
    let n = bench.args.n_or(IDLE_SAMPLES, 2).min(IDLE_SAMPLES);
    let mut tallies: Vec<Tally> = systems.iter().map(|_| Tally::of(n)).collect();
    for _ in 0..n {
        for (system, tally) in systems.iter_mut().zip(&mut tallies) {
            let took = system.sample(IDLE, &mut |_| Ok(()));
            let what = || format!("{}-idle", system.name());
            tally.samples.record(took.with_context(what)?);
        }
    }
    record(recorder, scenario, "-idle", systems, &tallies)
}

fn record(
    recorder: &mut Recorder,
    scenario: &str,
    suffix: &str,
    systems: &[Box<dyn System + '_>],
    tallies: &[Tally],
) -> anyhow::Result<()> {
    for (system, tally) in systems.iter().zip(tallies) {
        let name = format!("{}{suffix}", system.name());
        let summary = tally.samples.summary();
        recorder.record(scenario, &name, system.metric(), "us", summary)?;
    }
    Ok(())
}

/// What each process has for itself after one answer.
pub(super) fn of_memory(
    bench: &Bench<'_>,
    systems: &mut [Box<dyn System + '_>],
    scenario: &str,
    recorder: &mut Recorder,
) -> anyhow::Result<()> {
    let n = bench.args.n_or(MEMORY_SAMPLES, 2).min(MEMORY_SAMPLES);
    for system in systems {
        let mut samples = Samples::numbers();
        for _ in 0..n {
            system.sample(Duration::ZERO, &mut |pid| {
                samples.record_number(memory::private_kb(pid)?);
                Ok(())
            })?;
        }
        if samples.n() > 0 {
            let summary = samples.summary();
            recorder.record(scenario, system.name(), "private_kb", "KiB", summary)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_system_is_done_when_the_time_is_over_and_not_before_its_least_samples() {
        let mut tally = Tally::of(10);
        for _ in 0..LEAST_SAMPLES {
            assert!(!tally.is_done(true));
            tally.samples.record(Duration::from_millis(1));
        }
        assert!(tally.is_done(true) && !tally.is_done(false));
    }
}
