//! From the wish for a clone to its answer, beside a bare fork of a program that does nothing.
//!
//! Each seed is started, trained and frozen into an image; then the systems take turns in short blocks, so that what the
//! machine does meanwhile meets all of them. Every sample joins the same sandbox, which is made once.
//!
//! The scenario's thread has mounts of its own, which nobody else sees; the sandbox's process ends when nobody holds its
//! standard input. So even a benchmark that is killed leaves no more than empty control groups, and the next one removes
//! those.

mod cold;
mod criu;
mod end;
mod ground;
mod groups;
mod line;
mod memory;
mod restore;
mod running;
mod sandbox;
mod seed;
mod stage;
mod sustained;
mod system;
mod templates;
mod workshop;
mod yardstick;

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use crate::bench::Bench;
use crate::record::Recorder;
use crate::summary::Samples;
use ground::Ground;
use seed::Seed;
use stage::Stage;
use system::System;

const SUSTAINED: &str = "sustained";
/// Samples of one system before the next one has its turn, and how long they may take.
const BLOCK_SAMPLES: u64 = 10;
const BLOCK: Duration = Duration::from_millis(50);
/// However slow a system is, it is measured so often.
const LEAST_SAMPLES: u64 = 3;
/// How long nothing happens before each sample of an `-idle` figure.
const IDLE: Duration = Duration::from_millis(200);

pub(crate) fn run(bench: &Bench<'_>, recorder: &mut Recorder) -> anyhow::Result<()> {
    let (seeds, sustained) = choose(&bench.args.workloads, bench.args.quick)?;
    let ground = Ground::prepare(bench)?;
    let mut failed = Vec::new();
    let mut keep = |name: &str, result: anyhow::Result<()>| {
        if let Err(error) = result {
            eprintln!("bench: clone/{name} failed: {error:#}");
            failed.push(format!("{name}: {error:#}"));
        }
    };
    for seed in seeds {
        keep(seed.name(), of_seed(bench, &ground, seed, recorder));
    }
    if sustained {
        keep(SUSTAINED, sustained::run(bench, &ground, recorder));
    }
    ground.clear()?;
    ensure!(failed.is_empty(), "{}", failed.join("; "));
    Ok(())
}

/// The seeds that are asked for, and whether the sustained load is.
fn choose(wanted: &[String], quick: bool) -> anyhow::Result<(Vec<Seed>, bool)> {
    if wanted.is_empty() {
        let seeds = if quick { &Seed::QUICK[..] } else { &Seed::ALL };
        return Ok((seeds.to_vec(), true));
    }
    let mut seeds = Vec::new();
    for name in wanted.iter().filter(|name| *name != SUSTAINED) {
        let found = Seed::ALL.into_iter().find(|seed| seed.name() == name);
        let known = || Seed::ALL.map(Seed::name).join(", ");
        seeds.push(found.with_context(|| {
            format!("there is no seed {name}; there are: {}, {SUSTAINED}", known())
        })?);
    }
    Ok((seeds, wanted.iter().any(|name| name == SUSTAINED)))
}

fn of_seed(
    bench: &Bench<'_>,
    ground: &Ground,
    seed: Seed,
    recorder: &mut Recorder,
) -> anyhow::Result<()> {
    let (stage, freezes) = Stage::prepare(ground, seed, bench.args.n_or(10, 2))?;
    let scenario = format!("clone/{}", seed.name());
    recorder.record(&scenario, "checkpoint", "freeze_us", "us", freezes.summary())?;
    let mut systems = systems(&stage)?;
    // Whatever is only there after the first time is there, and each system gives right answers.
    for system in &mut systems {
        let first = system.sample(Duration::ZERO, &mut |_| Ok(()));
        first.with_context(|| system.name().to_owned())?;
    }
    in_blocks(bench, &mut systems, &scenario, recorder)?;
    memory_of(bench, &mut systems, &scenario, recorder)?;
    after_idleness(bench, &mut systems, &scenario, recorder)
}

