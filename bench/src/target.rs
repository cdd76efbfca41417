//! What the figures shall be, and what they are compared with.

use crate::record::Measurement;

/// What is asked of a figure. Times are judged by their median.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
    /// More than this.
    MoreThan(f64),
    /// No more than this many times the baseline.
    RatioAtMost(f64),
    /// No less than this many times the baseline.
    RatioAtLeast(f64),
}

/// Which figures a target is for: the scenario, or the part of it before `/`; the system; the metric.
type Key = (&'static str, &'static str, &'static str);

const TARGETS: [(Key, Target); 58] = [
    (("e2e", "clone", "private_kb"), Target::RatioAtMost(0.1)),
    (
        ("e2e/concurrent@24", "offshoot", "cpu_p99_over_one"),
        Target::AtMost(1.6),
    ),
    (
        ("density", "clone", "instances"),
        Target::RatioAtLeast(10.0),
    ),
    tail("trace/azure-5min@25"),
    tail("trace/azure-2021-20min@25"),
    image("seed/json", 2.0),
    image("seed/python3.11", 12.0),
    image("seed/nodejs20.x", 30.0),
    (
        ("e2e/node-render", "clone", "over_hot_us"),
        Target::AtMost(2000.0),
    ),
    over_hot("e2e/json", "clone", 3.0),
    over_hot("e2e/json", "parked", 1.3),
    over_hot("e2e/node-echo", "parked", 1.3),
    (
        ("e2e/concurrent@24", "offshoot", "per_second"),
        Target::AtLeast(800.0),
    ),
    (("hot", "offshoot", "latency_us"), Target::RatioAtMost(3.0)),
    (
        ("throughput", "offshoot", "per_second"),
        Target::MoreThan(1500.0),
    ),
    (("idle", "offshoot", "wakeups_per_s"), Target::AtMost(0.0)),
    (
        ("cold", "offshoot-cold", "latency_us"),
        Target::RatioAtMost(1.3),
    ),
    (
        ("idle", "offshoot", "rss_kb"),
        Target::AtMost(40.0 * 1024.0),
    ),
    (("leak", "offshoot", "drift"), Target::AtMost(0.0)),
    (("leak", "planted", "drift"), Target::MoreThan(0.0)),
    (("async", "offshoot", "lost"), Target::AtMost(0.0)),
    (("async", "offshoot", "excess"), Target::AtMost(0.0)),
    (("unique", "offshoot", "repeats"), Target::AtMost(0.0)),
    (("unique", "unfixed", "repeats"), Target::MoreThan(0.0)),
    from_template("clone/python-json", 4.5),
    from_template("clone/python-numpy", 5.5),
    from_template("clone/python-pandas", 7.0),
    from_template("clone/node", 8.0),
    from_template("clone/c-630mb", 6.0),
    parked("clone/python-json", 1.3),
    parked("clone/python-numpy", 1.2),
    parked("clone/python-pandas", 1.5),
    parked("clone/node", 1.3),
    private("clone/python-json", 0.6),
    private("clone/python-numpy", 0.8),
    private("clone/python-pandas", 1.0),
    private("clone/node", 1.2),
    (("clone", "restore", RESPONSE), Target::RatioAtMost(2.0)),
    frozen("clone/python-numpy", 15.0),
    frozen("clone/node", 40.0),
    (
        ("clone/sustained", "template-local", "per_second"),
        Target::AtLeast(1200.0),
    ),
    (
        ("clone/sustained", "template-local", "p99_over_p50"),
        Target::AtMost(5.0),
    ),
    (("noise", "neighbour", P99_OVER_IDLE), Target::AtMost(1.5)),
    (("noise", "daemon", P99_OVER_IDLE), Target::AtMost(2.0)),
    of_pool("sandbox/take@1", "latency_us", Target::AtMost(60.0)),
    of_pool("sandbox/take@24", "latency_us", Target::AtMost(60.0)),
    of_pool("sandbox/take@24", "p99_over_p50", Target::AtMost(5.0)),
    of_pool("sandbox/join@1", "latency_us", Target::AtMost(100.0)),
    of_pool("sandbox/join@24", "latency_us", Target::AtMost(100.0)),
    of_pool("sandbox/join@24", "p99_over_p50", Target::AtMost(5.0)),
    of_pool("sandbox/repurpose@1", "cpu_us", Target::AtMost(2000.0)),
    of_pool("sandbox/repurpose@24", "cpu_us", Target::AtMost(2000.0)),
    of_pool("sandbox/scratch@1", "over_take", Target::AtLeast(10.0)),
    of_pool("sandbox/scratch@24", "over_take", Target::AtLeast(15.0)),
    of_pool("sandbox/footprint", "kb_each", Target::AtMost(512.0)),
    of_pool(
        "sandbox/soak",
        "last_tenth_over_first",
        Target::AtLeast(0.95),
    ),
    of_pool("sandbox/drift", "objects", Target::AtMost(0.0)),
    (
        ("sandbox/drift", "planted", "objects"),
        Target::MoreThan(0.0),
    ),
];

/// The metric of a clone.
const RESPONSE: &str = "to_response_us";
/// The metric of whoever is beside an attack.
const P99_OVER_IDLE: &str = "p99_over_idle";

const fn over_hot(scenario: &'static str, rung: &'static str, times: f64) -> (Key, Target) {
    ((scenario, rung, "latency_us"), Target::RatioAtMost(times))
}

/// The slowest answers of a trace, beside those of keep-alive in the same memory.
const fn tail(scenario: &'static str) -> (Key, Target) {
    ((scenario, "offshoot", "p99_us"), Target::RatioAtMost(0.1))
}

const fn image(scenario: &'static str, mb: f64) -> (Key, Target) {
    let key = (scenario, "offshoot", "image_kb");
    (key, Target::AtMost(mb * 1024.0))
}

const fn from_template(scenario: &'static str, forks: f64) -> (Key, Target) {
    let key = (scenario, "template-local", RESPONSE);
    (key, Target::RatioAtMost(forks))
}

const fn parked(scenario: &'static str, forks: f64) -> (Key, Target) {
    ((scenario, "parked", RESPONSE), Target::RatioAtMost(forks))
}

const fn private(scenario: &'static str, mib: f64) -> (Key, Target) {
    let key = (scenario, "template-local", "private_kb");
    (key, Target::AtMost(mib * 1024.0))
}

const fn frozen(scenario: &'static str, millis: f64) -> (Key, Target) {
    let key = (scenario, "checkpoint", "freeze_us");
    (key, Target::AtMost(millis * 1000.0))
}

const fn of_pool(scenario: &'static str, metric: &'static str, target: Target) -> (Key, Target) {
    ((scenario, "offshoot", metric), target)
}

/// A system and what it is compared with.
struct Pair {
    system: &'static str,
    baseline: &'static str,
    /// The metric of the one and of the other; if none is given, each metric is compared with the same one.
    metrics: Option<(&'static str, &'static str)>,
}

const PAIRS: [Pair; 27] = [
    of_rung("parked"),
    of_rung("clone"),
    of_rung("level1"),
    of_rung("cold"),
    to_cold("pool", "latency_us"),
    to_cold("level1", "latency_us"),
    to_cold("level2", "latency_us"),
    to_cold("parked", "latency_us"),
    to_cold("level1", "private_kb"),
    to_cold("clone", "private_kb"),
    to_cold("clone", "instances"),
    Pair {
        system: "offshoot",
        baseline: "keepalive-10m",
        metrics: Some(("p99_us", "p99_us")),
    },
    same("offshoot", "unix-socket"),
    same("offshoot", "runc"),
    same("offshoot-cold", "runc"),
    in_forks("template-local", "fork-yardstick"),
    in_forks("template-mapped", "fork-yardstick"),
    in_forks("parked", "fork-yardstick"),
    in_forks("cold", "fork-yardstick"),
    in_forks("criu", "fork-yardstick"),
    in_forks("template-local-idle", "fork-yardstick-idle"),
    in_forks("template-mapped-idle", "fork-yardstick-idle"),
    in_forks("parked-idle", "fork-yardstick-idle"),
    in_forks("cold-idle", "fork-yardstick-idle"),
    in_forks("criu-idle", "fork-yardstick-idle"),
    in_clones("restore", "template-local"),
    in_clones("restore-idle", "template-local-idle"),
];

/// A first event is compared with one that meets a hot instance.
const fn of_rung(system: &'static str) -> Pair {
    Pair {
        system,
        baseline: "hot",
        metrics: Some(("latency_us", "latency_us")),
    }
}

/// A step of the ladder, or an instance, is compared with one that starts cold.
const fn to_cold(system: &'static str, metric: &'static str) -> Pair {
    Pair {
        system,
        baseline: "cold",
        metrics: Some((metric, metric)),
    }
}

const fn same(system: &'static str, baseline: &'static str) -> Pair {
    Pair {
        system,
        baseline,
        metrics: None,
    }
}

const fn in_forks(system: &'static str, baseline: &'static str) -> Pair {
    Pair {
        system,
        baseline,
        metrics: Some((RESPONSE, "fork_us")),
    }
}

const fn in_clones(system: &'static str, baseline: &'static str) -> Pair {
    Pair {
        system,
        baseline,
        metrics: Some((RESPONSE, RESPONSE)),
    }
}

/// How a figure stands.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Standing {
    /// The median divided by that of the baseline, where one was measured.
    pub(crate) ratio: Option<f64>,
    /// What is asked, if anything is.
    pub(crate) target: Option<Target>,
    /// Whether it is met; none if nothing is asked, or the baseline is missing.
    pub(crate) met: Option<bool>,
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtMost(limit) => write!(f, "≤ {limit}"),
            Self::AtLeast(limit) => write!(f, "≥ {limit}"),
            Self::MoreThan(limit) => write!(f, "> {limit}"),
            Self::RatioAtMost(limit) => write!(f, "≤ {limit:.1} × baseline"),
            Self::RatioAtLeast(limit) => write!(f, "≥ {limit:.1} × baseline"),
        }
    }
}

