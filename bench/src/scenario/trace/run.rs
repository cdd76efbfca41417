//! One system in one size, from the daemon's start to its end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::ensure;

use super::fleet::Fleet;
use super::plan::{self, Plan};
use super::replay::{Answered, Outcome, Script, replay};
use super::seeding::Seeded;
use super::tail::Tail;
use super::watch::{self, Sample, Watch};
use crate::bench::Bench;
use crate::interrupt;
use crate::record::Recorder;
use crate::scenario::processor::Metered;
use crate::summary::{Samples, Summary};

/// A daemon that has started has filled its pool by then, and made the templates again that the one before had at hand.
const SETTLE: Duration = Duration::from_secs(3);
/// Room for the images of every function: the disk is not what is compared.
pub(super) const IMAGES_MB: u64 = 16 << 10;
/// Between two lines about how far it is.
const PROGRESS_S: f64 = 10.0;
/// One call of so many may fail; more, and there are no figures.
const MOST_FAILED: usize = 20;

/// Who is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum System {
    KeepAlive10,
    KeepAlive1,
    Offshoot,
}

impl System {
    pub(super) const ALL: [Self; 3] = [Self::KeepAlive10, Self::KeepAlive1, Self::Offshoot];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::KeepAlive10 => "keepalive-10m",
            Self::KeepAlive1 => "keepalive-1m",
            Self::Offshoot => "offshoot",
        }
    }

    /// The daemon's settings. Seeds are as shipped, but none is made during the replay: they are there.
    fn settings(self, compress: u64, memory_mb: Option<u64>) -> Vec<(&'static str, String)> {
        let minutes = if self == Self::KeepAlive1 { 1 } else { 10 };
        let keep_alive_s = plan::window_s(minutes, compress).to_string();
        let mut settings = vec![("OFFSHOOT_LIMITS_KEEP_ALIVE_S", keep_alive_s)];
        settings.extend(memory_mb.map(|mb| ("OFFSHOOT_LIMITS_MEMORY_MB", mb.to_string())));
        match self {
            Self::KeepAlive10 | Self::KeepAlive1 => settings.extend([
                ("OFFSHOOT_SEEDS_AFTER_EVENTS", "0".to_owned()),
                ("OFFSHOOT_SEEDS_RUNTIME_SEEDS", "false".to_owned()),
            ]),
            Self::Offshoot => settings.extend([("OFFSHOOT_SEEDS_DISK_MB", IMAGES_MB.to_string())]),
        }
        settings
    }
}

/// What all runs share.
#[derive(Debug)]
pub(super) struct Stage<'a> {
    pub(super) bench: &'a Bench<'a>,
    pub(super) plan: &'a Plan,
    pub(super) fleet: &'a Fleet,
    pub(super) name: &'a str,
}

/// What came of a run.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) system: System,
    pub(super) percent: u32,
    /// What its instances and templates might have; 0 without a limit.
    pub(super) budget_kb: u64,
    /// Of the daemon before the first call.
    pub(super) base_kb: u64,
    pub(super) answered: Vec<Answered>,
    pub(super) throttled: u64,
    pub(super) failed: u64,
    pub(super) samples: Vec<Sample>,
    /// From the first call to the last answer, and what that needed.
    pub(super) cpu: Duration,
}

impl Run {
    /// Calls by the rung that their instances came from.
    pub(super) fn rungs(&self) -> BTreeMap<&str, u64> {
        let mut rungs = BTreeMap::new();
        for call in &self.answered {
            *rungs.entry(call.start.as_str()).or_default() += 1;
        }
        rungs
    }

    /// The part of the calls that had to wait for an instance to initialise.
    pub(super) fn cold_ratio(&self) -> f64 {
        let cold = self.rungs().get("cold").copied().unwrap_or_default();
        cold as f64 / self.answered.len().max(1) as f64
    }

    pub(super) fn latency(&self) -> Samples {
        let mut samples = Samples::microseconds();
        for call in &self.answered {
            samples.record(call.latency);
        }
        samples
    }

