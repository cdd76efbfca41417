//! What every implementation of the traits must do, whatever is below.
#![allow(clippy::unwrap_used, dead_code)]

pub mod queue;
pub mod registry;

use bytes::Bytes;
use offshoot_state::Event;

/// An event with payload `hello`, visible at `visible_at_ms`.
pub fn event(request_id: &str, visible_at_ms: i64) -> Event {
    Event {
        request_id: request_id.into(),
        function: "resize".into(),
        qualifier: Some("live".into()),
        version: "7".into(),
        invoked_arn: "arn:aws:lambda:us-east-1:000000000000:function:resize:live".into(),
        payload: Bytes::from_static(b"hello"),
        client_context: Some("{}".into()),
        trace_id: None,
        accepted_at_ms: visible_at_ms,
        max_attempts: 3,
        max_age_ms: 60_000,
        visible_at_ms,
    }
}
