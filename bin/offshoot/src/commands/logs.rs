//! `offshoot logs`: lines of `TIME <tab> STREAM <tab> TEXT`.

use chrono::{DateTime, Duration, Utc};
use clap::Args;
use serde_json::json;

use super::about_function;
use crate::cli::Context;
use crate::console::{Console, OutputError, visible};
use crate::report::Failure;

/// How often a follower looks whether it still has a reader.
const LOOK_INTERVAL: std::time::Duration = std::time::Duration::from_secs(1);

/// Which log, and how much of it.
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// The function
    name: String,
    /// Stay, and show what is added
    #[arg(short, long)]
    follow: bool,
    /// How much of the log's end to show, in bytes
    #[arg(long, value_name = "N", default_value_t = 65_536)]
    bytes: u64,
    /// Only lines since then: 90s, 10m, 2h, 1d, or a time such as 2026-11-20T20:00:00Z
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<DateTime<Utc>>,
}

/// Runs the command.
pub async fn run(args: &LogsArgs, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    let lines = client.logs(&args.name, args.follow, args.bytes).await;
    let mut lines = match lines {
        Ok(lines) => lines,
        Err(error) => return Err(about_function(&client, &args.name, error).await),
    };
    // Nothing may be written for long, so a reader that goes away is looked for.
    let mut look = tokio::time::interval(LOOK_INTERVAL);
    loop {
        let line = tokio::select! {
            line = lines.next() => line?,
            _ = look.tick() => {
                if context.console.reader_is_gone() {
                    return Ok(());
                }
                continue;
            }
        };
        let Some(line) = line else { return Ok(()) };
        let parts = Parts::of(&line);
        if parts.is_since(args.since) {
            show(&context.console, &line, &parts)?;
        }
    }
}

struct Parts {
    time: String,
    stream: String,
    text: String,
}

impl Parts {
    fn of(line: &[u8]) -> Self {
        let line = String::from_utf8_lossy(line);
        let mut parts = line.splitn(3, '\t').map(str::to_owned);
        match (parts.next(), parts.next(), parts.next()) {
            (Some(time), Some(stream), Some(text)) => Self { time, stream, text },
            _ => Self {
                time: String::new(),
                stream: String::new(),
                text: line.clone().into_owned(),
            },
        }
    }

    /// Lines without a time are always shown.
    fn is_since(&self, since: Option<DateTime<Utc>>) -> bool {
        let time = DateTime::parse_from_rfc3339(&self.time);
        since
            .zip(time.ok())
            .is_none_or(|(since, time)| time >= since)
    }
}

fn show(console: &Console, line: &[u8], parts: &Parts) -> Result<(), OutputError> {
    if console.json_was_asked_for() {
        let object = json!({ "time": parts.time, "stream": parts.stream, "text": parts.text });
        console.line(&object.to_string())
    } else if console.is_terminal() {
        console.line(&format!(
            "{} {}",
            visible(&parts.time),
            visible(&parts.text)
        ))
    } else {
        let mut line = line.to_vec();
        line.push(b'\n');
        console.data(&line)
    }
}

fn since(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    let wrong = || "write 90s, 10m, 2h, 1d, or a time such as 2026-11-20T20:00:00Z".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let number: i64 = text
        .strip_suffix(unit)
        .and_then(|number| number.parse().ok())
        .ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let age = number
        .checked_mul(seconds)
        .filter(|age| *age >= 0)
        .and_then(Duration::try_seconds);
    age.and_then(|age| Utc::now().checked_sub_signed(age))
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ages_and_times_are_understood_and_nonsense_is_not() {
        let age = Utc::now() - since("10m").unwrap();
        assert!((age.num_seconds() - 600).abs() <= 1);
        assert_eq!(
            since("2026-11-20T20:00:00Z").unwrap().timestamp(),
            1_795_204_800
        );
        for text in ["", "10", "m", "-5m", "10y", "9223372036854775807d", "ä"] {
            assert!(since(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_line_has_three_parts_and_the_last_may_have_tabs() {
        let parts = Parts::of(b"2026-11-20T20:00:00.000Z\tstdout\ta\tb");
        assert_eq!(
            (parts.stream.as_str(), parts.text.as_str()),
            ("stdout", "a\tb")
        );
        assert!(
            !parts.is_since(Some(
                DateTime::parse_from_rfc3339("2026-11-21T00:00:00Z")
                    .unwrap()
                    .to_utc()
            ))
        );
        assert!(Parts::of(b"garbage").is_since(Some(Utc::now())));
    }
}
