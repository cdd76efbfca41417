//! The one door from our errors to Lambda's.

use http::StatusCode;
use offshoot_catalog::CatalogError;
use offshoot_events::AcceptError;
use offshoot_lambda::error::{ApiError, ErrorKind, ThrottleReason};
use offshoot_porter::{InvokeError, ThrottleReason as PorterReason};

use crate::body::{Answer, json, set};

/// Seconds after which a throttled caller may come again.
const RETRY_AFTER_S: u32 = 1;

/// The answer that an error is.
pub(crate) fn answer(error: &ApiError) -> Answer {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = json(status, error.body());
    for (name, value) in error.headers() {
        set(&mut answer, name, &value);
    }
    answer
}

/// A failed invocation: the function never ran, or nobody knows.
pub(crate) fn invoke(error: &InvokeError) -> ApiError {
    match error {
        InvokeError::Throttled(reason) => {
            let reason = match reason {
                PorterReason::ConcurrentInvocationLimitExceeded => {
                    ThrottleReason::ConcurrentInvocationLimitExceeded
                }
                PorterReason::ReservedFunctionConcurrentInvocationLimitExceeded => {
                    ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded
                }
            };
            ApiError::throttled(reason, RETRY_AFTER_S)
        }
        InvokeError::ShuttingDown => {
            ApiError::new(ErrorKind::ServiceUnavailable, "The daemon is shutting down")
        }
        InvokeError::Node(error) => internal("an instance could not be made", error),
    }
}

/// An event that could not be stored.
pub(crate) fn accept(error: &AcceptError) -> ApiError {
    internal("an event could not be accepted", error)
}

/// A failure of ours: the whole chain goes into the log, a name of it to the caller.
pub(crate) fn internal(what: &str, error: &(dyn std::error::Error + 'static)) -> ApiError {
    let mut chain = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        chain.push_str(": ");
        chain.push_str(&cause.to_string());
        source = cause.source();
    }
    tracing::error!(error = chain, "{what}");
    ApiError::new(ErrorKind::Service, format!("{what}: {error}"))
}

/// A refusal of the catalog, which knows Lambda's words for it.
pub(crate) fn catalog(error: &CatalogError) -> ApiError {
    let kind = error.kind();
    if kind == ErrorKind::Service {
        return internal("the catalog failed", error);
    }
    ApiError::new(kind, error.to_string())
}
