//! What the figures shall be, and what they are compared with.

use crate::record::Measurement;

/// What is asked of a figure. Times are judged by their median.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    /// No more than this.
    AtMost(f64),
    /// More than this.
    MoreThan(f64),
    /// No more than this many times the baseline.
    RatioAtMost(f64),
}

/// Which figures a target is for: the part of the scenario before `/`, the system, the metric.
type Key = (&'static str, &'static str, &'static str);

const TARGETS: [(Key, Target); 9] = [
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
];

/// Pairs of a system and its baseline.
const BASELINES: [(&str, &str); 2] = [("offshoot", "unix-socket"), ("offshoot-cold", "runc")];

/// How a figure stands.
#[derive(Debug, Clone, Copy, PartialEq)]
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
            Self::MoreThan(limit) => write!(f, "> {limit}"),
            Self::RatioAtMost(limit) => write!(f, "≤ {limit:.1} × baseline"),
        }
    }
}

/// Judges one figure among all of a run.
pub(crate) fn standing(one: &Measurement, all: &[Measurement]) -> Standing {
    let ratio = baseline(one, all).map(|base| one.summary.p50 / base.summary.p50);
    let scenario = one.scenario.split('/').next().unwrap_or_default();
    let key = (scenario, one.system.as_str(), one.metric.as_str());
    let target = TARGETS
        .iter()
        .find(|(of, _)| *of == key)
        .map(|(_, target)| *target);
    let met = target.and_then(|target| match target {
        Target::AtMost(limit) => Some(one.summary.p50 <= limit),
        Target::MoreThan(limit) => Some(one.summary.p50 > limit),
        Target::RatioAtMost(limit) => ratio.map(|ratio| ratio <= limit),
    });
    Standing { ratio, target, met }
}

fn baseline<'a>(one: &Measurement, all: &'a [Measurement]) -> Option<&'a Measurement> {
    let (_, system) = BASELINES.iter().find(|(ours, _)| *ours == one.system)?;
    let same = |other: &&Measurement| {
        other.system == *system
            && other.scenario == one.scenario
            && other.metric == one.metric
            && other.summary.p50 > 0.0
    };
    all.iter().rev().find(same)
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
    fn missed_target_is_seen() {
        let high = figure("idle", "offshoot", "rss_kb", 40_961.0);
        assert_eq!(standing(&high, &[]).met, Some(false));
        let blind = figure("leak/cycles", "planted", "drift", 0.0);
        assert_eq!(standing(&blind, &[]).met, Some(false));
        let clean = figure("leak/cycles", "offshoot", "drift", 0.0);
        assert_eq!(standing(&clean, &[]).met, Some(true));
    }
}
