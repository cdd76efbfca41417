//! Requests and answers: four bytes of length, little-endian, and JSON.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(20);
const PREFIX_BYTES: usize = 4;
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// `body` behind its length.
pub(super) fn framed(body: &Value) -> anyhow::Result<Vec<u8>> {
    let body = body.to_string();
    let length = u32::try_from(body.len()).context("the request is too long")?;
    Ok([&length.to_le_bytes(), body.as_bytes()].concat())
}

/// Reads one answer into `buffer` and gives it without its length.
pub(super) fn read_answer<'b>(
    source: &mut impl Read,
    buffer: &'b mut Vec<u8>,
) -> anyhow::Result<&'b [u8]> {
    let mut filled = 0;
    buffer.resize(buffer.capacity().max(16 << 10), 0);
    loop {
        let read = source.read(&mut buffer[filled..]).context("no answer")?;
        ensure!(read > 0, "it ended before it answered");
        filled += read;
        if let Some(prefix) = buffer[..filled].first_chunk::<PREFIX_BYTES>() {
            let end = PREFIX_BYTES + u32::from_le_bytes(*prefix) as usize;
            ensure!(
                end <= MAX_ANSWER_BYTES,
                "an answer of {end} bytes is too long"
            );
            if filled >= end {
                return Ok(&buffer[PREFIX_BYTES..end]);
            }
            if end > buffer.len() {
                buffer.resize(end, 0);
            }
        }
    }
}

/// Our end of a socket, and the end of the process that will answer.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) ours: UnixStream,
    pub(super) theirs: UnixStream,
}

impl Line {
    pub(super) fn open(nonblocking: bool) -> anyhow::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_read_timeout(Some(LIMIT))?;
        theirs.set_nonblocking(nonblocking)?;
        Ok(Self { ours, theirs })
    }

    /// With a request in it.
    pub(super) fn with_request(nonblocking: bool, request: &[u8]) -> anyhow::Result<Self> {
        let mut line = Self::open(nonblocking)?;
        line.ours.write_all(request)?;
        Ok(line)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Gives a few bytes at a time.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let count = self.0.len().min(into.len()).min(3);
            into[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    #[test]
    fn answer_that_comes_in_pieces_is_read_whole() {
        let bytes = framed(&serde_json::json!({"answer": "x".repeat(40_000)})).unwrap();
        let mut buffer = Vec::new();
        let found = read_answer(&mut Slow(&bytes), &mut buffer).unwrap();
        assert_eq!(found, &bytes[PREFIX_BYTES..]);
    }

    #[test]
    fn end_in_the_middle_and_endless_length_are_errors() {
        let bytes = framed(&serde_json::json!("settled")).unwrap();
        let mut buffer = Vec::new();
        for wrong in [&bytes[..7], &[0xff; 9][..], &[]] {
            assert!(read_answer(&mut Slow(wrong), &mut buffer).is_err());
        }
    }
}
