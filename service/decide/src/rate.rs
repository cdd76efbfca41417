//! Counts that fade.

use crate::time::{SECOND_US, Time};

/// How often something happens: each occurrence counts 1 when it happens and fades by e in each `fade_us`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    weight: f64,
    at: Time,
    fade_us: u64,
}

impl Rate {
    pub(crate) fn new(fade_us: u64) -> Self {
        Self {
            weight: 0.0,
            at: Time(0),
            fade_us: fade_us.max(1),
        }
    }

    pub(crate) fn record(&mut self, now: Time) {
        self.weight = self.weight_at(now) + 1.0;
        self.at = self.at.max(now);
    }

    pub(crate) fn per_second(&self, now: Time) -> f64 {
        self.weight_at(now) * SECOND_US as f64 / self.fade_us as f64
    }

    /// Orders rates of the same `fade_us` at *every* time, past the last occurrence of each: the logarithm of the
    /// weight plus a term that all have in common. So an order that was computed once stays right while all fade.
    pub(crate) fn order(&self) -> f64 {
        match self.weight > 0.0 {
            true => self.weight.ln() + self.at.0 as f64 / self.fade_us as f64,
            false => -1e6,
        }
    }

    fn weight_at(&self, now: Time) -> f64 {
        self.weight * (-(now.since(self.at) as f64) / self.fade_us as f64).exp()
    }
}

/// The highest value of late: it fades by e in each `fade_us`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Peak {
    value: f64,
    at: Time,
}

impl Peak {
    pub(crate) fn record(&mut self, now: Time, value: u32, fade_us: u64) {
        let faded = self.value(now, fade_us);
        *self = Self {
            value: faded.max(f64::from(value)),
            at: self.at.max(now),
        };
    }

    pub(crate) fn value(&self, now: Time, fade_us: u64) -> f64 {
        self.value * (-(now.since(self.at) as f64) / fade_us.max(1) as f64).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_that_of_the_rates_at_any_later_time() {
        let (mut often, mut late) = (Rate::new(1000), Rate::new(1000));
        for at in 0..20 {
            often.record(Time(at * 10));
        }
        for at in 0..3 {
            late.record(Time(4000 + at * 10));
        }
        for now in [4100, 9000, 20_000] {
            let by_rate = often.per_second(Time(now)) < late.per_second(Time(now));
            assert_eq!(by_rate, often.order() < late.order(), "{now}");
        }
        assert!(Rate::new(1000).order() < often.order());
    }

    #[test]
    fn a_steady_stream_has_its_rate() {
        let mut rate = Rate::new(10 * SECOND_US);
        for at in 0..1000 {
            rate.record(Time(at * SECOND_US / 10));
        }
        assert!((rate.per_second(Time(100 * SECOND_US)) - 10.0).abs() < 0.2);
    }
}
