//! Samples and their percentiles.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Significant digits that are kept.
const DIGITS: u8 = 3;

/// What many samples come down to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// How many samples.
    pub n: u64,
    /// Half of the samples are at most this.
    pub p50: f64,
    /// Nine of ten are at most this.
    pub p90: f64,
    /// Ninety-nine of a hundred are at most this.
    pub p99: f64,
    /// The arithmetic mean.
    pub mean: f64,
}

impl Summary {
    /// A figure that is no distribution: counted once over `n` things.
    pub fn single(n: u64, value: f64) -> Self {
        Self {
            n,
            p50: value,
            p90: value,
            p99: value,
            mean: value,
        }
    }
}

/// Samples, collected without growing.
#[derive(Debug)]
pub struct Samples {
    values: Histogram<u64>,
    /// One unit of the summary in units of the samples.
    per_unit: f64,
}

impl Samples {
    /// For durations, which are summed up in microseconds.
    pub fn microseconds() -> Self {
        Self::with_unit(1000.0)
    }

    /// For plain numbers.
    pub fn numbers() -> Self {
        Self::with_unit(1.0)
    }

    fn with_unit(per_unit: f64) -> Self {
        // Bounds of up to an hour in nanoseconds, and a number of digits that the type allows.
        let values = Histogram::new_with_bounds(1, 3_600_000_000_000, DIGITS);
        Self {
            values: values.expect("the bounds are constants within the type's range"),
            per_unit,
        }
    }

    /// Adds a duration; one of more than an hour counts as an hour.
    pub fn record(&mut self, duration: Duration) {
        self.values
            .saturating_record(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Adds a number.
    pub fn record_number(&mut self, value: u64) {
        self.values.saturating_record(value);
    }

    /// Adds all samples of another collection of the same kind.
    pub fn add(&mut self, other: &Self) {
        self.values
            .add(&other.values)
            .expect("all collections have the same bounds");
    }

    /// How many samples there are.
    pub fn n(&self) -> u64 {
        self.values.len()
    }

    /// The percentiles; all zero if there are no samples.
    pub fn summary(&self) -> Summary {
        let at = |quantile| round(self.values.value_at_quantile(quantile) as f64 / self.per_unit);
        Summary {
            n: self.n(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            mean: round(self.values.mean() / self.per_unit),
        }
    }
}

/// To three places: more would pretend a precision that there is not.
fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within_a_thousandth(found: f64, expected: f64) -> bool {
        (found - expected).abs() <= expected / 1000.0
    }

    #[test]
    fn percentiles_of_a_known_distribution_are_right() {
        let mut samples = Samples::microseconds();
        for micros in (1..=1000).rev() {
            samples.record(Duration::from_micros(micros));
        }
        let found = samples.summary();
        assert_eq!(found.n, 1000);
        let expected = [
            (found.p50, 500.0),
            (found.p90, 900.0),
            (found.p99, 990.0),
            (found.mean, 500.5),
        ];
        for (found, expected) in expected {
            assert!(
                within_a_thousandth(found, expected),
                "{found} is not {expected}"
            );
        }
    }

    #[test]
    fn one_slow_sample_shows_in_the_mean_and_not_in_the_median() {
        let mut samples = Samples::numbers();
        for _ in 0..99 {
            samples.record_number(10);
        }
        samples.record_number(1_000_000);
        let found = samples.summary();
        assert_eq!((found.p50, found.p99), (10.0, 10.0));
        assert!(found.mean > 10_000.0);
    }

    #[test]
    fn no_samples_give_zeros() {
        assert_eq!(Samples::microseconds().summary(), Summary::single(0, 0.0));
    }

    #[test]
    fn endless_duration_is_kept_as_an_hour() {
        let mut samples = Samples::microseconds();
        samples.record(Duration::MAX);
        assert!(within_a_thousandth(samples.summary().p50, 3.6e9));
    }
}
