//! A small client of the Lambda API: plain HTTP, no signature, as a daemon takes it on loopback.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::function::FunctionSpec;

/// No call may take longer; above the longest timeout of a function under test.
const CALL_LIMIT: Duration = Duration::from_secs(60);
const POLL_PAUSE: Duration = Duration::from_millis(20);

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No whole answer came: whether the request was carried out is not known.
    #[error("{call} got no answer: {reason}")]
    NoAnswer {
        /// Method and path.
        call: String,
        /// What the transport says.
        reason: String,
    },
    /// The daemon refused.
    #[error("{call} was refused with {status} {kind}: {message}")]
    Refused {
        /// Method and path.
        call: String,
        /// The HTTP status.
        status: u16,
        /// The `x-amzn-ErrorType` header.
        kind: String,
        /// The message of the body, or the body.
        message: String,
    },
    /// The answer is not what the API promises.
    #[error("{call} was answered with something else: {what}")]
    Unexpected {
        /// Method and path.
        call: String,
        /// The fault.
        what: String,
    },
    /// A state that was waited for did not come.
    #[error("function {function} was not ready after {waited_s} s; its last state is {state}")]
    NotReady {
        /// Its name.
        function: String,
        /// How long, in seconds.
        waited_s: u64,
        /// What was last seen.
        state: String,
    },
}

/// The answer to an invocation.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The HTTP status: 200, 202 or 204.
    pub status: u16,
    /// All headers.
    pub headers: HeaderMap,
    /// The function's response, or its error document.
    pub payload: Bytes,
}

impl Invocation {
    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// `x-amzn-RequestId`.
    pub fn request_id(&self) -> Option<&str> {
        self.header("x-amzn-requestid")
    }

    /// `X-Amz-Function-Error`: set if the function failed.
    pub fn function_error(&self) -> Option<&str> {
        self.header("x-amz-function-error")
    }

    /// The payload as JSON.
    pub fn json(&self) -> serde_json::Result<Value> {
        serde_json::from_slice(&self.payload)
    }
}

/// How many events there are in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct EventCounts {
    /// Accepted, not begun.
    pub waiting: u64,
    /// Being run.
    pub claimed: u64,
    /// Given up.
    pub dead: u64,
}

/// A client of one daemon. Clones share their connections.
#[derive(Debug, Clone)]
pub struct LambdaClient {
    base_url: String,
    http: Client<HttpConnector, Full<Bytes>>,
}

impl LambdaClient {
    /// A client of the daemon at `base_url`, such as `http://127.0.0.1:9000`.
    pub fn new(base_url: impl Into<String>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        // An event whose connection broke may have been accepted: to send it again is the caller's choice.
        let http = Client::builder(TokioExecutor::new())
            .retry_canceled_requests(false)
            .build(connector);
        Self {
            base_url: base_url.into(),
            http,
        }
    }

    /// CreateFunction from a zip archive.
    pub async fn create_function(
        &self,
        function: &FunctionSpec,
        zip: &[u8],
    ) -> Result<Value, ClientError> {
        let variables: serde_json::Map<_, _> = function
            .environment
            .iter()
            .map(|(k, v)| (k.clone(), v.as_str().into()))
            .collect();
        let body = json!({
            "FunctionName": function.name,
            "Runtime": function.runtime,
            "Role": "arn:aws:iam::000000000000:role/offshoot",
            "Handler": function.handler,
            "MemorySize": function.memory_mb,
            "Timeout": function.timeout_s,
            "Environment": { "Variables": variables },
            "Code": { "ZipFile": BASE64.encode(zip) },
        });
        self.json(Method::POST, "/2015-03-31/functions", Some(&body))
            .await
    }

    /// UpdateFunctionConfiguration: `changes` has the fields of the API, such as `Description`.
    pub async fn update_configuration(
        &self,
        function: &str,
        changes: &Value,
    ) -> Result<Value, ClientError> {
        let path = format!("/2015-03-31/functions/{function}/configuration");
        self.json(Method::PUT, &path, Some(changes)).await
    }

    /// UpdateFunctionCode from a zip archive.
    pub async fn update_code(&self, function: &str, zip: &[u8]) -> Result<Value, ClientError> {
        let path = format!("/2015-03-31/functions/{function}/code");
        let body = json!({ "ZipFile": BASE64.encode(zip) });
        self.json(Method::PUT, &path, Some(&body)).await
    }

    /// GetFunctionConfiguration.
    pub async fn configuration(&self, function: &str) -> Result<Value, ClientError> {
        let path = format!("/2015-03-31/functions/{function}/configuration");
        self.json(Method::GET, &path, None).await
    }

    /// DeleteFunction.
    pub async fn delete(&self, function: &str) -> Result<(), ClientError> {
        let path = format!("/2015-03-31/functions/{function}");
        self.call(Method::DELETE, &path, &[], Bytes::new())
            .await
            .map(drop)
    }

