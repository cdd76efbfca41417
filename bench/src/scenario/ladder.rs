//! What each part of the ladder brings (AFaaS, table of its ladder): a first event as one part after the other is added.
//!
//! One daemon for each step, all of them at once; blocks of events take turns, so that what the machine does meanwhile meets
//! all. Every event needs a new instance. What is made ahead (ghost sandboxes, parked clones) is made in the same block, so
//! its processor time counts: an event is no cheaper because it was paid for before.

use std::time::{Duration, Instant};

use anyhow::Context;

use super::e2e::rung::{Client, NO_LEVEL1, RUNTIME_SEEDS, Rung, WISH};
use super::processor::Metered;
use crate::bench::{Bench, invocation};
use crate::interrupt;
use crate::record::Recorder;
use crate::summary::Samples;
use crate::workload::{self, Workload};

const WORKLOADS: [&str; 2] = ["json", "node-echo"];
/// Events of one step in a row; processor time is divided by them.
const BLOCK: u32 = 5;
/// What ends after an answer has ended by then, and what is made ahead is there.
const PAUSE: Duration = Duration::from_millis(60);

/// A part that is added to those before it.
struct Step {
    name: &'static str,
    rung: Rung,
    /// Whether sandboxes wait ahead.
    pool: bool,
}

const STEPS: [Step; 5] = [
    step("cold", Rung::Cold, false),
    step("pool", Rung::Cold, true),
    step("level1", Rung::Level1, true),
    step("level2", Rung::Clone, true),
    step("parked", Rung::Parked, true),
];

const fn step(name: &'static str, rung: Rung, pool: bool) -> Step {
    Step { name, rung, pool }
}

impl Step {
    fn settings(&self, runtime_seeds: bool) -> Vec<(&'static str, &'static str)> {
        let mut settings = self.rung.settings(runtime_seeds);
        if !self.pool {
            settings.push(("OFFSHOOT_LIMITS_GHOSTS", "0"));
        }
        settings
    }
}

/// A step that is measured.
struct Measured {
    name: &'static str,
    client: Client,
    metered: Metered,
    latency: Samples,
    cpu: Samples,
}

pub(crate) fn run(bench: &Bench<'_>, recorder: &mut Recorder) -> anyhow::Result<()> {
    let asked = &bench.args.workloads;
    let usual = WORKLOADS.map(str::to_owned);
    let wanted = if asked.is_empty() { &usual[..] } else { asked };
    for workload in workload::load(&bench.args.workloads_dir, wanted, false)? {
        let scenario = format!("ladder/{}", workload.name());
        measure(bench, &workload, &scenario, recorder).with_context(|| scenario.clone())?;
    }
    Ok(())
}

fn measure(
    bench: &Bench<'_>,
    workload: &Workload,
    scenario: &str,
    recorder: &mut Recorder,
) -> anyhow::Result<()> {
    let mut steps = Vec::new();
    let runtime_seeds = bench.knows(RUNTIME_SEEDS);
    for step in &STEPS {
        let made = if step.rung == Rung::Level1 && !runtime_seeds {
            Err(NO_LEVEL1.to_owned())
        } else {
            make(bench, step, workload, runtime_seeds)?
        };
        match made {
            Ok(measured) => steps.push(measured),
            Err(why) => {
                recorder.record_absence(scenario, step.name, "latency_us", "us", &why)?;
            }
        }
    }
    let blocks = bench.args.n_or(100, 5).div_ceil(u64::from(BLOCK));
    let limit = Duration::from_secs(bench.args.seconds_or(120, 30));
    let begun = Instant::now();
    for _ in 0..blocks {
        interrupt::check()?;
        for step in &mut steps {
            step.block()?;
        }
        if begun.elapsed() > limit {
            break;
        }
    }
    for step in steps {
        let (latency, cpu) = (step.latency.summary(), step.cpu.summary());
        recorder.record(scenario, step.name, "latency_us", "us", latency)?;
        recorder.record(scenario, step.name, "cpu_us", "us", cpu)?;
        step.metered.stop()?;
    }
    Ok(())
}

/// A daemon that has settled on a step; the reason, if it never answers from level 1.
fn make(
    bench: &Bench<'_>,
    step: &Step,
    workload: &Workload,
    runtime_seeds: bool,
) -> anyhow::Result<Result<Measured, String>> {
    let running = bench.daemon(&step.settings(runtime_seeds))?;
    running.deploy(workload)?;
    let request = invocation(workload, &[WISH]);
    let mut client = Client::new(step.rung, running.connect()?, request);
    if let Err(error) = client.settle() {
        running.stop()?;
        return match step.rung {
            Rung::Level1 => Ok(Err(format!("{error:#}"))),
            _ => Err(error.context(format!("step {}", step.name))),
        };
    }
    Ok(Ok(Measured {
        name: step.name,
        client,
        metered: Metered::new(running)?,
        latency: Samples::microseconds(),
        cpu: Samples::microseconds(),
    }))
}

impl Measured {
    /// Some events, and what they cost, with what follows an answer.
    fn block(&mut self) -> anyhow::Result<()> {
        let before = self.metered.used()?;
        for _ in 0..BLOCK {
            self.latency.record(self.client.sample()?);
            std::thread::sleep(PAUSE);
        }
        let used = self.metered.used()?.saturating_sub(before);
        self.cpu.record(used / BLOCK);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_adds_one_part_and_a_program_without_level_1_is_not_told_of_it() {
        let settings = |runtime_seeds: bool| STEPS.map(|step| step.settings(runtime_seeds).len());
        assert_eq!(settings(false), [3, 2, 2, 3, 3]);
        assert_eq!(settings(true), [4, 3, 4, 3, 3]);
        let names = STEPS.map(|step| step.name);
        assert_eq!(names, ["cold", "pool", "level1", "level2", "parked"]);
    }
}
