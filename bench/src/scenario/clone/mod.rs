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
mod hot;
mod line;
pub(super) mod memory;
mod restore;
mod rounds;
mod running;
mod sandbox;
mod seed;
mod stage;
mod sustained;
mod system;
mod templates;
mod workshop;
mod yardstick;

use std::time::Duration;

use anyhow::{Context, bail, ensure};

use super::require_known;
use crate::bench::Bench;
use crate::record::Recorder;
use cold::Cold;
use criu::Criu;
use ground::Ground;
use hot::Hot;
use restore::Restore;
use seed::Seed;
use stage::Stage;
use system::System;
use templates::FromTemplate;
use yardstick::Yardstick;

/// Name of the scenario that is about no seed.
const SUSTAINED: &str = "sustained";
/// The system that all others are compared with.
const YARDSTICK: &str = "fork-yardstick";
const CRIU: &str = "criu";
/// Checkpoints of a seed, unless it is to be quick.
const FREEZES: u64 = 10;

pub(crate) fn run(bench: &Bench<'_>, recorder: &mut Recorder) -> anyhow::Result<()> {
    let (seeds, sustained) = choose(&bench.args.workloads, bench.args.quick)?;
    let systems = SYSTEMS.iter().map(|(name, _)| *name);
    require_known(
        &bench.args.systems,
        &systems.chain([CRIU]).collect::<Vec<_>>(),
    )?;
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
            format!(
                "there is no seed {name}; there are: {}, {SUSTAINED}",
                known()
            )
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
    let (stage, freezes) = Stage::prepare(ground, seed, bench.args.n_or(FREEZES, 2).min(FREEZES))?;
    let scenario = format!("clone/{}", seed.name());
    recorder.record(
        &scenario,
        "checkpoint",
        "freeze_us",
        "us",
        freezes.summary(),
    )?;
    let mut found = Systems::begin(&stage, &bench.args.systems);
    rounds::in_blocks(bench, &mut found.working, &scenario, recorder)?;
    rounds::of_memory(bench, &mut found.working, &scenario, recorder)?;
    rounds::after_idleness(bench, &mut found.working, &scenario, recorder)?;
    if let Some(reason) = &found.no_criu {
        recorder.record_absence(&scenario, CRIU, "to_response_us", "us", reason)?;
    }
    ensure!(found.broken.is_empty(), "{}", found.broken.join("; "));
    Ok(())
}

/// How a system is begun.
type Begin = for<'a> fn(&'a Stage<'a>) -> anyhow::Result<Box<dyn System + 'a>>;

/// The systems by their names, in the order in which they take turns; behind them CRIU.
const SYSTEMS: [(&str, Begin); 7] = [
    (YARDSTICK, |stage| Yardstick::start(stage).map(boxed)),
    ("template-local", |stage| {
        FromTemplate::local(stage).map(boxed)
    }),
    ("template-mapped", |stage| {
        FromTemplate::mapped(stage).map(boxed)
    }),
    ("parked", |stage| FromTemplate::parked(stage).map(boxed)),
    ("hot", |stage| Hot::start(stage).map(boxed)),
    ("restore", |stage| Restore::new(stage).map(boxed)),
    ("cold", |stage| Ok(boxed(Cold::new(stage)))),
];

/// The systems of a seed.
#[derive(Default)]
struct Systems<'a> {
    /// Those that give a right answer. Whatever is only there after the first time is there.
    working: Vec<Box<dyn System + 'a>>,
    /// Why others do not.
    broken: Vec<String>,
    /// Why there is no CRIU.
    no_criu: Option<String>,
}

impl<'a> Systems<'a> {
    /// Those of `wanted`, all if that is empty, beside the yardstick.
    fn begin(stage: &'a Stage<'a>, wanted: &[String]) -> Self {
        let is_wanted = |name: &str| {
            wanted.is_empty() || name == YARDSTICK || wanted.iter().any(|one| one == name)
        };
        let mut systems = Self::default();
        for (name, begin) in SYSTEMS.into_iter().filter(|(name, _)| is_wanted(name)) {
            systems.try_out(name, begin(stage));
        }
        if is_wanted(CRIU) {
            match Criu::prepare(stage) {
                Ok(criu) => systems.try_out(CRIU, Ok(boxed(criu))),
                Err(reason) => systems.no_criu = Some(format!("{reason:#}")),
            }
        }
        systems
    }

    fn try_out(&mut self, name: &str, system: anyhow::Result<Box<dyn System + 'a>>) {
        let tried = system.and_then(|mut system| {
            let named = system.name();
            ensure!(named == name, "it calls itself {named}");
            system.sample(Duration::ZERO, &mut |_| Ok(()))?;
            Ok(system)
        });
        match tried {
            Ok(system) => self.working.push(system),
            Err(error) => self.broken.push(format!("{name}: {error:#}")),
        }
    }
}

fn boxed<'a>(system: impl System + 'a) -> Box<dyn System + 'a> {
    Box::new(system)
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
    bail!(
        "the answer is {} instead of {}",
        text(found),
        text(expected)
    )
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
}
