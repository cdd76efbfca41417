//! Load: which function is called when, and for how long.

mod generate;
mod minutes;
mod recorded;

use std::sync::Arc;

use offshoot_decide::Time;

pub use generate::{Shape, ShapeError};
pub use minutes::{Minutes, MinutesRow};
pub use recorded::parse_recorded;

/// One call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// When it arrives, from the start of the load.
    pub at: Time,
    /// An index into [`Load::functions`].
    pub function: u32,
    /// How long its handler runs, in microseconds.
    pub duration_us: u64,
}

/// A function that is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadFunction {
    /// Its name, unique in the load.
    pub name: Arc<str>,
    /// Whose it is.
    pub account: Arc<str>,
    /// What it does; decides how long its init takes and how much memory.
    pub workload: Arc<str>,
}

/// Calls, in the order of their arrival.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Load {
    /// The functions that are called.
    pub functions: Vec<LoadFunction>,
    /// The calls, sorted.
    pub calls: Vec<Call>,
}

/// Why a file is not a load.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Not CSV, or not as many fields in each line.
    #[error("the file is not CSV with one record a line")]
    Csv(#[source] csv::Error),
    /// The first line names other columns.
    #[error("the columns are {found:?}; expected are {expected:?}")]
    Columns {
        /// The first line.
        found: String,
        /// The columns of this format.
        expected: &'static str,
    },
    /// A field does not hold what its column says.
    #[error("line {line}: {value:?} is not a valid {column}")]
    Field {
        /// From 1, the first line being the columns' names.
        line: u64,
        /// The column's name.
        column: String,
        /// What was found.
        value: String,
    },
    /// More calls than anything here is made for.
    #[error("line {line}: more than {limit} calls")]
    TooMany {
        /// From 1.
        line: u64,
        /// The limit.
        limit: u64,
    },
}

/// The most calls of one load: what fits into a few gigabytes.
const MOST_CALLS: u64 = 100_000_000;

/// A field of a record, parsed and checked.
fn field<T: std::str::FromStr>(
    record: &csv::StringRecord,
    at: usize,
    column: &str,
    mut is_valid: impl FnMut(&T) -> bool,
) -> Result<T, LoadError> {
    let text = record.get(at).unwrap_or_default();
    text.parse()
        .ok()
        .filter(|value| is_valid(value))
        .ok_or_else(|| LoadError::Field {
            line: line(record),
            column: column.into(),
            value: text.into(),
        })
}

fn line(record: &csv::StringRecord) -> u64 {
    record.position().map_or(0, csv::Position::line)
}

/// A span that a file may state, in the unit of `per_us` microseconds: finite, not negative, under a year.
fn is_span(value: f64, per_us: f64) -> bool {
    (0.0..=365.0 * 86_400e6).contains(&(value * per_us))
}
