//! The frames that the node and a runtime bootstrap exchange over one stream socket.
//!
//! 1. A frame is a 16-byte little-endian [`Header`], then metadata (JSON), then a body.
//! 2. [`Header::decode`] checks version, kind, direction-independent limits and reserved bits before any
//!    length is used, so that a hostile peer can never make the reader allocate more than [`MAX_META_BYTES`]
//!    plus what [`Kind::max_body_bytes`] allows.
//! 3. What must still be ensured by the caller: the order of frames (`docs/format/channel.md`, section Order).
//!
//! The byte layout is `docs/format/channel.md`. This crate is pure: no I/O.

mod header;
mod meta;

pub use header::{FrameError, HEADER_BYTES, Header, Kind, MAX_META_BYTES, VERSION};
pub use meta::{InvokeMeta, ResumeMeta, StreamMeta};

/// The file descriptor at which a bootstrap finds its end of the channel.
pub const CHANNEL_FD: i32 = 3;

/// The longest response or error that is passed on, in bytes: 6 MiB + 100, as on AWS Lambda
/// (AWS Lambda Developer Guide, "Runtime API", payload limit).
pub const MAX_RESPONSE_BYTES: u64 = 6_291_556;

/// A longer response up to this is skipped and answered as `Function.ResponseSizeTooLarge`; beyond it the
/// sandbox is ended, because skipping would take too long.
pub const MAX_SKIPPED_BYTES: u64 = 64 << 20;

/// The longest body of one `STREAM_CHUNK`, in bytes.
pub const MAX_CHUNK_BYTES: u64 = 1 << 20;

/// The longest streamed response in all, in bytes (AWS Lambda quotas, response streaming).
pub const MAX_STREAM_BYTES: u64 = 200 << 20;
