//! The form of a log line: `TIME <tab> STREAM <tab> TEXT`.

use chrono::{DateTime, SecondsFormat, Utc};

/// Appends one line.
pub(super) fn write(into: &mut Vec<u8>, at: DateTime<Utc>, stream: &str, text: &[u8]) {
    let time = at.to_rfc3339_opts(SecondsFormat::Millis, true);
    for part in [
        time.as_bytes(),
        b"\t",
        stream.as_bytes(),
        b"\t",
        text,
        b"\n",
    ] {
        into.extend_from_slice(part);
    }
}