    /// Waits as the SDKs' waiters do: `State` is `Active` and `LastUpdateStatus` is `Successful`.
    pub async fn wait(&self, function: &str, limit: Duration) -> Result<(), ClientError> {
        let begun = Instant::now();
        loop {
            let found = self.configuration(function).await?;
            let state = format!("{}, {}", found["State"], found["LastUpdateStatus"]);
            if found["State"] == "Active" && found["LastUpdateStatus"] == "Successful" {
                return Ok(());
            }
            if begun.elapsed() >= limit {
                let function = function.to_owned();
                return Err(ClientError::NotReady {
                    function,
                    waited_s: limit.as_secs(),
                    state,
                });
            }
            tokio::time::sleep(POLL_PAUSE).await;
        }
    }

    /// Invokes and waits for the response. A function's own error is a response, too.
    pub async fn invoke(
        &self,
        function: &str,
        payload: impl Into<Bytes>,
    ) -> Result<Invocation, ClientError> {
        self.invoke_with(function, payload, &[]).await
    }

    /// As [`invoke`](Self::invoke), with more headers, such as `X-Amz-Log-Type: Tail`.
    pub async fn invoke_with(
        &self,
        function: &str,
        payload: impl Into<Bytes>,
        headers: &[(&str, &str)],
    ) -> Result<Invocation, ClientError> {
        let path = format!("/2015-03-31/functions/{function}/invocations");
        self.call(Method::POST, &path, headers, payload.into())
            .await
    }

    /// Hands over an event. Gives its request id once the daemon has accepted it with 202.
    pub async fn invoke_event(
        &self,
        function: &str,
        payload: impl Into<Bytes>,
    ) -> Result<String, ClientError> {
        let headers = [("x-amz-invocation-type", "Event")];
        let answer = self.invoke_with(function, payload, &headers).await?;
        match answer.request_id() {
            Some(id) if answer.status == 202 => Ok(id.to_owned()),
            _ => Err(ClientError::Unexpected {
                call: format!("the event for {function}"),
                what: format!(
                    "status {}, request id {:?}",
                    answer.status,
                    answer.request_id()
                ),
            }),
        }
    }

    /// How many events wait, run, and were given up, of all functions.
    pub async fn events(&self) -> Result<EventCounts, ClientError> {
        let found = self.json(Method::GET, "/offshoot/v1/events", None).await?;
        let read = serde_json::from_value(found);
        read.map_err(|error| unexpected("GET /offshoot/v1/events", &error))
    }

    async fn json(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, ClientError> {
        let call = format!("{method} {path}");
        let body = body
            .map(|body| Bytes::from(body.to_string()))
            .unwrap_or_default();
        let answer = self
            .call(method, path, &[("content-type", "application/json")], body)
            .await?;
        answer.json().map_err(|error| unexpected(&call, &error))
    }

    /// Any call. A status of 400 or more is an error.
    async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Invocation, ClientError> {
        let call = format!("{method} {path}");
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base_url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Full::new(body))
            .map_err(|error| unexpected(&call, &error))?;
        let whole = tokio::time::timeout(CALL_LIMIT, self.exchange(&call, request));
        let no_answer = |_| no_answer(&call, format!("waited {} s", CALL_LIMIT.as_secs()));
        let answer = whole.await.map_err(no_answer)??;
        if answer.status >= StatusCode::BAD_REQUEST.as_u16() {
            return Err(refused(call, &answer));
        }
        Ok(answer)
    }

    async fn exchange(
        &self,
        call: &str,
        request: Request<Full<Bytes>>,
    ) -> Result<Invocation, ClientError> {
        let answer = self.http.request(request).await;
        let (head, body) = answer
            .map_err(|error| no_answer(call, chain(&error)))?
            .into_parts();
        let payload = body
            .collect()
            .await
            .map_err(|error| no_answer(call, chain(&error)))?;
        Ok(Invocation {
            status: head.status.as_u16(),
            headers: head.headers,
            payload: payload.to_bytes(),
        })
    }
}

fn no_answer(call: &str, reason: String) -> ClientError {
    ClientError::NoAnswer {
        call: call.to_owned(),
        reason,
    }
}

fn unexpected(call: &str, error: &dyn std::error::Error) -> ClientError {
    ClientError::Unexpected {
        call: call.to_owned(),
        what: chain(error),
    }
}

fn refused(call: String, answer: &Invocation) -> ClientError {
    let body = String::from_utf8_lossy(&answer.payload);
    let message = |value: Value| {
        Some(
            value
                .get("Message")
                .or(value.get("message"))?
                .as_str()?
                .to_owned(),
        )
    };
    ClientError::Refused {
        call,
        status: answer.status,
        kind: answer
            .header("x-amzn-errortype")
            .unwrap_or_default()
            .to_owned(),
        message: answer
            .json()
            .ok()
            .and_then(message)
            .unwrap_or_else(|| body.into_owned()),
    }
}

/// An error with its sources, which hyper's own message leaves out.
fn chain(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    sources
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
