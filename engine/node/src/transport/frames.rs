//! Frames of the channel: those for the runtime made, those of the runtime read.

use bytes::Bytes;
use offshoot_channel::{
    HEADER_BYTES, Header, InvokeMeta, Kind, MAX_META_BYTES, ResumeMeta, StreamMeta,
};
use serde::Serialize;

use crate::Event;
use crate::message::{Message, TransportError};

/// Room for the header and the metadata of an ordinary event.
pub(super) const HEAD_BYTES: usize = 512;

/// The frame of an event without its payload, and before it that of what makes a clone one of its own.
pub(super) fn head(
    resume: Option<&ResumeMeta<'_>>,
    event: &Event,
    number: u16,
    deadline_ms: u64,
    streaming: bool,
) -> Result<Vec<u8>, TransportError> {
    let meta = InvokeMeta {
        request_id: &event.request_id,
        deadline_ms,
        arn: &event.invoked_arn,
        trace_id: event.trace_id.as_deref(),
        client_context: event.client_context.as_deref(),
        cognito_identity: event.cognito_identity.as_deref(),
        tenant_id: event.tenant_id.as_deref(),
        streaming,
    };
    let mut head = Vec::with_capacity(HEAD_BYTES);
    if let Some(resume) = resume {
        append(&mut head, Kind::Resume, 0, resume, 0)?;
    }
    let body_len = event.payload.len() as u64;
    append(&mut head, Kind::Invoke, number, &meta, body_len)?;
    Ok(head)
}

/// Appends the header and the metadata of a frame.
pub(super) fn append(
    to: &mut Vec<u8>,
    kind: Kind,
    event: u16,
    meta: &impl Serialize,
    body_len: u64,
) -> Result<(), TransportError> {
    let protocol = |problem: String| TransportError::Protocol(problem);
    let start = to.len();
    to.resize(start + HEADER_BYTES, 0);
    serde_json::to_writer(&mut *to, meta).map_err(|error| protocol(error.to_string()))?;
    let meta_len = to.len() - start - HEADER_BYTES;
    let meta_len = u32::try_from(meta_len)
        .ok()
        .filter(|len| *len <= MAX_META_BYTES)
        .ok_or_else(|| {
            protocol(format!(
                "{meta_len} bytes of metadata of {kind:?} are too many"
            ))
        })?;
    let header = Header {
        kind,
        event,
        meta_len,
        body_len,
    };
    to[start..start + HEADER_BYTES].copy_from_slice(&header.encode());
    Ok(())
}

/// What a frame of the runtime's says.
pub(super) fn message(kind: Kind, meta: &[u8], body: Bytes) -> Result<Message, TransportError> {
    let stream_meta = || -> Result<StreamMeta, TransportError> {
        if meta.is_empty() {
            return Ok(StreamMeta::default());
        }
        serde_json::from_slice(meta)
            .map_err(|error| TransportError::Protocol(format!("bad metadata: {error}")))
    };
    Ok(match kind {
        Kind::Booted => Message::Booted,
        Kind::Ready => Message::Ready,
        Kind::Frozen => Message::Frozen,
        Kind::Collected => Message::Collected,
        Kind::InitError => Message::InitError {
            error_type: stream_meta()?.error_type,
            body,
        },
        Kind::Response => Message::Response(body),
        Kind::Error => Message::Error {
            error_type: None,
            body,
        },
        Kind::StreamBegin => Message::StreamBegin {
            content_type: stream_meta()?.content_type,
        },
        Kind::StreamChunk => Message::StreamChunk(body),
        Kind::StreamEnd => Message::StreamEnd,
        Kind::StreamError => Message::StreamError {
            error_type: stream_meta()?.error_type,
            body,
        },
        Kind::Invoke | Kind::Resume | Kind::Freeze | Kind::Collect => {
            let problem = format!("{kind:?} came from the runtime");
            return Err(TransportError::Protocol(problem));
        }
    })
}
