//! What a runtime can say, whatever it speaks.

use bytes::Bytes;

/// What a runtime says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// The language runtime is up.
    Booted,
    /// User code is initialised.
    Ready,
    /// User code could not be initialised, or a hook of a seed or clone failed; the error object.
    InitError {
        error_type: Option<String>,
        body: Bytes,
    },
    /// It may be frozen now.
    Frozen,
    /// Its garbage is collected.
    Collected,
    /// The whole response.
    Response(Bytes),
    /// The handler failed; the error object.
    Error {
        error_type: Option<String>,
        body: Bytes,
    },
    /// A response or error of this many bytes was skipped.
    TooLarge(u64),
    /// A streamed response begins.
    StreamBegin { content_type: Option<String> },
    /// Some bytes of it.
    StreamChunk(Bytes),
    /// It is complete.
    StreamEnd,
    /// It broke off.
    StreamError {
        error_type: Option<String>,
        body: Bytes,
    },
}

/// Why a runtime cannot be heard any more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransportError {
    /// The runtime's end is closed: it has exited or soon will.
    #[error("the runtime closed its end")]
    Closed,
    /// The runtime broke the protocol.
    #[error("{0}")]
    Protocol(String),
}
