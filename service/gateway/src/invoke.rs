//! Invoke: synchronous, asynchronous, and dry run.

use std::sync::Arc;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;
use hyper::Request;
use hyper::body::Incoming;
use offshoot_dispatch::Found;
use offshoot_events::NewEvent;
use offshoot_lambda::error::{ApiError, ErrorKind};
use offshoot_lambda::limits::{
    ASYNC_EVENT_MAX_BYTES, CLIENT_CONTEXT_MAX_BYTES, SYNC_REQUEST_MAX_BYTES,
};
use offshoot_lambda::operation::Route;
use offshoot_node::{Answer as FunctionAnswer, Event, Outcome, Reply};

use crate::body::{Answer, json, set, whole};
use crate::{Gateway, identify, intake, rescue};

/// `X-Amz-Invocation-Type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InvocationType {
    RequestResponse,
    Event,
    DryRun,
}

/// What the headers of an invocation ask for.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    pub(crate) tail: bool,
    pub(crate) stages: bool,
    pub(crate) client_context: Option<String>,
    pub(crate) trace_id: Option<String>,
    pub(crate) tenant_id: Option<String>,
}

pub(crate) async fn answer(
    gateway: &Arc<Gateway>,
    route: &Route,
    request: Request<Incoming>,
    request_id: &Arc<str>,
) -> Result<Answer, ApiError> {
    let arrived = Instant::now();
    let (parts, body) = request.into_parts();
    let query = parts.uri.query().unwrap_or_default();
    let named = identify::named(route, query, &gateway.parts.home)?;
    let kind = invocation_type(&parts)?;
    let wishes = Wishes::read(&parts)?;
    let limit = if kind == InvocationType::Event {
        ASYNC_EVENT_MAX_BYTES
    } else {
        SYNC_REQUEST_MAX_BYTES
    };
    let payload = intake::read(body, limit)
        .await
        .map_err(|error| error.into_api(ErrorKind::RequestTooLarge, "InvokeFunction"))?;
    gateway.parts.keys.verify(&parts, &payload).await?;
    let payload = checked(payload)?;
    let found = gateway
        .parts
        .dispatch
        .find(&named.function, named.qualifier.as_deref())
        .map_err(|error| rescue::catalog(&error))?;
    match kind {
        InvocationType::DryRun => Ok(whole(StatusCode::NO_CONTENT, Bytes::new())),
        InvocationType::Event => accept(gateway, named, &found, wishes, payload, request_id).await,
        InvocationType::RequestResponse => {
            let stages = wishes.stages;
            let event = event(request_id, &found, wishes, payload, arrived);
            let outcome = gateway
                .parts
                .dispatch
                .invoke(&found, event, Reply::Whole)
                .await
                .map_err(|error| rescue::invoke(&error))?;
            Ok(answered(&found, outcome, stages))
        }
    }
}

/// The answer to a synchronous invocation: status 200, whatever the function did.
fn answered(found: &Found, outcome: Outcome, stages: bool) -> Answer {
    // The worker runs this task right after the answer has gone out.
    let log = outcome.log;
    tokio::spawn(async move { drop(log) });
    let (body, failed) = match outcome.answer {
        FunctionAnswer::Response(body) => (body, false),
        FunctionAnswer::Streamed => (Bytes::new(), false),
        FunctionAnswer::Failure(failure) => (failure.body, true),
    };
    let mut answer = json(StatusCode::OK, body);
    set(&mut answer, "x-amz-executed-version", found.version());
    if failed {
        set(&mut answer, "x-amz-function-error", "Unhandled");
    }
    if let Some(tail) = outcome.log_tail {
        set(&mut answer, "x-amz-log-result", &STANDARD.encode(tail));
    }
    if stages {
        set(
            &mut answer,
            "x-offshoot-stages",
            &outcome.stages.to_string(),
        );
        set(&mut answer, "x-offshoot-start", outcome.rung.name());
    }
    answer
}

/// Stores an asynchronous event; 202 is answered only when it is on disk.
async fn accept(
    gateway: &Gateway,
    named: identify::Named,
    found: &Found,
    wishes: Wishes,
    payload: Bytes,
    request_id: &Arc<str>,
) -> Result<Answer, ApiError> {
    let event = NewEvent {
        request_id: request_id.to_string(),
        function: named.function,
        qualifier: named.qualifier,
        version: found.version().to_owned(),
        invoked_arn: found.invoked_arn.to_string(),
        payload,
        client_context: wishes.client_context,
        trace_id: wishes.trace_id,
        max_attempts: found.policy.max_attempts,
        max_age_ms: found.policy.max_age_ms,
    };
    gateway
        .parts
        .events
        .accept(event)
        .await
        .map_err(|error| rescue::accept(&error))?;
    Ok(whole(StatusCode::ACCEPTED, Bytes::new()))
}

