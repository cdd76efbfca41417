//! Two clients that make a clone, read its answer and end it, one after the other, for as long as is asked.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, ensure};

use super::ground::Ground;
use super::seed::Seed;
use super::stage::Stage;
use super::templates::FromTemplate;
use crate::bench::Bench;
use crate::record::Recorder;
use crate::summary::{Samples, Summary};

const CLIENTS: usize = 2;
const SCENARIO: &str = "clone/sustained";
const SYSTEM: &str = "template-local";

/// One clone: when it was gone, since the beginning, and how long its answer took.
type Cycle = (Duration, Duration);

pub(super) fn run(
    bench: &Bench<'_>,
    ground: &Ground,
    recorder: &mut Recorder,
) -> anyhow::Result<()> {
    let (stage, _) = Stage::prepare(ground, Seed::PythonJson, 1)?;
    let length = Duration::from_secs(bench.args.seconds_or(60, 2));
    // Each has a template of its own, as a node has one for each processor.
    let mut templates = Vec::new();
    for _ in 0..CLIENTS {
        templates.push(FromTemplate::local(&stage)?);
    }
    let begun = Instant::now();
    let cycles: Vec<Cycle> = thread::scope(|scope| {
        let client = |template| scope.spawn(move || client(template, begun, length));
        let clients: Vec<_> = templates.iter_mut().map(client).collect();
        let ended = clients.into_iter().map(|client| client.join());
        let ended: Vec<Vec<Cycle>> = ended
            .map(|result| result.map_err(|_| anyhow!("a client panicked"))?)
            .collect::<anyhow::Result<_>>()?;
        anyhow::Ok(ended.concat())
    })?;
    record(&cycles, length, recorder)
}

fn client(
    template: &mut FromTemplate<'_>,
    begun: Instant,
    length: Duration,
) -> anyhow::Result<Vec<Cycle>> {
    let mut cycles = Vec::new();
    while begun.elapsed() < length {
        let answered = template.direct(Duration::ZERO)?;
        let took = answered.took;
        template.retire(answered)?;
        cycles.push((begun.elapsed(), took));
    }
    Ok(cycles)
}

fn record(cycles: &[Cycle], length: Duration, recorder: &mut Recorder) -> anyhow::Result<()> {
    let mut times = Samples::microseconds();
    for (_, took) in cycles {
        times.record(*took);
    }
    let (times, n) = (times.summary(), cycles.len() as u64);
    ensure!(times.p50 > 0.0, "no clone was made");
    let per_second = per_second(cycles, length).summary();
    let spread = Summary::single(n, round(times.p99 / times.p50));
    let last = last_tenth_over_first(cycles, length).context("no clone in the first tenth")?;
    let last = Summary::single(n, round(last));
    recorder.record(SCENARIO, SYSTEM, "per_second", "1/s", per_second)?;
    recorder.record(SCENARIO, SYSTEM, "to_response_us", "us", times)?;
    recorder.record(SCENARIO, SYSTEM, "p99_over_p50", "ratio", spread)?;
    recorder.record(SCENARIO, SYSTEM, "last_tenth_over_first", "ratio", last)
}

/// Clones in each whole second.
fn per_second(cycles: &[Cycle], length: Duration) -> Samples {
    let mut counts = vec![0_u64; usize::try_from(length.as_secs()).unwrap_or_default()];
    for (at, _) in cycles {
        let second = usize::try_from(at.as_secs()).unwrap_or(usize::MAX);
        if let Some(count) = counts.get_mut(second) {
            *count += 1;
        }
    }
    let mut samples = Samples::numbers();
    counts
        .into_iter()
        .for_each(|count| samples.record_number(count));
    samples
}

/// Clones in the last tenth of the time for each one in the first tenth; none if there is none in the first.
fn last_tenth_over_first(cycles: &[Cycle], length: Duration) -> Option<f64> {
    let tenth = length / 10;
    let within = |from: Duration| {
        let is_within = |(at, _): &&Cycle| *at >= from && *at < from + tenth;
        cycles.iter().filter(is_within).count() as f64
    };
    let first = within(Duration::ZERO);
    (first > 0.0).then(|| within(length - tenth) / first)
}

fn round(ratio: f64) -> f64 {
    (ratio * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(millis: u64) -> Cycle {
        (Duration::from_millis(millis), Duration::from_micros(500))
    }

    #[test]
    fn slowing_down_shows_in_the_last_tenth() {
        let length = Duration::from_secs(10);
        let cycles = [
            at(100),
            at(300),
            at(600),
            at(999),
            at(5000),
            at(9500),
            at(10_001),
        ];
        assert_eq!(last_tenth_over_first(&cycles, length), Some(0.25));
        assert_eq!(last_tenth_over_first(&cycles[4..], length), None);
    }

    #[test]
    fn clones_are_counted_by_whole_seconds() {
        let found = per_second(
            &[at(1), at(999), at(1000), at(2100)],
            Duration::from_secs(2),
        );
        assert_eq!((found.n(), found.summary().mean), (2, 1.5));
    }
}