    /// What a call took beside its handler.
    fn overhead(&self) -> Samples {
        let mut samples = Samples::microseconds();
        for call in &self.answered {
            samples.record(call.latency.saturating_sub(call.handler()));
        }
        samples
    }
}

impl Stage<'_> {
    /// Whether a system is asked for: all are, if none is named.
    pub(super) fn wants(&self, system: System) -> bool {
        let asked = &self.bench.args.systems;
        asked.is_empty() || asked.iter().any(|name| name == system.name())
    }

    /// Runs one system; without a budget, nothing bounds it.
    pub(super) fn run(
        &self,
        system: System,
        percent: u32,
        budget_kb: Option<u64>,
    ) -> anyhow::Result<Run> {
        interrupt::check()?;
        let label = format!("trace/{}@{percent} {}", self.name, system.name());
        match budget_kb {
            Some(kb) => eprintln!("bench: {label} begins, within {} MiB", kb >> 10),
            None => eprintln!("bench: {label} begins, without a limit"),
        }
        self.fleet.show_seeds(system == System::Offshoot)?;
        let settings = system.settings(self.plan.compress, budget_kb.map(|kb| kb >> 10));
        let running = self.fleet.start(self.bench, &settings)?;
        thread::sleep(SETTLE);
        let daemon = running.pid()?;
        let base_kb = Sample::take(daemon, Duration::ZERO)?.total_kb();
        let metered = Metered::new(running)?;
        let (outcome, samples, cpu) = self.replayed(&metered, &label)?;
        metered.stop()?;
        interrupt::check()?;
        let failed = outcome.failed.values().sum::<u64>();
        for (reason, count) in &outcome.failed {
            eprintln!("bench: {label}: {count} calls failed: {reason}");
        }
        ensure!(
            failed as usize * MOST_FAILED <= self.plan.calls.len(),
            "{label}: {failed} of {} calls failed",
            self.plan.calls.len()
        );
        let tail = Tail::of(&outcome.answered);
        eprintln!("bench: {label}: the slowest: {}", tail.said());
        Ok(Run {
            system,
            percent,
            budget_kb: budget_kb.unwrap_or_default(),
            base_kb,
            answered: outcome.answered,
            throttled: outcome.throttled,
            failed,
            samples,
            cpu,
        })
    }

    fn replayed(
        &self,
        metered: &Metered,
        label: &str,
    ) -> anyhow::Result<(Outcome, Vec<Sample>, Duration)> {
        let sent = Arc::new(AtomicUsize::new(0));
        let (progress, label, calls) = (Arc::clone(&sent), label.to_owned(), self.plan.calls.len());
        let mut told_s = 0.0;
        let watch = Watch::start(metered.running.pid()?, self.plan.span, move |sample| {
            if sample.at_s - told_s >= PROGRESS_S {
                told_s = sample.at_s;
                let sent = progress.load(Ordering::Relaxed).min(calls);
                let (instances, mib) = (
                    sample.started.count + sample.clones.count,
                    sample.total_kb() >> 10,
                );
                eprintln!(
                    "bench: {label}: {told_s:.0} s, {sent} of {calls} calls, {instances} instances, {mib} MiB"
                );
            }
        });
        let before = metered.used()?;
        let script = Script {
            plan: self.plan,
            requests: &self.fleet.requests,
            daemon: metered.running.daemon.address(),
        };
        let outcome = replay(script, &sent);
        let cpu = metered.used()?.saturating_sub(before);
        let samples = watch.stop()?;
        Ok((outcome?, samples, cpu))
    }
}

