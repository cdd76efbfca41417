//! Reading request bodies, with a limit of length and time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use offshoot_lambda::error::{ApiError, ErrorKind};

/// How long a whole body may take; a sender of one byte a second gives up its connection.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// Why a body was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IntakeError {
    /// It is longer than the limit.
    #[error("the request is over {limit_bytes} bytes")]
    TooLong { limit_bytes: usize },
    /// It broke off or came too slowly.
    #[error("the request broke off")]
    Broken,
}

impl IntakeError {
    /// As the Lambda API says it; `operation` names what was asked.
    pub(crate) fn into_api(self, kind: ErrorKind, operation: &str) -> ApiError {
        match self {
            Self::TooLong { limit_bytes } => ApiError::new(
                kind,
                format!(
                    "Request must be smaller than {limit_bytes} bytes for the {operation} operation"
                ),
            ),
            Self::Broken => ApiError::new(
                ErrorKind::InvalidRequestContent,
                "The request body broke off",
            ),
        }
    }
}

/// The whole body, in one buffer: a body that comes in one piece is not copied.
pub(crate) async fn read(body: Incoming, limit_bytes: usize) -> Result<Bytes, IntakeError> {
    let announced = body.size_hint().lower();
    if announced > limit_bytes as u64 {
        return Err(IntakeError::TooLong { limit_bytes });
    }
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let read = collect(body, limit_bytes, announced as usize);
    tokio::time::timeout(BODY_TIMEOUT, read)
        .await
        .unwrap_or(Err(IntakeError::Broken))
}

async fn collect(
    mut body: Incoming,
    limit_bytes: usize,
    announced: usize,
) -> Result<Bytes, IntakeError> {
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| IntakeError::Broken)?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if all.len() + data.len() > limit_bytes {
            return Err(IntakeError::TooLong { limit_bytes });
        }
        if all.is_empty() && data.len() == announced {
            return Ok(data);
        }
        if all.is_empty() {
            all.reserve(announced.max(data.len()));
        }
        all.extend_from_slice(&data);
    }
    Ok(all.freeze())
}
