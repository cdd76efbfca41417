//! Calls by the minute: `function,workload,mean_ms,m1,m2,...`.
//!
//! One line a function: its name, what it does, the mean duration of a call in milliseconds, and how many calls
//! arrive in each minute.

use std::collections::HashSet;

use offshoot_decide::{MINUTE_US, Time};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{Call, Load, LoadError, LoadFunction, MOST_CALLS, field, is_span, line};

const COLUMNS: &str = "function,workload,mean_ms,m1,m2,...";

/// Calls by the minute.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Minutes {
    /// How many minutes each row has.
    pub minutes: usize,
    /// One function each.
    pub rows: Vec<MinutesRow>,
}

/// The calls of one function.
#[derive(Debug, Clone, PartialEq)]
pub struct MinutesRow {
    /// The function's name.
    pub function: String,
    /// What it does.
    pub workload: String,
    /// Mean duration of a call, in milliseconds.
    pub mean_ms: f64,
    /// Calls in each minute.
    pub calls: Vec<u32>,
}

impl Minutes {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`LoadError`], with the line.
    pub fn parse(text: &str) -> Result<Self, LoadError> {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let columns = reader.headers().map_err(LoadError::Csv)?.clone();
        check_columns(&columns)?;
        let minutes = columns.len() - 3;
        let mut found = Self {
            minutes,
            rows: Vec::new(),
        };
        let (mut names, mut total) = (HashSet::new(), 0);
        for record in reader.records() {
            let record = record.map_err(LoadError::Csv)?;
            let row = row(&record, &columns)?;
            total += row.calls.iter().map(|calls| u64::from(*calls)).sum::<u64>();
            if total > MOST_CALLS {
                return Err(LoadError::TooMany {
                    line: line(&record),
                    limit: MOST_CALLS,
                });
            }
            field::<String>(&record, 0, "new function", |name| {
                names.insert(name.clone())
            })?;
            found.rows.push(row);
        }
        Ok(found)
    }

    /// The file that [`Minutes::parse`] reads.
    pub fn to_csv(&self) -> String {
        let mut text = String::from("function,workload,mean_ms");
        for minute in 1..=self.minutes {
            text += &format!(",m{minute}");
        }
        text.push('\n');
        let mut writer = csv::Writer::from_writer(Vec::new());
        for row in &self.rows {
            let fields = [
                row.function.clone(),
                row.workload.clone(),
                format!("{:.1}", row.mean_ms),
            ];
            let counts = row.calls.iter().map(u32::to_string);
            // Into memory: there is nothing that could fail.
            let _ = writer.write_record(fields.into_iter().chain(counts));
        }
        let rows = writer.into_inner().unwrap_or_default();
        text + &String::from_utf8_lossy(&rows)
    }

    /// The calls, at times within their minutes that `seed` decides. The functions belong to `accounts` accounts
    /// in turn.
    pub fn load(&self, seed: u64, accounts: usize) -> Load {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut load = Load::default();
        for (number, row) in self.rows.iter().enumerate() {
            let function = number as u32;
            load.functions.push(LoadFunction {
                name: row.function.as_str().into(),
                account: format!("account-{}", number % accounts.max(1)).into(),
                workload: row.workload.as_str().into(),
            });
            let duration_us = (row.mean_ms * 1e3) as u64;
            for (minute, calls) in row.calls.iter().enumerate() {
                let begin = minute as u64 * MINUTE_US;
                load.calls.extend((0..*calls).map(|_| Call {
                    at: Time(begin + random.random_range(0..MINUTE_US)),
                    function,
                    duration_us,
                }));
            }
        }
        load.calls.sort_unstable();
        load
    }
}

fn check_columns(columns: &csv::StringRecord) -> Result<(), LoadError> {
    let mut names = columns.iter();
    let begins = ["function", "workload", "mean_ms"]
        .iter()
        .all(|name| names.next() == Some(*name));
    let counts = names
        .enumerate()
        .all(|(at, name)| name == format!("m{}", at + 1));
    if begins && counts && columns.len() > 3 {
        return Ok(());
    }
    let found = columns.iter().collect::<Vec<_>>().join(",");
    Err(LoadError::Columns {
        found,
        expected: COLUMNS,
    })
}

fn row(record: &csv::StringRecord, columns: &csv::StringRecord) -> Result<MinutesRow, LoadError> {
    let calls = (3..columns.len()).map(|at| field(record, at, &columns[at], |_| true));
    Ok(MinutesRow {
        function: field(record, 0, "function", |name: &String| !name.is_empty())?,
        workload: field(record, 1, "workload", |_| true)?,
        mean_ms: field(record, 2, "mean_ms", |mean| is_span(*mean, 1e3))?,
        calls: calls.collect::<Result<_, _>>()?,
    })
}
