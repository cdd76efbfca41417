//! Why a call failed.

use http::StatusCode;

/// Why the daemon did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The endpoint is no address that this client can call.
    #[error("the endpoint {endpoint} {problem}")]
    Endpoint {
        /// As the user gave it.
        endpoint: String,
        /// The rest of the sentence.
        problem: &'static str,
    },
    /// Nobody listens there.
    #[error("nothing answers at {endpoint}")]
    Unreachable {
        /// Where.
        endpoint: String,
        /// What the connection says.
        source: reqwest::Error,
    },
    /// The answer did not come in time.
    #[error("{operation} had no answer in time")]
    TimedOut {
        /// What was asked.
        operation: &'static str,
    },
    /// The connection broke.
    #[error("{operation} was cut off")]
    Cut {
        /// What was asked.
        operation: &'static str,
        /// What the connection says.
        source: reqwest::Error,
    },
    /// The daemon said no.
    #[error("{message}{}", if kind.is_empty() { String::new() } else { format!(" ({kind})") })]
    Refused {
        /// What was asked.
        operation: &'static str,
        /// HTTP's status.
        status: StatusCode,
        /// AWS's name of the error, such as `ResourceNotFoundException`.
        kind: String,
        /// The daemon's reason.
        message: String,
    },
    /// The answer is none that this client understands.
    #[error("the answer to {operation} cannot be understood: {problem}")]
    Malformed {
        /// What was asked.
        operation: &'static str,
        /// What is wrong with the answer.
        problem: String,
    },
    /// The request cannot be signed.
    #[error("the request cannot be signed with the credentials of the environment")]
    Sign(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ApiError {
    /// Whether the thing asked for does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == StatusCode::NOT_FOUND)
    }
}
