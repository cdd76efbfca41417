//! Invocations, whole or streamed.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Method};

use super::client::{Call, Client, segment};
use super::error::ApiError;
use super::functions::function;
use super::stream::StreamedResponse;

/// A function runs for at most 900 s; the rest is for its start and the way.
const INVOKE_TIMEOUT: Duration = Duration::from_secs(1_000);

/// How to invoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Wait for the response.
    RequestResponse,
    /// Queue the event.
    Event,
}

/// An invocation.
#[derive(Debug)]
pub struct Invocation<'a> {
    /// Name or ARN.
    pub function: &'a str,
    /// Version or alias.
    pub qualifier: Option<&'a str>,
    /// The event.
    pub payload: Bytes,
    /// Whether to wait.
    pub mode: Mode,
    /// Whether the log's end shall come along.
    pub tail: bool,
    /// JSON for the runtime's client context.
    pub client_context: Option<&'a str>,
    /// Whether to measure the stages.
    pub stages: bool,
}

/// What came back.
#[derive(Debug)]
pub struct Invoked {
    /// The response, or the function's error object.
    pub payload: Bytes,
    /// `Unhandled`, or the like, if the function failed.
    pub function_error: Option<String>,
    /// The end of the log, decoded.
    pub log_tail: Option<Vec<u8>>,
    /// The id of the request.
    pub request_id: Option<String>,
    /// `cold` or `hot`.
    pub start: Option<String>,
    /// The stages' times, as the header has them.
    pub stages: Option<String>,
}

impl Client {
    /// Invoke.
    pub async fn invoke(&self, invocation: &Invocation<'_>) -> Result<Invoked, ApiError> {
        let path = format!("{}/invocations", function(invocation.function));
        let mode = match invocation.mode {
            Mode::RequestResponse => "RequestResponse",
            Mode::Event => "Event",
        };
        let call = common("Invoke", path, invocation).header("x-amz-invocation-type", mode);
        let answer = self.send(call).await?;
        let text = |name| header(&answer.headers, name);
        Ok(Invoked {
            function_error: text("x-amz-function-error"),
            log_tail: text("x-amz-log-result").and_then(|log| STANDARD.decode(log).ok()),
            request_id: text("x-amzn-requestid"),
            start: text("x-offshoot-start"),
            stages: text("x-offshoot-stages"),
            payload: answer.body,
        })
    }

    /// InvokeWithResponseStream.
    pub async fn invoke_streamed(
        &self,
        invocation: &Invocation<'_>,
    ) -> Result<StreamedResponse<'_>, ApiError> {
        let operation = "InvokeWithResponseStream";
        let path = format!(
            "/2021-11-15/functions/{}/response-streaming-invocations",
            segment(invocation.function)
        );
        let response = self.open(common(operation, path, invocation)).await?;
        if !response.status().is_success() {
            return Err(self.refusal(operation, response).await);
        }
        Ok(StreamedResponse::new(self, operation, response))
    }
}

fn common(operation: &'static str, path: String, invocation: &Invocation<'_>) -> Call {
    let mut call = Call::new(operation, Method::POST, path)
        .query("Qualifier", invocation.qualifier)
        .header("content-type", "application/json");
    if invocation.tail {
        call = call.header("x-amz-log-type", "Tail");
    }
    if let Some(context) = invocation.client_context {
        call = call.header("x-amz-client-context", STANDARD.encode(context));
    }
    if invocation.stages {
        call = call.header("x-offshoot-stages", "1");
    }
    call.timeout = Some(INVOKE_TIMEOUT);
    call.body = invocation.payload.clone();
    call
}

pub(super) fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned)
}
