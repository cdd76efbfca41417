//! The pool of sandboxes by itself: no daemon, no HTTP, no program of a function.
//!
//! This process is the launcher, and the measured program its nursery. What stands for a function's process is a static C
//! program's child that joins a sandbox, writes a file and exits. `docs/benchmarks.md` says what each figure is.

pub(super) mod clock;
mod crew;
mod drift;
mod footprint;
mod ground;
mod joiner;
mod rounds;
mod scratch;
mod soak;

use anyhow::ensure;

use crate::bench::Bench;
use crate::record::Recorder;
use crate::summary::Summary;
use clock::Costs;

const SYSTEM: &str = "offshoot";
/// How many take at once, beside one alone.
const MANY: usize = 24;

/// The names that may be asked for, without `sandbox/` and the number of threads.
const STEPS: [&str; 3] = ["take", "join", "repurpose"];
const OTHERS: [&str; 4] = ["scratch", "footprint", "soak", "drift"];

pub(crate) fn run(bench: &Bench<'_>, recorder: &mut Recorder) -> anyhow::Result<()> {
    let wanted = Wanted::read(&bench.args.workloads)?;
    let mut failed = Vec::new();
    let mut keep = |name: &str, result: anyhow::Result<()>| {
        if let Err(error) = result {
            eprintln!("bench: sandbox/{name} failed: {error:#}");
            failed.push(format!("{name}: {error:#}"));
        }
    };
    for threads in [1, MANY] {
        let mut take_us = None;
        if wanted.any(&STEPS) {
            let found = rounds::run(bench, threads, recorder);
            keep("take", found.map(|found| take_us = Some(found)));
        }
        if wanted.any(&["scratch"]) {
            keep("scratch", scratch::run(bench, threads, take_us, recorder));
        }
    }
    if wanted.any(&["footprint"]) {
        keep("footprint", footprint::run(bench, recorder));
    }
    if wanted.any(&["soak", "drift"]) {
        keep("soak", soak::run(bench, recorder));
    }
    ensure!(failed.is_empty(), "{}", failed.join("; "));
    Ok(())
}

/// The scenarios that are asked for; all if none is named.
#[derive(Debug)]
struct Wanted(Vec<String>);

impl Wanted {
    fn read(names: &[String]) -> anyhow::Result<Self> {
        for name in names {
            let mut known = STEPS.iter().chain(&OTHERS);
            ensure!(
                known.any(|one| one == name),
                "there is no scenario {name}; there are: {}, {}",
                STEPS.join(", "),
                OTHERS.join(", ")
            );
        }
        Ok(Self(names.to_vec()))
    }

    fn any(&self, names: &[&str]) -> bool {
        self.0.is_empty() || self.0.iter().any(|one| names.contains(&one.as_str()))
    }
}

/// Such as `sandbox/take@24`.
fn named(step: &str, threads: usize) -> String {
    format!("sandbox/{step}@{threads}")
}

fn record_costs(
    step: &str,
    threads: usize,
    costs: &Costs,
    recorder: &mut Recorder,
) -> anyhow::Result<()> {
    let scenario = named(step, threads);
    recorder.record(&scenario, SYSTEM, "latency_us", "us", costs.took.summary())?;
    recorder.record(&scenario, SYSTEM, "cpu_us", "us", costs.cpu.summary())?;
    let spread = spread(&costs.took.summary());
    recorder.record(&scenario, SYSTEM, "p99_over_p50", "ratio", spread)
}

/// How many times the median the 99th percentile is.
fn spread(times: &Summary) -> Summary {
    let ratio = times.p99 / times.p50.max(f64::MIN_POSITIVE);
    Summary::single(times.n, (ratio * 100.0).round() / 100.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn scenarios_are_those_asked_for_or_all() {
        let all = Wanted::read(&[]).unwrap();
        assert!(all.any(&STEPS) && all.any(&["soak"]));
        let one = Wanted::read(&["join".to_owned()]).unwrap();
        assert!(one.any(&STEPS) && !one.any(&["soak", "drift"]));
        let error = Wanted::read(&["joi".to_owned()]).unwrap_err().to_string();
        assert!(
            error
                .starts_with("there is no scenario joi; there are: take, join, repurpose, scratch")
        );
    }

    #[test]
    fn spread_is_told_in_medians() {
        let times = Summary {
            p50: 50.0,
            p99: 210.0,
            ..Summary::single(9, 0.0)
        };
        assert_eq!(spread(&times), Summary::single(9, 4.2));
    }
}