/// Judges one figure among all of a run.
pub(crate) fn standing(one: &Measurement, all: &[Measurement]) -> Standing {
    if one.absent.is_some() {
        return Standing::default();
    }
    let ratio = baseline(one, all).map(|base| one.summary.p50 / base.summary.p50);
    let target = TARGETS
        .iter()
        .find(|(key, _)| is_of(one, key))
        .map(|(_, target)| *target);
    let met = target.and_then(|target| match target {
        Target::AtMost(limit) => Some(one.summary.p50 <= limit),
        Target::AtLeast(limit) => Some(one.summary.p50 >= limit),
        Target::MoreThan(limit) => Some(one.summary.p50 > limit),
        Target::RatioAtMost(limit) => ratio.map(|ratio| ratio <= limit),
        Target::RatioAtLeast(limit) => ratio.map(|ratio| ratio >= limit),
    });
    Standing { ratio, target, met }
}

fn is_of(one: &Measurement, (scenario, system, metric): &Key) -> bool {
    let family = one.scenario.split('/').next().unwrap_or_default();
    (one.scenario == *scenario || family == *scenario)
        && one.system == *system
        && one.metric == *metric
}

fn baseline<'a>(one: &Measurement, all: &'a [Measurement]) -> Option<&'a Measurement> {
    let pairs = PAIRS.iter().filter(|pair| pair.system == one.system);
    pairs.filter_map(|pair| of_pair(pair, one, all)).next()
}

