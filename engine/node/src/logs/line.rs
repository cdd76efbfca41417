//! The form of a log line: `TIME <tab> STREAM <tab> TEXT`.

use chrono::{DateTime, SecondsFormat, Utc};

/// What stands before the text.
pub(super) fn prefix(at: DateTime<Utc>, stream: &str) -> String {
    let time = at.to_rfc3339_opts(SecondsFormat::Millis, true);
    format!("{time}\t{stream}\t")
}

/// Appends one line.
pub(super) fn write(into: &mut Vec<u8>, prefix: &str, text: &[u8]) {
    for part in [prefix.as_bytes(), text, b"\n"] {
        into.extend_from_slice(part);
    }
}