/// The event of an invocation that arrived at `arrived`.
pub(crate) fn event(
    request_id: &Arc<str>,
    found: &Found,
    wishes: Wishes,
    payload: Bytes,
    arrived: Instant,
) -> Event {
    Event {
        request_id: Arc::clone(request_id),
        payload,
        invoked_arn: Arc::clone(&found.invoked_arn),
        trace_id: wishes.trace_id,
        client_context: wishes.client_context,
        cognito_identity: None,
        tenant_id: wishes.tenant_id,
        wants_tail: wishes.tail,
        queued: arrived.elapsed(),
    }
}

/// A payload that is JSON. No bytes at all mean `{}`: SDKs send nothing when no payload is given, and official
/// runtime clients fail on an empty event.
pub(crate) fn checked(payload: Bytes) -> Result<Bytes, ApiError> {
    if payload.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    let problem = match std::str::from_utf8(&payload) {
        Err(error) => error.to_string(),
        // IgnoredAny walks the text without building values and without recursion.
        Ok(text) => match serde_json::from_str::<serde::de::IgnoredAny>(text) {
            Ok(_) => return Ok(payload),
            Err(error) => error.to_string(),
        },
    };
    let message = format!("Could not parse request body into json: {problem}");
    Err(ApiError::new(ErrorKind::InvalidRequestContent, message))
}

fn invocation_type(parts: &Parts) -> Result<InvocationType, ApiError> {
    match header(parts, "x-amz-invocation-type") {
        None | Some("RequestResponse") => Ok(InvocationType::RequestResponse),
        Some("Event") => Ok(InvocationType::Event),
        Some("DryRun") => Ok(InvocationType::DryRun),
        Some(other) => Err(not_in_set(
            other,
            "invocationType",
            "Event, RequestResponse, DryRun",
        )),
    }
}

impl Wishes {
    pub(crate) fn read(parts: &Parts) -> Result<Self, ApiError> {
        let tail = match header(parts, "x-amz-log-type") {
            None | Some("None") => false,
            Some("Tail") => true,
            Some(other) => return Err(not_in_set(other, "logType", "None, Tail")),
        };
        let owned = |name| header(parts, name).map(str::to_owned);
        Ok(Self {
            tail,
            stages: header(parts, "x-offshoot-stages").is_some(),
            client_context: header(parts, "x-amz-client-context")
                .map(client_context)
                .transpose()?,
            trace_id: owned("x-amzn-trace-id"),
            tenant_id: owned("x-amz-tenant-id"),
        })
    }
}

/// The client context: base64 of a JSON object.
fn client_context(encoded: &str) -> Result<String, ApiError> {
    let invalid = |message: &str| ApiError::new(ErrorKind::InvalidRequestContent, message);
    if encoded.len() > CLIENT_CONTEXT_MAX_BYTES {
        return Err(invalid(
            "Client context must be no more than 3583 bytes when base64-encoded",
        ));
    }
    let bytes = STANDARD
        .decode(encoded)
        .map_err(|_| invalid("Client context must be a valid Base64-encoded JSON object"))?;
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&bytes)
        .map_err(|_| invalid("Client context must be a valid Base64-encoded JSON object"))?;
    // Written anew, it has no line ends and can travel in a header of the Runtime API.
    Ok(serde_json::Value::Object(object).to_string())
}

fn header<'p>(parts: &'p Parts, name: &str) -> Option<&'p str> {
    parts.headers.get(name)?.to_str().ok()
}

fn not_in_set(value: &str, member: &str, set: &str) -> ApiError {
    let message = format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: \
         Member must satisfy enum value set: [{set}]"
    );
    ApiError::new(ErrorKind::Validation, message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_empty_payload_is_an_empty_object() {
        assert_eq!(checked(Bytes::new()).unwrap(), "{}");
    }

    #[test]
    fn what_is_not_json_is_refused_and_depth_does_no_harm() {
        for bad in [&b"{"[..], b"{}x", b"\xff", b"{\"a\":1e}", b"nul"] {
            let refused = checked(Bytes::copy_from_slice(bad)).unwrap_err();
            assert_eq!(refused.kind, ErrorKind::InvalidRequestContent);
        }
        let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
        assert!(checked(deep.into()).is_ok());
    }

    #[test]
    fn client_context_must_be_an_object_in_base64() {
        assert_eq!(
            client_context(&STANDARD.encode("{ \"a\": 1 }")).unwrap(),
            r#"{"a":1}"#
        );
        assert!(client_context("%%%").is_err());
        assert!(client_context(&STANDARD.encode("[1]")).is_err());
    }
}
