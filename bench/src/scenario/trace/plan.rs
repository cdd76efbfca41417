//! What is replayed: a trace, cut and compressed.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use offshoot_simulate::{Load, Minutes, parse_recorded};

use super::mapping;

/// Without a factor that is asked for, a run lasts so long.
const RUN_S: u64 = 75;
/// A keep-alive window is a whole number of seconds, and that of a minute must not become none.
const MOST_COMPRESS: u64 = 60;
/// Calls by the minute arrive at times that this decides.
const SEED: u64 = 1;
const MINUTE_US: u64 = 60_000_000;

/// A function that is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Played {
    /// Under which it is deployed.
    pub(super) name: String,
    /// The workload that plays it.
    pub(super) workload: &'static str,
}

/// A call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    /// When it is sent, from the start of the replay.
    pub(super) at: Duration,
    /// An index into [`Plan::functions`].
    pub(super) function: usize,
}

/// A trace, ready to be replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) functions: Vec<Played>,
    /// In the order of their times.
    pub(super) calls: Vec<Due>,
    /// By what times were divided.
    pub(super) compress: u64,
    /// How long the replay lasts.
    pub(super) span: Duration,
}

/// Reads a trace of either format.
pub(super) fn read(text: &str) -> anyhow::Result<Load> {
    let is_by_minute = text.starts_with("function,");
    let load = if is_by_minute {
        Minutes::parse(text).map(|minutes| minutes.load(SEED, 1))
    } else {
        parse_recorded(text)
    };
    load.context("it is not a trace")
}

/// Cuts off what is beyond the first `minutes`, and compresses what is left.
pub(super) fn plan(
    load: &Load,
    minutes: Option<u32>,
    compress: Option<u32>,
) -> anyhow::Result<Plan> {
    let end_us = minutes.map_or(u64::MAX, |minutes| u64::from(minutes) * MINUTE_US);
    let kept: Vec<_> = load
        .calls
        .iter()
        .take_while(|call| call.at.0 < end_us)
        .collect();
    let last = kept.last().context("the trace has no calls in that time")?;
    // Whole minutes, as the trace was recorded.
    let span_us = (last.at.0 / MINUTE_US + 1) * MINUTE_US;
    let compress = compress.map_or_else(|| usual_factor(span_us), u64::from);
    let mut of_function: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    for call in &kept {
        let (calls, total_us) = of_function.entry(call.function).or_default();
        *calls += 1;
        *total_us = total_us.saturating_add(call.duration_us);
    }
    let places: BTreeMap<u32, usize> = of_function.keys().copied().zip(0..).collect();
    let functions = of_function.iter().zip(0..);
    let functions = functions.map(|((function, (calls, total_us)), number)| {
        let what = &load.functions[*function as usize].workload;
        let mean_ms = *total_us as f64 / *calls as f64 / 1e3;
        Played {
            name: format!("trace-{number:04}"),
            workload: mapping::workload(what, mean_ms, number),
        }
    });
    let calls = kept.iter().map(|call| Due {
        at: Duration::from_micros(call.at.0 / compress),
        function: places[&call.function],
    });
    Ok(Plan {
        functions: functions.collect(),
        calls: calls.collect(),
        compress,
        span: Duration::from_micros(span_us / compress),
    })
}

fn usual_factor(span_us: u64) -> u64 {
    span_us.div_ceil(RUN_S * 1_000_000).clamp(1, MOST_COMPRESS)
}

/// A keep-alive window of so many minutes, compressed, in whole seconds.
pub(super) fn window_s(minutes: u64, compress: u64) -> u64 {
    let compress = compress.max(1);
    ((minutes * 60 + compress / 2) / compress).max(1)
}

/// What a path calls a trace: the name of the file.
pub(super) fn name(path: &std::path::Path) -> anyhow::Result<String> {
    let stem = path.file_stem().and_then(std::ffi::OsStr::to_str);
    let stem = stem.context("the trace has no name")?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    ensure!(
        stem.bytes().all(is_plain),
        "the trace's name {stem:?} has other characters than letters, digits, dots, - and _"
    );
    Ok(stem.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::path::Path;

    const RECORDED: &str = "app,func,end_timestamp,duration\n\
        a,quick,0.004,0.004\n\
        a,slow,90.0,30.0\n\
        b,late,125.0,0.5\n";

    #[test]
    fn recorded_calls_are_cut_and_their_times_divided() {
        let load = read(RECORDED).unwrap();
        let whole = plan(&load, None, Some(10)).unwrap();
        let at: Vec<_> = whole.calls.iter().map(|call| call.at.as_millis()).collect();
        assert_eq!(at, [0, 6000, 12_450]);
        assert_eq!(
            (whole.span, whole.functions.len()),
            (Duration::from_secs(18), 3)
        );
        assert_eq!(whole.functions[1].workload, "node-crypto");

        let cut = plan(&load, Some(1), Some(10)).unwrap();
        assert_eq!((cut.calls.len(), cut.functions.len()), (1, 1));
        assert_eq!(cut.span, Duration::from_secs(6));
    }

    #[test]
    fn functions_without_calls_in_that_time_are_not_deployed() {
        let text = "function,workload,mean_ms,m1,m2\n\
            x,video_processing,1624.0,0,4\n\
            y,pyaes,9.0,2,0\n";
        let cut = plan(&read(text).unwrap(), Some(1), None).unwrap();
        let played = Played {
            name: "trace-0000".into(),
            workload: "pyaes",
        };
        assert_eq!((cut.functions, cut.calls.len()), (vec![played], 2));
    }

    #[test]
    fn usual_factor_makes_a_run_last_about_a_minute() {
        assert_eq!(usual_factor(5 * MINUTE_US), 4);
        assert_eq!(usual_factor(20 * MINUTE_US), 16);
        assert_eq!(usual_factor(MINUTE_US), 1);
        assert_eq!(usual_factor(u64::MAX), MOST_COMPRESS);
    }

    #[test]
    fn windows_shrink_with_the_trace_and_are_never_none() {
        assert_eq!(
            [1, 4, 7, 60].map(|factor| window_s(10, factor)),
            [600, 150, 86, 10]
        );
        assert_eq!(
            [1, 4, 7, 60].map(|factor| window_s(1, factor)),
            [60, 15, 9, 1]
        );
        assert_eq!(window_s(1, 500), 1);
    }

    #[test]
    fn what_is_no_trace_is_refused() {
        for text in ["", "a,b\n1,2\n", "function,workload,mean_ms\n"] {
            assert!(read(text).is_err(), "{text}");
        }
        let empty = read("app,func,end_timestamp,duration\n").unwrap();
        assert!(plan(&empty, None, None).is_err());
        assert_eq!(name(Path::new("/x/azure-5min.csv")).unwrap(), "azure-5min");
        assert!(name(Path::new("/x/a<b>.csv")).is_err() && name(Path::new("/")).is_err());
    }
}
