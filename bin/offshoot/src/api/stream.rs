//! The event stream of a streamed response (AWS's `application/vnd.amazon.eventstream`).
//!
//! A frame is: total length u32, headers' length u32, CRC-32 of those eight bytes, headers, payload,
//! CRC-32 of all before; numbers are big-endian. A header is: name length u8, name, type u8 (7, a
//! string), value length u16, value.

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use serde::Deserialize;

use super::client::Client;
use super::error::ApiError;
use super::invoke::header;

const PRELUDE_BYTES: usize = 12;
const CRC_BYTES: usize = 4;
/// AWS's limit of a frame.
const MAX_FRAME_BYTES: usize = 24 << 20;
const STRING_TYPE: u8 = 7;

/// One event of the stream.
#[derive(Debug, PartialEq, Eq)]
pub enum StreamEvent {
    /// A piece of the response.
    Chunk(Bytes),
    /// The end.
    Complete(Completion),
}

/// How a streamed invocation ended.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Completion {
    /// The function's error, if it failed.
    pub error_code: Option<String>,
    /// Its details.
    pub error_details: Option<String>,
    /// The log's end, base64.
    pub log_result: Option<String>,
}

/// A response on its way.
#[derive(Debug)]
pub struct StreamedResponse<'a> {
    client: &'a Client,
    operation: &'static str,
    headers: HeaderMap,
    response: reqwest::Response,
    buffer: BytesMut,
}

impl<'a> StreamedResponse<'a> {
    pub(super) fn new(
        client: &'a Client,
        operation: &'static str,
        response: reqwest::Response,
    ) -> Self {
        let headers = response.headers().clone();
        Self {
            client,
            operation,
            headers,
            response,
            buffer: BytesMut::new(),
        }
    }

    /// `cold` or `hot`.
    pub fn start(&self) -> Option<String> {
        header(&self.headers, "x-offshoot-start")
    }

    /// The next event, or `None` if the connection ended.
    pub async fn next(&mut self) -> Result<Option<StreamEvent>, ApiError> {
        loop {
            let malformed = |problem: &'static str| ApiError::Malformed {
                operation: self.operation,
                problem: problem.to_owned(),
            };
            if let Some(frame) = take_frame(&mut self.buffer).map_err(malformed)? {
                match event(&frame).map_err(malformed)? {
                    Some(event) => return Ok(Some(event)),
                    None => continue,
                }
            }
            let chunk = self.response.chunk().await;
            match chunk.map_err(|error| self.client.broken(self.operation, error))? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None if self.buffer.is_empty() => return Ok(None),
                None => return Err(malformed("the stream ends within a frame")),
            }
        }
    }
}

/// The next whole frame, if the buffer has one.
fn take_frame(buffer: &mut BytesMut) -> Result<Option<Bytes>, &'static str> {
    let Some(prelude) = buffer.get(..PRELUDE_BYTES) else {
        return Ok(None);
    };
    let mut numbers = prelude;
    let (total, _headers, crc) = (
        numbers.get_u32() as usize,
        numbers.get_u32(),
        numbers.get_u32(),
    );
    if crc32fast::hash(&prelude[..8]) != crc {
        return Err("a frame's prelude fails its checksum");
    }
    if !(PRELUDE_BYTES + CRC_BYTES..=MAX_FRAME_BYTES).contains(&total) {
        return Err("a frame has an impossible length");
    }
    if buffer.len() < total {
        return Ok(None);
    }
    let frame = buffer.split_to(total).freeze();
    let (content, mut crc) = frame.split_at(total - CRC_BYTES);
    if crc32fast::hash(content) != crc.get_u32() {
        return Err("a frame fails its checksum");
    }
    Ok(Some(frame))
}

/// The event in a frame whose checksums hold; `None` for one of an unknown type.
fn event(frame: &Bytes) -> Result<Option<StreamEvent>, &'static str> {
    let cut = "a frame's headers are cut";
    let mut numbers = frame.get(4..8).ok_or(cut)?;
    let headers_len = numbers.get_u32() as usize;
    let payload_at = PRELUDE_BYTES + headers_len;
    let end = frame.len() - CRC_BYTES;
    let mut headers = frame.get(PRELUDE_BYTES..payload_at).ok_or(cut)?;
    let payload = if payload_at <= end {
        frame.slice(payload_at..end)
    } else {
        return Err(cut);
    };
    let (mut kind, mut message) = (String::new(), String::new());
    while !headers.is_empty() {
        let (name, value) = take_header(&mut headers).ok_or(cut)?;
        match name {
            b":event-type" | b":exception-type" => {
                kind = String::from_utf8_lossy(value).into_owned()
            }
            b":message-type" => message = String::from_utf8_lossy(value).into_owned(),
            _ => {}
        }
    }
    Ok(match (message.as_str(), kind.as_str()) {
        ("event", "PayloadChunk") => Some(StreamEvent::Chunk(payload)),
        ("event", "InvokeComplete") => {
            let complete =
                serde_json::from_slice(&payload).map_err(|_| "InvokeComplete is not JSON")?;
            Some(StreamEvent::Complete(complete))
        }
        ("exception", kind) => Some(StreamEvent::Complete(Completion {
            error_code: Some(kind.to_owned()),
            error_details: Some(String::from_utf8_lossy(&payload).into_owned()),
            log_result: None,
        })),
        _ => None,
    })
}

fn take_header<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let name = take(rest, 1)?[0] as usize;
    let name = take(rest, name)?;
    if take(rest, 1)?[0] != STRING_TYPE {
        return None;
    }
    let len = take(rest, 2)?.get_u16() as usize;
    Some((name, take(rest, len)?))
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(len)?;
    *rest = tail;
    Some(head)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use offshoot_lambda::eventstream::{invoke_complete, payload_chunk};
    use offshoot_lambda::generated::InvokeWithResponseStreamCompleteEvent;

    use super::*;

    #[test]
    fn frames_of_the_daemon_are_read_even_byte_by_byte() {
        let mut wire = payload_chunk(b"hello").unwrap().to_vec();
        let complete = InvokeWithResponseStreamCompleteEvent {
            error_code: Some("Unhandled".to_owned()),
            ..Default::default()
        };
        wire.extend_from_slice(&invoke_complete(&complete).unwrap());
        let (mut buffer, mut events) = (BytesMut::new(), Vec::new());
        for byte in wire {
            buffer.extend_from_slice(&[byte]);
            if let Some(frame) = take_frame(&mut buffer).unwrap() {
                events.push(event(&frame).unwrap().unwrap());
            }
        }
        assert_eq!(events[0], StreamEvent::Chunk(Bytes::from_static(b"hello")));
        let StreamEvent::Complete(end) = &events[1] else {
            panic!("{events:?}")
        };
        assert_eq!(end.error_code.as_deref(), Some("Unhandled"));
    }

    #[test]
    fn a_flipped_bit_or_a_lying_length_is_an_error() {
        let good = payload_chunk(b"hello").unwrap().to_vec();
        for index in 0..good.len() {
            let mut bad = BytesMut::from(&good[..]);
            bad[index] ^= 1;
            assert!(take_frame(&mut bad).is_err(), "byte {index}");
        }
    }
}
