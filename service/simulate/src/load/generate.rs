//! Load that is made up, shaped like what was published of Azure's: few functions get most calls, durations
//! spread over orders of magnitude, some functions come in bursts, and the day has a rhythm.

use std::f64::consts::TAU;

use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, LogNormal, Poisson};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{MOST_CALLS, Minutes, MinutesRow};

/// What generated functions do, in turn.
const WORKLOADS: [&str; 8] = [
    "json_serdes",
    "pyaes",
    "chameleon",
    "matmul_fb",
    "image_rotate",
    "linpack",
    "cnn_serving",
    "rnn_serving",
];
/// A bursty function is called in one minute of so many, and then so many times as much.
const BURST: u32 = 8;

/// The shape of a load. Two loads of the same shape are the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// How many functions there are.
    pub functions: usize,
    /// How long the load is.
    pub minutes: usize,
    /// Calls a minute of all functions together, in the mean over a day.
    pub calls_per_minute: f64,
    /// The function of rank k gets calls in proportion to k to the power of minus this.
    pub skew: f64,
    /// Median over the functions of the duration of a call, in milliseconds.
    pub duration_median_ms: f64,
    /// Standard deviation of the durations' logarithms.
    pub duration_spread: f64,
    /// Share of functions whose calls come in bursts, from 0 to 1.
    pub bursty: f64,
    /// How far the day's rhythm departs from the mean, from 0 to 1.
    pub diurnal: f64,
    /// Length of a day, in minutes.
    pub day_minutes: f64,
    /// Decides everything that is left to chance.
    pub seed: u64,
}

/// Why a shape has no load.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ShapeError {
    /// A figure is not finite, or not within its range.
    #[error("{field} is {value}; it must be within {range}")]
    Field {
        /// Which.
        field: &'static str,
        /// What it is.
        value: f64,
        /// What it may be.
        range: &'static str,
    },
    /// More calls, or more rows times minutes, than anything here is made for.
    #[error("the load would have more than {limit} calls or counts")]
    TooMany {
        /// The limit.
        limit: u64,
    },
}

impl Default for Shape {
    /// An hour of 1,000 functions: one in ten gets nine calls of ten.
    fn default() -> Self {
        Self {
            functions: 1000,
            minutes: 60,
            calls_per_minute: 900.0,
            skew: 1.3,
            duration_median_ms: 100.0,
            duration_spread: 1.5,
            bursty: 0.2,
            diurnal: 0.5,
            day_minutes: 1440.0,
            seed: 1,
        }
    }
}

impl Shape {
    /// The load, by the minute.
    ///
    /// # Errors
    ///
    /// [`ShapeError`], with the field.
    pub fn generate(&self) -> Result<Minutes, ShapeError> {
        self.check()?;
        let mut random = Xoshiro256PlusPlus::seed_from_u64(self.seed);
        let weights: Vec<f64> = (1..=self.functions)
            .map(|rank| (rank as f64).powf(-self.skew))
            .collect();
        let total: f64 = weights.iter().sum();
        let field = ShapeError::Field {
            field: "duration_spread",
            value: self.duration_spread,
            range: "0 to 10",
        };
        let durations = LogNormal::new(self.duration_median_ms.ln(), self.duration_spread)
            .map_err(|_| field)?;
        let rows = weights.iter().enumerate().map(|(number, weight)| {
            let per_minute = self.calls_per_minute * weight / total;
            MinutesRow {
                function: format!("g{number:05}"),
                workload: WORKLOADS[number % WORKLOADS.len()].into(),
                mean_ms: durations.sample(&mut random).clamp(1.0, 600_000.0).round(),
                calls: self.counts(&mut random, per_minute),
            }
        });
        Ok(Minutes {
            minutes: self.minutes,
            rows: rows.collect(),
        })
    }

    fn counts(&self, random: &mut Xoshiro256PlusPlus, per_minute: f64) -> Vec<u32> {
        let is_bursty = random.random_bool(self.bursty);
        let minutes = 0..self.minutes;
        minutes
            .map(|minute| {
                let burst = match is_bursty {
                    true if random.random_ratio(1, BURST) => f64::from(BURST),
                    true => 0.0,
                    false => 1.0,
                };
                let rhythm = 1.0 + self.diurnal * (TAU * minute as f64 / self.day_minutes).sin();
                // A mean of 0 is no distribution: no calls.
                Poisson::new(per_minute * rhythm * burst)
                    .map_or(0, |calls| calls.sample(random) as u32)
            })
            .collect()
    }

    fn check(&self) -> Result<(), ShapeError> {
        let within = |field, value: f64, least: f64, most: f64, range| {
            let is_within = (least..=most).contains(&value);
            is_within.then_some(()).ok_or(ShapeError::Field {
                field,
                value,
                range,
            })
        };
        within("functions", self.functions as f64, 1.0, 1e6, "1 to 1000000")?;
        within("minutes", self.minutes as f64, 1.0, 1e5, "1 to 100000")?;
        within(
            "calls_per_minute",
            self.calls_per_minute,
            0.0,
            1e7,
            "0 to 10000000",
        )?;
        within("skew", self.skew, 0.0, 10.0, "0 to 10")?;
        within(
            "duration_median_ms",
            self.duration_median_ms,
            0.001,
            6e5,
            "0.001 to 600000",
        )?;
        within(
            "duration_spread",
            self.duration_spread,
            0.0,
            10.0,
            "0 to 10",
        )?;
        within("bursty", self.bursty, 0.0, 1.0, "0 to 1")?;
        within("diurnal", self.diurnal, 0.0, 1.0, "0 to 1")?;
        within("day_minutes", self.day_minutes, 1.0, 1e6, "1 to 1000000")?;
        let counts = self.functions as f64 * self.minutes as f64;
        let calls = self.calls_per_minute * self.minutes as f64;
        if counts.max(calls) > MOST_CALLS as f64 {
            return Err(ShapeError::TooMany { limit: MOST_CALLS });
        }
        Ok(())
    }
}
