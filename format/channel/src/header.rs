//! The fixed header of a frame.

use crate::{MAX_CHUNK_BYTES, MAX_SKIPPED_BYTES};

/// Length of a header, in bytes.
pub const HEADER_BYTES: usize = 16;
/// The only version so far.
pub const VERSION: u8 = 1;
/// The longest metadata of any frame, in bytes.
pub const MAX_META_BYTES: u32 = 65_536;

const KIND: usize = 0;
const VERSION_AT: usize = KIND + 1;
const EVENT: usize = VERSION_AT + 1;
const META_LEN: usize = EVENT + 2;
const BODY_LEN: usize = META_LEN + 4;
const _: () = assert!(BODY_LEN + 8 == HEADER_BYTES);

/// What a frame says; the numbers are those on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// An event for the handler.
    Invoke = 1,
    /// This process is a clone; the first frame that it gets, with an `INVOKE` behind it.
    Resume = 2,
    /// This process is about to be frozen.
    Freeze = 3,
    /// Garbage is to be collected; events follow.
    Collect = 4,
    /// The language runtime is up; user code is loaded next.
    Booted = 15,
    /// User code is initialised.
    Ready = 16,
    /// User code could not be initialised.
    InitError = 17,
    /// The handler's whole response.
    Response = 18,
    /// The handler failed.
    Error = 19,
    /// A streamed response begins.
    StreamBegin = 20,
    /// Part of a streamed response.
    StreamChunk = 21,
    /// The streamed response is complete.
    StreamEnd = 22,
    /// The streamed response broke off.
    StreamError = 23,
    /// The process may be frozen now.
    Frozen = 24,
    /// Garbage is collected.
    Collected = 25,
}

/// Why a header is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The version byte is not ours.
    #[error("frame version {0} is not {VERSION}")]
    Version(u8),
    /// The kind is not in the table.
    #[error("frame kind {0} is unknown")]
    Kind(u8),
    /// A frame that is about no event has an event's number.
    #[error("a {kind:?} frame has the number of event {event}")]
    Event {
        /// The kind of the frame.
        kind: Kind,
        /// The number.
        event: u16,
    },
    /// Metadata longer than [`MAX_META_BYTES`].
    #[error("metadata of {0} bytes is over the limit of {MAX_META_BYTES}")]
    Meta(u32),
    /// Body longer than its kind allows.
    #[error("body of {len_bytes} bytes is over the limit of {limit_bytes} of a {kind:?} frame")]
    Body {
        /// The kind of the frame.
        kind: Kind,
        /// The length claimed.
        len_bytes: u64,
        /// The most that the kind allows.
        limit_bytes: u64,
    },
}

impl Kind {
    /// The longest body that a frame of this kind may have, in bytes.
    pub const fn max_body_bytes(self) -> u64 {
        match self {
            Self::Invoke | Self::Response | Self::Error | Self::InitError => MAX_SKIPPED_BYTES,
            Self::StreamChunk | Self::StreamError => MAX_CHUNK_BYTES,
            Self::Resume
            | Self::Freeze
            | Self::Collect
            | Self::Booted
            | Self::Ready
            | Self::StreamBegin
            | Self::StreamEnd
            | Self::Frozen
            | Self::Collected => 0,
        }
    }

    /// Whether frames of this kind are about one event.
    pub const fn is_of_event(self) -> bool {
        match self {
            Self::Invoke
            | Self::Response
            | Self::Error
            | Self::StreamBegin
            | Self::StreamChunk
            | Self::StreamEnd
            | Self::StreamError => true,
            Self::Resume
            | Self::Freeze
            | Self::Collect
            | Self::Booted
            | Self::Ready
            | Self::InitError
            | Self::Frozen
            | Self::Collected => false,
        }
    }

    const fn from_wire(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Invoke,
            2 => Self::Resume,
            3 => Self::Freeze,
            4 => Self::Collect,
            15 => Self::Booted,
            16 => Self::Ready,
            17 => Self::InitError,
            18 => Self::Response,
            19 => Self::Error,
            20 => Self::StreamBegin,
            21 => Self::StreamChunk,
            22 => Self::StreamEnd,
            23 => Self::StreamError,
            24 => Self::Frozen,
            25 => Self::Collected,
            _ => return None,
        })
    }
}

/// The header of one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What the frame says.
    pub kind: Kind,
    /// Which event it is about, of those that the runtime has at once; 0: the only one, or none.
    pub event: u16,
    /// Bytes of metadata that follow.
    pub meta_len: u32,
    /// Bytes of body that follow the metadata.
    pub body_len: u64,
}

