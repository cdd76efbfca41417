//! Where the slowest calls of a run spent their time.

use std::collections::BTreeMap;

use super::replay::Answered;

/// One call of so many is among the slowest.
const PART: usize = 100;
/// What the daemon does not know of: a caller that was not free, the connection, answers that there are too many calls.
const OUTSIDE: &str = "outside";

/// The slowest calls together.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Tail {
    /// How many they are.
    pub(super) calls: usize,
    /// The rungs that their instances came from.
    pub(super) rungs: BTreeMap<String, u64>,
    /// What they took in each stage, in milliseconds in the mean; stages that took nothing are left out.
    pub(super) stages_ms: BTreeMap<String, f64>,
}

impl Tail {
    /// Of the slowest hundredth, at least one call.
    pub(super) fn of(answered: &[Answered]) -> Self {
        let mut slowest: Vec<&Answered> = answered.iter().collect();
        slowest.sort_unstable_by_key(|call| std::cmp::Reverse(call.latency));
        slowest.truncate(answered.len().div_ceil(PART));
        let mut tail = Self {
            calls: slowest.len(),
            ..Self::default()
        };
        for call in &slowest {
            *tail.rungs.entry(call.start.clone()).or_default() += 1;
            let inside_us: u64 = call.stages.iter().map(|(_, micros)| micros).sum();
            let outside_us = (call.latency.as_micros() as u64).saturating_sub(inside_us);
            let stages = call.stages.iter().map(|(name, micros)| (&**name, *micros));
            for (stage, micros) in stages.chain([(OUTSIDE, outside_us)]) {
                *tail.stages_ms.entry(stage.to_owned()).or_default() += micros as f64 / 1e3;
            }
        }
        tail.stages_ms.retain(|_, sum| *sum > 0.0);
        for sum in tail.stages_ms.values_mut() {
            *sum /= slowest.len() as f64;
        }
        tail
    }

    /// In one line.
    pub(super) fn said(&self) -> String {
        let rungs = self
            .rungs
            .iter()
            .map(|(rung, calls)| format!("{rung} {calls}"));
        let stages = self.stages_ms.iter();
        let stages = stages.map(|(stage, ms)| format!("{stage} {ms:.1}"));
        format!(
            "{}; ms in {}",
            rungs.collect::<Vec<_>>().join(", "),
            stages.collect::<Vec<_>>().join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn call(millis: u64, start: &str) -> Answered {
        Answered {
            latency: Duration::from_millis(millis),
            stages: vec![("queue".to_owned(), 0), ("handler".to_owned(), 2_000)],
            start: start.to_owned(),
        }
    }

    #[test]
    fn tail_is_the_slowest_hundredth_and_what_no_stage_has_is_outside() {
        let mut calls: Vec<_> = (1..=198).map(|millis| call(millis, "hot")).collect();
        calls.insert(0, call(1_000, "cold"));
        calls.push(call(500, "restore"));
        let tail = Tail::of(&calls);
        assert_eq!(tail.calls, 2);
        assert_eq!(
            tail.said(),
            "cold 1, restore 1; ms in handler 2.0, outside 748.0"
        );
        assert_eq!(Tail::of(&calls[..1]).calls, 1);
        assert_eq!(Tail::of(&[]), Tail::default());
    }
}
