//! Sending a request and reading its answer within bounds.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;
use serde::de::DeserializeOwned;

use super::error::ApiError;
use super::sign::Credentials;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For everything but invocations: an upload is unpacked before it is answered.
pub(super) const CONTROL_TIMEOUT: Duration = Duration::from_secs(120);
/// No answer that is read whole is longer; a synchronous response has at most 6 MiB.
const MAX_ANSWER_BYTES: usize = 64 << 20;
/// What RFC 3986 leaves unreserved stays as it is.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Where the daemon is, and as whom to call it.
#[derive(Debug, Clone)]
pub struct Target {
    /// `http://host:port`.
    pub endpoint: String,
    /// The region that signatures are for.
    pub region: String,
    /// Who signs, if anybody.
    pub credentials: Option<Credentials>,
}

/// A client of one daemon.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    target: Target,
}

/// A request in the making.
pub(super) struct Call {
    /// AWS's name of the operation, for errors.
    pub operation: &'static str,
    pub method: Method,
    /// The path, its segments encoded.
    pub path: String,
    pub query: Vec<(&'static str, String)>,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
    /// Until the answer's last byte; `None` for a stream without end.
    pub timeout: Option<Duration>,
}

/// An answer that was read whole.
pub(super) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Call {
    pub fn new(operation: &'static str, method: Method, path: String) -> Self {
        Self {
            operation,
            method,
            path,
            query: Vec::new(),
            headers: Vec::new(),
            body: Bytes::new(),
            timeout: Some(CONTROL_TIMEOUT),
        }
    }

    pub fn query(mut self, name: &'static str, value: Option<&str>) -> Self {
        self.query
            .extend(value.map(|value| (name, value.to_owned())));
        self
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn json(mut self, body: &impl serde::Serialize) -> Result<Self, ApiError> {
        let operation = self.operation;
        let body = serde_json::to_vec(body).map_err(|error| ApiError::Malformed {
            operation,
            problem: error.to_string(),
        })?;
        self.body = body.into();
        Ok(self.header("content-type", "application/json"))
    }
}

impl Client {
    /// A client of the daemon at the target's endpoint. Nothing is sent yet.
    pub fn new(target: Target) -> Result<Self, ApiError> {
        let wrong = |problem| ApiError::Endpoint {
            endpoint: target.endpoint.clone(),
            problem,
        };
        let base = Url::parse(&target.endpoint)
            .map_err(|_| wrong("is not a URL such as http://127.0.0.1:3001"))?;
        match base.scheme() {
            "http" => {}
            "https" => {
                return Err(wrong(
                    "is HTTPS, which this client does not speak; use http, or the AWS CLI",
                ));
            }
            _ => return Err(wrong("is not a URL such as http://127.0.0.1:3001")),
        }
        if base.path() != "/" || base.query().is_some() || !base.username().is_empty() {
            return Err(wrong("must be scheme, host and port only"));
        }
        // The daemon is here or near: a proxy of the environment would only be in the way.
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("offshoot/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|_| wrong("cannot be called: the HTTP client does not start"))?;
        Ok(Self { http, base, target })
    }

    /// Where the daemon is.
    pub fn endpoint(&self) -> &str {
        &self.target.endpoint
    }

    /// The region that calls are for.
    pub fn region(&self) -> &str {
        &self.target.region
    }

    /// Sends `call` and gives the answer's head, its body still unread.
    pub(super) async fn open(&self, call: Call) -> Result<reqwest::Response, ApiError> {
        let operation = call.operation;
        let request = self.request(call)?;
        self.http
            .execute(request)
            .await
            .map_err(|error| self.broken(operation, error))
    }

    /// Sends `call` and reads the whole answer; a status that is no success is an error.
    pub(super) async fn send(&self, call: Call) -> Result<Answer, ApiError> {
        let operation = call.operation;
        let response = self.open(call).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = self.read(operation, response).await?;
        let answer = Answer {
            status,
            headers,
            body,
        };
        if status.is_success() {
            Ok(answer)
        } else {
            Err(refused(operation, &answer))
        }
    }

    /// Sends `call` and reads its JSON.
    pub(super) async fn fetch<T: DeserializeOwned>(&self, call: Call) -> Result<T, ApiError> {
        let operation = call.operation;
        let answer = self.send(call).await?;
        serde_json::from_slice(&answer.body).map_err(|error| ApiError::Malformed {
            operation,
            problem: error.to_string(),
        })
    }

    /// The rest of an answer that turned out to be a refusal.
    pub(super) async fn refusal(
        &self,
        operation: &'static str,
        response: reqwest::Response,
    ) -> ApiError {
        let (status, headers) = (response.status(), response.headers().clone());
        match self.read(operation, response).await {
            Ok(body) => refused(
                operation,
                &Answer {
                    status,
                    headers,
                    body,
                },
            ),
            Err(error) => error,
        }
    }

    fn request(&self, call: Call) -> Result<reqwest::Request, ApiError> {
        let mut url = self.base.clone();
        url.set_path(&call.path);
        if !call.query.is_empty() {
            // Not the form encoding of `query_pairs_mut`: a signature wants %20, never +.
            let encoded: Vec<String> = call
                .query
                .iter()
                .map(|(name, value)| format!("{name}={}", segment(value)))
                .collect();
            url.set_query(Some(&encoded.join("&")));
        }
        let mut builder = self.http.request(call.method, url);
        for (name, value) in call.headers {
            builder = builder.header(name, value);
        }
        if let Some(timeout) = call.timeout {
            builder = builder.timeout(timeout);
        }
        let malformed = |error: reqwest::Error| ApiError::Malformed {
            operation: call.operation,
            problem: format!("the request cannot be made: {error}"),
        };
        let mut request = builder.body(call.body.clone()).build().map_err(malformed)?;
        if let Some(credentials) = &self.target.credentials {
            credentials.sign(&self.target.region, &mut request, &call.body)?;
        }
        Ok(request)
    }

    async fn read(
        &self,
        operation: &'static str,
        mut response: reqwest::Response,
    ) -> Result<Bytes, ApiError> {
        let mut body = BytesMut::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|e| self.broken(operation, e))?
        {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(ApiError::Malformed {
                    operation,
                    problem: "it is over 64 MiB".to_owned(),
                });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    pub(super) fn broken(&self, operation: &'static str, error: reqwest::Error) -> ApiError {
        if error.is_connect() {
            ApiError::Unreachable {
                endpoint: self.target.endpoint.clone(),
                source: error.without_url(),
            }
        } else if error.is_timeout() {
            ApiError::TimedOut { operation }
        } else {
            ApiError::Cut {
                operation,
                source: error.without_url(),
            }
        }
    }
}

/// One segment of a path, encoded.
pub(super) fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

fn refused(operation: &'static str, answer: &Answer) -> ApiError {
    #[derive(serde::Deserialize, Default)]
    struct Body {
        #[serde(rename = "Message", alias = "message", default)]
        message: String,
    }
    let body: Body = serde_json::from_slice(&answer.body).unwrap_or_default();
    let kind = answer
        .headers
        .get("x-amzn-errortype")
        .and_then(|value| value.to_str().ok());
    // AWS may add a URI after a colon.
    let kind = kind
        .and_then(|kind| kind.split(':').next())
        .unwrap_or_default()
        .to_owned();
    let message = if body.message.is_empty() {
        format!("{operation} was answered with {}", answer.status)
    } else {
        body.message
    };
    ApiError::Refused {
        operation,
        status: answer.status,
        kind,
        message,
    }
}