impl Header {
    /// The bytes on the wire.
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[KIND] = self.kind as u8;
        bytes[VERSION_AT] = VERSION;
        bytes[EVENT..META_LEN].copy_from_slice(&self.event.to_le_bytes());
        bytes[META_LEN..BODY_LEN].copy_from_slice(&self.meta_len.to_le_bytes());
        bytes[BODY_LEN..].copy_from_slice(&self.body_len.to_le_bytes());
        bytes
    }

    /// Reads a header that a peer sent, refusing every length over its limit, and an event's number where none belongs.
    pub fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Self, FrameError> {
        let [kind, version, e0, e1, m0, m1, m2, m3, body @ ..] = *bytes;
        if version != VERSION {
            return Err(FrameError::Version(version));
        }
        let kind = Kind::from_wire(kind).ok_or(FrameError::Kind(kind))?;
        let event = u16::from_le_bytes([e0, e1]);
        if event != 0 && !kind.is_of_event() {
            return Err(FrameError::Event { kind, event });
        }
        let meta_len = u32::from_le_bytes([m0, m1, m2, m3]);
        if meta_len > MAX_META_BYTES {
            return Err(FrameError::Meta(meta_len));
        }
        let body_len = u64::from_le_bytes(body);
        let limit_bytes = kind.max_body_bytes();
        if body_len > limit_bytes {
            return Err(FrameError::Body {
                kind,
                len_bytes: body_len,
                limit_bytes,
            });
        }
        Ok(Self {
            kind,
            event,
            meta_len,
            body_len,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn header_has_the_documented_bytes() {
        let bytes = Header {
            kind: Kind::Response,
            event: 513,
            meta_len: 2,
            body_len: 258,
        }
        .encode();
        assert_eq!(bytes, [18, 1, 1, 2, 2, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn frames_about_clones_have_their_numbers_and_no_body() {
        let kinds = [
            (2, Kind::Resume),
            (3, Kind::Freeze),
            (4, Kind::Collect),
            (24, Kind::Frozen),
            (25, Kind::Collected),
        ];
        for (number, kind) in kinds {
            let header = Header {
                kind,
                event: 0,
                meta_len: 5,
                body_len: 0,
            };
            let mut bytes = header.encode();
            assert_eq!(bytes[KIND], number);
            assert_eq!(Header::decode(&bytes), Ok(header));
            bytes[BODY_LEN] = 1;
            assert!(Header::decode(&bytes).is_err(), "{kind:?} has a body");
        }
    }

    #[test]
    fn body_over_the_limit_of_its_kind_is_refused() {
        let mut bytes = Header {
            kind: Kind::Ready,
            event: 0,
            meta_len: 0,
            body_len: 0,
        }
        .encode();
        bytes[BODY_LEN] = 1;
        let refused = Header::decode(&bytes).unwrap_err();
        assert_eq!(
            refused,
            FrameError::Body {
                kind: Kind::Ready,
                len_bytes: 1,
                limit_bytes: 0
            }
        );
    }

    #[test]
    fn only_frames_about_events_have_an_events_number() {
        for byte in 0..=u8::MAX {
            let Some(kind) = Kind::from_wire(byte) else {
                continue;
            };
            let header = Header {
                kind,
                event: 64,
                meta_len: 0,
                body_len: 0,
            };
            let expected = match kind {
                Kind::Resume
                | Kind::Freeze
                | Kind::Collect
                | Kind::Booted
                | Kind::Ready
                | Kind::InitError
                | Kind::Frozen
                | Kind::Collected => Err(FrameError::Event { kind, event: 64 }),
                _ => Ok(header),
            };
            assert_eq!(Header::decode(&header.encode()), expected);
        }
    }

    proptest! {
        #[test]
        fn any_16_bytes_are_refused_or_round_trip(bytes: [u8; HEADER_BYTES]) {
            if let Ok(header) = Header::decode(&bytes) {
                prop_assert_eq!(header.encode(), bytes);
                prop_assert!(header.body_len <= header.kind.max_body_bytes());
            }
        }

        #[test]
        fn mutated_valid_headers_never_exceed_their_limits(at in 0usize..HEADER_BYTES, byte: u8) {
            let mut bytes = Header { kind: Kind::StreamChunk, event: 3, meta_len: 7, body_len: 9 }.encode();
            bytes[at] = byte;
            if let Ok(header) = Header::decode(&bytes) {
                prop_assert!(header.meta_len <= MAX_META_BYTES);
                prop_assert!(header.body_len <= header.kind.max_body_bytes());
            }
        }
    }
}