fn of_pair<'a>(pair: &Pair, one: &Measurement, all: &'a [Measurement]) -> Option<&'a Measurement> {
    let metric = match pair.metrics {
        Some((of, with)) => (of == one.metric).then_some(with)?,
        None => &one.metric,
    };
    let is_it = |other: &&Measurement| {
        other.system == pair.baseline
            && other.scenario == one.scenario
            && other.metric == metric
            && other.summary.p50 > 0.0
    };
    all.iter().rev().find(is_it)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::Summary;

    fn figure(scenario: &str, system: &str, metric: &str, p50: f64) -> Measurement {
        Measurement {
            scenario: scenario.into(),
            system: system.into(),
            metric: metric.into(),
            unit: "us".into(),
            summary: Summary::single(1, p50),
            machine: "m".into(),
            date: "d".into(),
            absent: None,
        }
    }

    #[test]
    fn ratio_is_taken_to_the_baseline_of_the_same_scenario() {
        let all = [
            figure("cold/echo", "offshoot-cold", "latency_us", 30_000.0),
            figure("cold/html", "runc", "latency_us", 10_000.0),
            figure("cold/echo", "runc", "exit_us", 10_000.0),
            figure("cold/echo", "runc", "latency_us", 60_000.0),
        ];
        let found = standing(&all[0], &all);
        assert_eq!((found.ratio, found.met), (Some(0.5), Some(true)));
        assert_eq!(
            standing(&all[0], &all[..3]).met,
            None,
            "there is no baseline"
        );
        assert_eq!(
            standing(&all[3], &all),
            Standing {
                ratio: None,
                target: None,
                met: None
            }
        );
    }

    #[test]
    fn clones_are_counted_in_forks_and_each_seed_has_its_target() {
        let scenarios = ["clone/node", "clone/python-json"];
        for (scenario, met) in scenarios.into_iter().zip([Some(true), Some(false)]) {
            let all = [
                figure(scenario, "fork-yardstick", "fork_us", 100.0),
                figure(scenario, "fork-yardstick-idle", "fork_us", 400.0),
                figure(scenario, "template-local", RESPONSE, 600.0),
                figure(scenario, "template-local-idle", RESPONSE, 800.0),
                figure(scenario, "template-local", "private_kb", 600.0),
                figure(scenario, "restore", RESPONSE, 1500.0),
            ];
            let of = |at: usize| standing(&all[at], &all);
            assert_eq!((of(2).ratio, of(2).met), (Some(6.0), met), "{scenario}");
            assert_eq!((of(3).ratio, of(3).target), (Some(2.0), None));
            assert_eq!((of(4).ratio, of(4).met), (None, Some(true)));
            assert_eq!((of(5).ratio, of(5).met), (Some(2.5), Some(false)));
        }
    }

    #[test]
    fn steps_of_the_ladder_and_density_are_compared_with_cold_and_traces_with_keep_alive() {
        let all = [
            figure("ladder/json", "cold", "latency_us", 20_000.0),
            figure("ladder/json", "pool", "latency_us", 16_000.0),
            figure("ladder/json", "level1", "latency_us", 8_000.0),
            figure("density/python-numpy", "cold", "instances", 12.0),
            figure("density/python-numpy", "clone", "instances", 108.0),
            figure("trace/azure-5min@25", "keepalive-10m", "p99_us", 500.0),
            figure("trace/azure-5min@25", "offshoot", "p99_us", 50.0),
            figure("trace/azure-5min@50", "offshoot", "p99_us", 50.0),
        ];
        let of = |at: usize| standing(&all[at], &all);
        assert_eq!((of(1).ratio, of(2).ratio), (Some(0.8), Some(0.4)));
        assert_eq!((of(4).ratio, of(4).met), (Some(9.0), Some(false)));
        assert_eq!((of(6).ratio, of(6).met), (Some(0.1), Some(true)));
        assert_eq!(of(7), Standing::default());
    }

    #[test]
    fn pool_is_judged_for_each_number_of_takers_and_compared_with_runc() {
        let all = [
            figure("sandbox/scratch@24", "offshoot", "latency_us", 20_000.0),
            figure("sandbox/scratch@24", "runc", "latency_us", 400_000.0),
            figure("sandbox/scratch@24", "offshoot", "over_take", 12.0),
            figure("sandbox/scratch@1", "offshoot", "over_take", 12.0),
        ];
        assert_eq!(standing(&all[0], &all).ratio, Some(0.05));
        assert_eq!(standing(&all[2], &all).met, Some(false));
        assert_eq!(standing(&all[3], &all).met, Some(true));
    }

    #[test]
    fn neighbour_and_daemon_are_judged_by_their_slowest_answers_and_the_floor_is_not() {
        let met =
            |system, ratio| standing(&figure("noise/fork", system, P99_OVER_IDLE, ratio), &[]).met;
        assert_eq!(met("neighbour", 1.6), Some(false));
        assert_eq!(met("daemon", 1.6), Some(true));
        assert_eq!(met("floor", 9.0), None);
    }

    #[test]
    fn missed_target_is_seen() {
        let high = figure("idle", "offshoot", "rss_kb", 40_961.0);
        assert_eq!(standing(&high, &[]).met, Some(false));
        let blind = figure("leak/cycles", "planted", "drift", 0.0);
        assert_eq!(standing(&blind, &[]).met, Some(false));
        let clean = figure("leak/cycles", "offshoot", "drift", 0.0);
        assert_eq!(standing(&clean, &[]).met, Some(true));
    }
}
