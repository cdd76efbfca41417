//! Frames of `application/vnd.amazon.eventstream`, in which a streamed response travels
//! ("Amazon event stream encoding" in AWS's Smithy specification).
//!
//! ```text
//! u32 total length | u32 header length | u32 CRC-32 of those 8 bytes
//! headers          | payload           | u32 CRC-32 of everything before
//! header: u8 name length | name | u8 type = 7 (string) | u16 value length | value
//! ```
//! All integers are big-endian; lengths are in bytes.

use bytes::{BufMut, Bytes, BytesMut};

use crate::generated::InvokeWithResponseStreamCompleteEvent;

/// Content type of a streamed response.
pub const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";

/// Greatest payload of a frame: decoders may refuse more than 16 MiB.
pub const PAYLOAD_MAX_BYTES: usize = 16 * 1024 * 1024;

const PRELUDE_BYTES: usize = 12;
const CRC_BYTES: usize = 4;
const STRING_TYPE: u8 = 7;

/// Why a frame cannot be written.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The payload must be split over several frames.
    #[error("a frame payload of {len_bytes} bytes is over the limit of {PAYLOAD_MAX_BYTES}")]
    PayloadTooLarge {
        /// Length of the payload.
        len_bytes: usize,
    },
}

/// One `PayloadChunk`: a piece of the function's response.
///
/// # Errors
/// [`FrameError::PayloadTooLarge`] above [`PAYLOAD_MAX_BYTES`].
pub fn payload_chunk(payload: &[u8]) -> Result<Bytes, FrameError> {
    event("PayloadChunk", "application/octet-stream", payload)
}

/// The `InvokeComplete` that ends a stream, with the function's error, if any.
///
/// # Errors
/// [`FrameError::PayloadTooLarge`] if the texts in it are above [`PAYLOAD_MAX_BYTES`].
pub fn invoke_complete(
    complete: &InvokeWithResponseStreamCompleteEvent,
) -> Result<Bytes, FrameError> {
    let members = [
        ("ErrorCode", &complete.error_code),
        ("ErrorDetails", &complete.error_details),
        ("LogResult", &complete.log_result),
    ];
    let object: serde_json::Map<String, serde_json::Value> = members
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?.into())))
        .collect();
    let json = serde_json::Value::Object(object).to_string();
    event("InvokeComplete", "application/json", json.as_bytes())
}

fn event(kind: &str, content_type: &str, payload: &[u8]) -> Result<Bytes, FrameError> {
    let headers = [
        (":event-type", kind),
        (":content-type", content_type),
        (":message-type", "event"),
    ];
    if payload.len() > PAYLOAD_MAX_BYTES {
        return Err(FrameError::PayloadTooLarge {
            len_bytes: payload.len(),
        });
    }
    let headers_len: usize = headers
        .iter()
        .map(|(n, v)| 1 + n.len() + 1 + 2 + v.len())
        .sum();
    let total_len = PRELUDE_BYTES + headers_len + payload.len() + CRC_BYTES;
    let mut frame = BytesMut::with_capacity(total_len);
    // Both are far below 2^32: the payload is bounded and the headers are constants.
    frame.put_u32(total_len as u32);
    frame.put_u32(headers_len as u32);
    frame.put_u32(crc32fast::hash(&frame));
    for (name, value) in headers {
        frame.put_u8(name.len() as u8);
        frame.put_slice(name.as_bytes());
        frame.put_u8(STRING_TYPE);
        frame.put_u16(value.len() as u16);
        frame.put_slice(value.as_bytes());
    }
    frame.put_slice(payload);
    frame.put_u32(crc32fast::hash(&frame));
    Ok(frame.freeze())
}

#[cfg(test)]
mod tests;
