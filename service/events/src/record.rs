//! The record of an event that a destination gets (AWS Lambda Developer Guide, "Capturing records of Lambda
//! asynchronous invocations").

use bytes::Bytes;
use chrono::{SecondsFormat, Utc};
use offshoot_state::Event;
use serde_json::{Value, json};

/// Why the record is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    Success,
    RetriesExhausted,
    EventAgeExceeded,
}

impl Condition {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::RetriesExhausted => "RetriesExhausted",
            Self::EventAgeExceeded => "EventAgeExceeded",
        }
    }
}

/// What the last run gave, if there was one.
#[derive(Debug, Clone)]
pub(crate) struct LastRun {
    pub(crate) response: Bytes,
    pub(crate) executed_version: String,
    pub(crate) failed: bool,
}

/// The record, JSON.
pub(crate) fn record(
    event: &Event,
    condition: Condition,
    runs: u32,
    last: Option<&LastRun>,
) -> Bytes {
    let mut record = json!({
        "version": "1.0",
        "timestamp": Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
        "requestContext": {
            "requestId": event.request_id,
            "functionArn": event.invoked_arn,
            "condition": condition.name(),
            "approximateInvokeCount": runs,
        },
        "requestPayload": parsed(&event.payload),
    });
    if let Some(last) = last {
        record["responseContext"] =
            json!({ "statusCode": 200, "executedVersion": last.executed_version });
        if last.failed {
            record["responseContext"]["functionError"] = json!("Unhandled");
        }
        record["responsePayload"] = parsed(&last.response);
    }
    record.to_string().into()
}

/// JSON as such, anything else as text.
fn parsed(bytes: &Bytes) -> Value {
    serde_json::from_slice(bytes)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).into_owned()))
}
