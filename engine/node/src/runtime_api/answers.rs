//! The bodies and headers of Runtime API answers.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;

use super::state::{Invocation, Refusal};

pub(super) type Answer = Response<Full<Bytes>>;

/// `{"status":"OK"}` with `status`.
pub(super) fn accepted() -> Answer {
    json(
        StatusCode::ACCEPTED,
        Bytes::from_static(br#"{"status":"OK"}"#),
    )
}

/// Lambda's error object.
pub(super) fn error(status: StatusCode, error_type: &str, message: &str) -> Answer {
    let body = serde_json::json!({ "errorMessage": message, "errorType": error_type });
    json(status, body.to_string().into())
}

/// The answer to `restore/next`: go on.
pub(super) fn restored() -> Answer {
    json(StatusCode::OK, Bytes::new())
}

/// The same as bytes, for a connection whose request another process has sent.
pub(super) const RESTORED: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 0\r\n\r\n";

pub(super) fn refused(refusal: Refusal) -> Answer {
    match refusal {
        Refusal::WrongRequest => error(
            StatusCode::BAD_REQUEST,
            "InvalidRequestID",
            "Invalid request ID",
        ),
        Refusal::WrongPhase => error(
            StatusCode::FORBIDDEN,
            "InvalidStateTransition",
            "The call does not fit the runtime's state: it has answered already, or init is over",
        ),
    }
}

pub(super) fn json(status: StatusCode, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    set(&mut answer, "content-type", "application/json");
    answer
}

/// The answer to `next`: the event as the body, all else in headers.
pub(super) fn invocation(invocation: Invocation) -> Answer {
    let event = invocation.event;
    let mut answer = json(StatusCode::OK, event.payload);
    set(
        &mut answer,
        "lambda-runtime-aws-request-id",
        &event.request_id,
    );
    set(
        &mut answer,
        "lambda-runtime-deadline-ms",
        &invocation.deadline_ms.to_string(),
    );
    set(
        &mut answer,
        "lambda-runtime-invoked-function-arn",
        &event.invoked_arn,
    );
    let optional = [
        ("lambda-runtime-trace-id", event.trace_id),
        ("lambda-runtime-client-context", event.client_context),
        ("lambda-runtime-cognito-identity", event.cognito_identity),
        ("lambda-runtime-aws-tenant-id", event.tenant_id),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            set(&mut answer, name, &value);
        }
    }
    answer
}

/// Sets a header; a value that HTTP cannot carry (it came from a caller) is left out.
pub(super) fn set(answer: &mut Answer, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        answer
            .headers_mut()
            .insert(HeaderName::from_static(name), value);
    }
}