fn systems<'a>(stage: &'a Stage<'_>) -> anyhow::Result<Vec<Box<dyn System + 'a>>> {
    let mut systems: Vec<Box<dyn System + 'a>> = vec![
        Box::new(yardstick::Yardstick::start(stage)?),
        Box::new(templates::FromTemplate::local(stage)?),
        Box::new(templates::FromTemplate::mapped(stage)?),
        Box::new(templates::FromTemplate::parked(stage)?),
        Box::new(restore::Restore::new(stage)?),
        Box::new(cold::Cold::new(stage)),
    ];
    match criu::Criu::prepare(stage) {
        Ok(criu) => systems.push(Box::new(criu)),
        Err(reason) => eprintln!("bench: clone/{}: no figures of criu: {reason:#}", stage.seed.name()),
    }
    Ok(systems)
}

/// Samples of a system, and when it is done.
struct Tally {
    samples: Samples,
    wanted: u64,
}

impl Tally {
    fn is_done(&self, time_is_over: bool) -> bool {
        let n = self.samples.n();
        n >= self.wanted || (time_is_over && n >= LEAST_SAMPLES.min(self.wanted))
    }
}

/// All systems in turn, until each has its samples or the time is over.
fn in_blocks(
    bench: &Bench<'_>,
    systems: &mut [Box<dyn System + '_>],
    scenario: &str,
    recorder: &mut Recorder,
) -> anyhow::Result<()> {
    let n = bench.args.n_or(200, 10);
    let limit = Duration::from_secs(bench.args.seconds_or(30, 2));
    let tally = |system: &Box<dyn System + '_>| Tally {
        samples: Samples::microseconds(),
        wanted: n.div_ceil(system.rarity()),
    };
    let mut tallies: Vec<Tally> = systems.iter().map(tally).collect();
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
                tally.samples.record(took.with_context(|| system.name().to_owned())?);
            }
        }
    }
    record(recorder, scenario, "", systems, &tallies)
}

/// All systems in turn, each sample after a while in which nothing happens.
fn after_idleness(
    bench: &Bench<'_>,
    systems: &mut [Box<dyn System + '_>],
    scenario: &str,
    recorder: &mut Recorder,
) -> anyhow::Result<()> {
    let n = bench.args.n_or(40, 2);
    let mut tallies = Vec::new();
    for _ in systems.iter() {
        let samples = Samples::microseconds();
        tallies.push(Tally { samples, wanted: n });
    }
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
fn memory_of(
    bench: &Bench<'_>,
    systems: &mut [Box<dyn System + '_>],
    scenario: &str,
    recorder: &mut Recorder,
) -> anyhow::Result<()> {
    let n = bench.args.n_or(10, 2).min(10);
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

/// Sleeps, unless there is nothing to sleep for.
fn rest(pause: Duration) {
    if !pause.is_zero() {
        std::thread::sleep(pause);
    }
}

/// What an answer must be; anything else ends the scenario.
fn require_same(found: &[u8], expected: &[u8]) -> anyhow::Result<()> {
    if found == expected {
        return Ok(());
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
    bail!("the answer is {} instead of {}", text(found), text(expected))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn chosen(wanted: &[&str]) -> anyhow::Result<(Vec<Seed>, bool)> {
        let wanted: Vec<_> = wanted.iter().map(|name| (*name).to_owned()).collect();
        choose(&wanted, false)
    }

    #[test]
    fn seeds_are_those_asked_for_or_all() {
        assert_eq!(chosen(&[]).unwrap(), (Seed::ALL.to_vec(), true));
        assert_eq!(chosen(&["node"]).unwrap(), (vec![Seed::Node], false));
        assert_eq!(chosen(&[SUSTAINED]).unwrap(), (vec![], true));
        let error = chosen(&["nod"]).unwrap_err().to_string();
        assert!(error.starts_with("there is no seed nod; there are: python-json, "));
    }

    #[test]
    fn slow_system_is_done_when_the_time_is_over_and_not_before_its_least_samples() {
        let mut tally = Tally {
            samples: Samples::microseconds(),
            wanted: 10,
        };
        for _ in 0..LEAST_SAMPLES {
            assert!(!tally.is_done(true));
            tally.samples.record(Duration::from_millis(1));
        }
        assert!(tally.is_done(true) && !tally.is_done(false));
    }
}