/// Records how the seeds came about: before the replays, and not in their figures.
pub(super) fn record_seeding(
    stage: &Stage<'_>,
    seeded: &Seeded,
    recorder: &mut Recorder,
) -> anyhow::Result<()> {
    for (reason, count) in &seeded.refused {
        eprintln!("bench: {count} functions have no seed: {reason}");
    }
    let scenario = format!("trace/{}", stage.name);
    let took = Summary::single(seeded.seeds, seeded.took.as_secs_f64().round());
    recorder.record(&scenario, "offshoot", "seeding_s", "s", took)?;
    let stored = Summary::single(seeded.seeds, (seeded.stored_bytes >> 10) as f64);
    recorder.record(&scenario, "offshoot", "images_kb", "KiB", stored)
}

/// Records the figures of a run.
pub(super) fn record(stage: &Stage<'_>, run: &Run, recorder: &mut Recorder) -> anyhow::Result<()> {
    let scenario = format!("trace/{}@{}", stage.name, run.percent);
    let system = run.system.name();
    let latency = run.latency().summary();
    let mut memory = Samples::numbers();
    for sample in &run.samples {
        memory.record_number(sample.total_kb());
    }
    let n = run.answered.len() as u64;
    let peak_kb = watch::peak(&run.samples).total_kb() as f64;
    let anonymous_kb = run.samples.iter().map(Sample::anonymous_kb).max();
    let one = |value: f64| Summary::single(n, (value * 1e4).round() / 1e4);
    let figures = [
        ("latency_us", "us", latency),
        ("p99_us", "us", one(latency.p99)),
        ("overhead_us", "us", run.overhead().summary()),
        ("cold_ratio", "", one(run.cold_ratio())),
        ("peak_kb", "KiB", one(peak_kb)),
        ("peak_anon_kb", "KiB", one(anonymous_kb.unwrap_or(0) as f64)),
        ("budget_kb", "KiB", one(run.budget_kb as f64)),
        ("memory_kb", "KiB", memory.summary()),
        ("cpu_s", "s", one(run.cpu.as_secs_f64())),
        ("throttled", "answers", one(run.throttled as f64)),
        ("failed", "calls", one(run.failed as f64)),
    ];
    for (metric, unit, summary) in figures {
        recorder.record(&scenario, system, metric, unit, summary)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn keep_alive_has_no_seeds_of_any_kind_and_all_have_the_same_memory() {
        let settings = |system: System| {
            let settings = system.settings(4, Some(700)).into_iter();
            settings.collect::<BTreeMap<_, _>>()
        };
        let all = System::ALL.map(settings);
        let values = |name: &str| {
            let values = all.each_ref().map(|settings| settings.get(name));
            values.map(|value| value.map(String::as_str))
        };
        assert_eq!(
            values("OFFSHOOT_LIMITS_KEEP_ALIVE_S"),
            [Some("150"), Some("15"), Some("150")]
        );
        assert_eq!(values("OFFSHOOT_LIMITS_MEMORY_MB"), [Some("700"); 3]);
        let off = ["0", "false"].map(|off| [Some(off), Some(off), None]);
        let seeds = [
            "OFFSHOOT_SEEDS_AFTER_EVENTS",
            "OFFSHOOT_SEEDS_RUNTIME_SEEDS",
        ];
        assert_eq!(seeds.map(values), off);
    }

    #[test]
    fn cold_ratio_counts_instances_that_had_to_initialise() {
        let call = |start: &str| Answered {
            latency: Duration::from_millis(5),
            stages: vec![("handler".to_owned(), 4_000)],
            start: start.to_owned(),
        };
        let run = Run {
            system: System::Offshoot,
            percent: 25,
            budget_kb: 1,
            base_kb: 1,
            answered: ["cold", "hot", "restore", "hot"].map(call).into(),
            throttled: 0,
            failed: 0,
            samples: Vec::new(),
            cpu: Duration::ZERO,
        };
        assert_eq!(run.cold_ratio(), 0.25);
        assert_eq!(
            run.rungs(),
            BTreeMap::from([("cold", 1), ("hot", 2), ("restore", 1)])
        );
        assert!((990.0..=1010.0).contains(&run.overhead().summary().p50));
    }
}
