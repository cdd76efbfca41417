//! Calls one by one: `app,func,end_timestamp,duration`.
//!
//! One line a call: whose it was and of which function, when it ended and how long it took, both in seconds.
//! An application stands for an account.

use std::collections::HashMap;

use offshoot_decide::{SECOND_US, Time};

use super::{Call, Load, LoadError, LoadFunction, field, is_span};

const COLUMNS: &str = "app,func,end_timestamp,duration";

/// Reads a file. Times are moved so that the first call arrives at 0. The files do not say what a function does:
/// its name stands for its workload.
///
/// # Errors
///
/// [`LoadError`], with the line.
pub fn parse_recorded(text: &str) -> Result<Load, LoadError> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let found = reader
        .headers()
        .map_err(LoadError::Csv)?
        .iter()
        .collect::<Vec<_>>()
        .join(",");
    if found != COLUMNS {
        return Err(LoadError::Columns {
            found,
            expected: COLUMNS,
        });
    }
    let mut load = Load::default();
    let mut numbers = HashMap::new();
    let mut begins = Vec::new();
    for record in reader.records() {
        let record = record.map_err(LoadError::Csv)?;
        let is_valid = |value: &f64| is_span(*value, SECOND_US as f64);
        let end: f64 = field(&record, 2, "end_timestamp", is_valid)?;
        let duration: f64 = field(&record, 3, "duration", is_valid)?;
        let names = (record[0].to_owned(), record[1].to_owned());
        let next = numbers.len() as u32;
        let function = *numbers.entry(names).or_insert(next);
        if function == next {
            load.functions.push(LoadFunction {
                name: format!("{}/{}", &record[0], &record[1]).into(),
                account: record[0].into(),
                workload: record[1].into(),
            });
        }
        begins.push((
            ((end - duration) * 1e6) as i64,
            function,
            (duration * 1e6) as u64,
        ));
    }
    let first = begins.iter().map(|(at, ..)| *at).min().unwrap_or(0);
    let calls = begins.into_iter().map(|(at, function, duration_us)| Call {
        at: Time(at.abs_diff(first)),
        function,
        duration_us,
    });
    load.calls.extend(calls);
    load.calls.sort_unstable();
    Ok(load)
}
