//! Errors as the Lambda API writes them: HTTP status, `x-amzn-ErrorType` header, and a body of
//! `{"Type": "User", "Message": ".."}`. The message member is `Message` or `message`, as AWS's
//! model says for each exception, because some SDKs look for exactly that.

mod kind;

use serde_json::{Map, Value};

use crate::constraint::{Constraint, Shown, Violation, message};
pub use crate::generated::enums::ThrottleReason;
pub use kind::{ErrorKind, Fault};

/// Name of the header that carries the error type.
pub const ERROR_TYPE_HEADER: &str = "x-amzn-errortype";

/// An exception of AWS's model, for comparison with [`ErrorKind`].
#[derive(Clone, Copy, Debug)]
pub struct ModeledError {
    /// Name on the wire.
    pub name: &'static str,
    /// HTTP status.
    pub status: u16,
    /// Whether the caller is to blame.
    pub sender_fault: bool,
    /// Name of the member that holds the message.
    pub message_member: &'static str,
}

/// An error that a caller of the API gets to see.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", kind.name())]
pub struct ApiError {
    /// What kind of error.
    pub kind: ErrorKind,
    /// Text for the caller.
    pub message: String,
    /// Why a request was throttled; only of [`ErrorKind::TooManyRequests`].
    pub reason: Option<ThrottleReason>,
    /// When to try again, in seconds.
    pub retry_after_s: Option<u32>,
}

impl ApiError {
    /// An error of `kind` with a text for the caller.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            reason: None,
            retry_after_s: None,
        }
    }

    /// A throttled request, in AWS's words.
    pub fn throttled(reason: ThrottleReason, retry_after_s: u32) -> Self {
        Self {
            reason: Some(reason),
            retry_after_s: Some(retry_after_s),
            ..Self::new(ErrorKind::TooManyRequests, "Rate Exceeded.")
        }
    }

    /// The error for broken constraints, or `None` if there are none. AWS checks the runtime
    /// after everything else, and answers with another exception and wording.
    pub fn from_violations(violations: &[Violation]) -> Option<Self> {
        let (runtime, other): (Vec<_>, Vec<_>) = violations
            .iter()
            .partition(|violation| is_unknown_runtime(violation));
        if !other.is_empty() {
            return Some(Self::new(ErrorKind::Validation, message(other)));
        }
        let Violation {
            value,
            path,
            constraint,
        } = runtime.first()?;
        let value = if let Shown::Text(text) = value {
            text
        } else {
            ""
        };
        let message = format!(
            "Value {value} at '{path}' failed to satisfy constraint: {constraint} or be a valid ARN"
        );
        Some(Self::new(ErrorKind::InvalidParameterValue, message))
    }

    /// HTTP status.
    pub fn status(&self) -> u16 {
        self.kind.status()
    }

    /// Headers of the response that are particular to errors: lower-case name and value.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, String)> {
        let retry_after = self.retry_after_s.map(|s| ("retry-after", s.to_string()));
        let error_type = (ERROR_TYPE_HEADER, self.kind.name().to_owned());
        [error_type, ("content-type", "application/json".into())]
            .into_iter()
            .chain(retry_after)
    }

    /// Body of the response: a JSON object.
    pub fn body(&self) -> String {
        let mut body = Map::new();
        body.insert("Type".into(), self.kind.fault().as_str().into());
        body.insert(
            self.kind.message_member().into(),
            self.message.as_str().into(),
        );
        if let Some(reason) = self.reason {
            body.insert("Reason".into(), reason.as_str().into());
        }
        Value::Object(body).to_string()
    }
}

fn is_unknown_runtime(violation: &Violation) -> bool {
    violation.path == "runtime" && matches!(violation.constraint, Constraint::EnumSet(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generated::errors::ERRORS;

    #[test]
    fn kinds_agree_with_the_model() {
        for modeled in ERRORS {
            let kind = ErrorKind::ALL
                .iter()
                .find(|kind| kind.name() == modeled.name);
            let Some(kind) = kind else {
                panic!("no kind for {}", modeled.name)
            };
            assert_eq!(kind.status(), modeled.status, "{}", modeled.name);
            assert_eq!(
                kind.fault() == Fault::User,
                modeled.sender_fault,
                "{}",
                modeled.name
            );
            assert_eq!(
                kind.message_member(),
                modeled.message_member,
                "{}",
                modeled.name
            );
        }
    }

    #[test]
    fn message_member_is_spelt_as_in_the_model() {
        let conflict = ApiError::new(ErrorKind::ResourceConflict, "Function already exist: f");
        assert_eq!(
            conflict.body(),
            r#"{"Type":"User","message":"Function already exist: f"}"#
        );
        let missing = ApiError::new(ErrorKind::ResourceNotFound, "x");
        assert_eq!(missing.body(), r#"{"Message":"x","Type":"User"}"#);
        let broken = ApiError::new(ErrorKind::Service, "x");
        assert_eq!(broken.body(), r#"{"Message":"x","Type":"Service"}"#);
        assert_eq!(broken.status(), 500);
    }

    #[test]
    fn throttled_request_says_why_and_when() {
        let error = ApiError::throttled(
            ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded,
            2,
        );
        assert_eq!(error.status(), 429);
        assert!(error.headers().any(|h| h == ("retry-after", "2".into())));
        assert!(
            error
                .body()
                .contains(r#""Reason":"ReservedFunctionConcurrentInvocationLimitExceeded""#)
        );
    }

    #[test]
    fn error_type_header_is_the_exception_name() {
        let error = ApiError::new(ErrorKind::Validation, "x");
        let header = error.headers().find(|(name, _)| *name == ERROR_TYPE_HEADER);
        assert_eq!(
            header.map(|(_, value)| value).as_deref(),
            Some("ValidationException")
        );
    }
}
