//! The node's end of a channel (`docs/format/channel.md`).

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;

use bytes::BytesMut;
use offshoot_channel::{HEADER_BYTES, Header, Kind, MAX_RESPONSE_BYTES, ResumeMeta};
use offshoot_sys::polled::PolledFd;
use rustix::io::Errno;
use rustix::net::SendFlags;
use tokio::io::Interest;

use super::frames::{HEAD_BYTES, append, head, message};
use super::outbox::Outbox;
use crate::Event;
use crate::message::{Message, TransportError};

/// Room for an ordinary answer; a larger one grows the buffer for its own time only.
const BUFFER_BYTES: usize = 4096;
/// Events up to this length travel in one `write` together with their header.
const JOINED_EVENT_BYTES: usize = 16 << 10;

/// One end of a channel. Reads are buffered here, so `receive` may be cancelled at any point.
#[derive(Debug)]
pub(crate) struct ChannelEnd {
    /// Registered for reading only: a Unix socket wakes whoever waits to write at each read of its peer
    /// (`unix_write_space` in the kernel), which would cost the runtime an idle wake-up of ours for each event.
    socket: PolledFd,
    buffer: BytesMut,
    /// Whether the runtime is known to have ended without reading all of the event.
    unread: bool,
    skipping: Option<Skipping>,
}

/// An over-long frame that is thrown away.
#[derive(Debug, Clone, Copy)]
struct Skipping {
    left: u64,
    body_len: u64,
    event: u16,
}

impl ChannelEnd {
    /// A channel: our end, and the descriptor that the runtime gets.
    pub(crate) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = StdUnixStream::pair()?;
        ours.set_nonblocking(true)?;
        Ok((
            Self {
                socket: PolledFd::new(ours.into(), Interest::READABLE)?,
                buffer: BytesMut::new(),
                unread: false,
                skipping: None,
            },
            theirs.into(),
        ))
    }

    /// Tells the runtime that it will be frozen; it answers with `Message::Frozen` or `Message::InitError`.
    pub(crate) async fn send_freeze(&mut self) -> Result<(), TransportError> {
        self.send_alone(Kind::Freeze).await
    }

    /// Has the runtime collect its garbage; it answers with `Message::Collected`.
    pub(crate) async fn send_collect(&mut self) -> Result<(), TransportError> {
        self.send_alone(Kind::Collect).await
    }

    /// Sends a frame that has neither metadata nor body.
    async fn send_alone(&mut self, kind: Kind) -> Result<(), TransportError> {
        let header = Header {
            kind,
            event: 0,
            meta_len: 0,
            body_len: 0,
        };
        let written = self.write_all(&header.encode()).await;
        written.map_err(|_| TransportError::Closed)
    }

    /// Tells a clone what it needs to be of its own, without an event.
    pub(crate) async fn send_resume(
        &mut self,
        resume: &ResumeMeta<'_>,
    ) -> Result<(), TransportError> {
        let mut head = Vec::with_capacity(HEAD_BYTES);
        append(&mut head, Kind::Resume, 0, resume, 0)?;
        let written = self.write_all(&head).await;
        written.map_err(|_| TransportError::Closed)
    }

    /// What writes beside it: events to a runtime that has several.
    pub(crate) fn outbox(&self) -> io::Result<Outbox> {
        Ok(Outbox::new(self.socket.as_fd().try_clone_to_owned()?))
    }

    /// Sends an event; to a clone that has not had one yet, what makes it a clone of its own (`resume`) before it, in
    /// the same write.
    pub(crate) async fn send_invoke(
        &mut self,
        resume: Option<&ResumeMeta<'_>>,
        event: &Event,
        deadline_ms: u64,
        streaming: bool,
    ) -> Result<(), TransportError> {
        let mut head = head(resume, event, 0, deadline_ms, streaming)?;
        // The runtime may have gone: whoever waits for its answer learns how, so a failed write is no error here.
        let written = if event.payload.len() <= JOINED_EVENT_BYTES {
            head.extend_from_slice(&event.payload);
            self.write_all(&head).await
        } else {
            match self.write_all(&head).await {
                Ok(()) => self.write_all(&event.payload).await,
                failed => failed,
            }
        };
        written.map_err(|_| {
            self.unread = true;
            TransportError::Closed
        })
    }

    async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        // Made when the socket is first found full; a second descriptor, because epoll takes each only once.
        let mut writable = None;
        while !bytes.is_empty() {
            match rustix::net::send(&self.socket, bytes, SendFlags::NOSIGNAL) {
                Ok(sent) => bytes = &bytes[sent..],
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    let socket = match &writable {
                        Some(socket) => socket,
                        None => {
                            let same = self.socket.as_fd().try_clone_to_owned()?;
                            writable.insert(PolledFd::new(same, Interest::WRITABLE)?)
                        }
                    };
                    let sent = socket.io(Interest::WRITABLE, |socket| {
                        Ok(rustix::net::send(socket, bytes, SendFlags::NOSIGNAL)?)
                    });
                    bytes = &bytes[sent.await?..];
                }
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    /// The next message of a runtime that has one event at a time.
    pub(crate) async fn receive(&mut self) -> Result<Message, TransportError> {
        match self.receive_numbered().await? {
            (0, message) => Ok(message),
            (event, _) => Err(TransportError::Protocol(format!(
                "it answered event {event}, which it has not"
            ))),
        }
    }

    /// The next message, and the number of the event that it is about. Cancel-safe.
    pub(crate) async fn receive_numbered(&mut self) -> Result<(u16, Message), TransportError> {
        loop {
            if let Some(message) = self.parse()? {
                return Ok(message);
            }
            match self.socket.read_buf(&mut self.buffer).await {
                Ok(0) => return Err(TransportError::Closed),
                Err(error) => {
                    // The kernel says so of a peer that closed a socket with bytes left in it (`unix(7)`).
                    self.unread |= error.kind() == io::ErrorKind::ConnectionReset;
                    return Err(TransportError::Closed);
                }
                Ok(_) => {}
            }
        }
    }

    /// Whether the runtime has ended without having read all of the event: then its handler never saw it.
    pub(crate) fn is_unread(&self) -> bool {
        self.unread
    }

    /// Drops a buffer that a large answer has grown: 10,000 idle instances must not keep one each.
    pub(crate) fn settle(&mut self) {
        if self.buffer.is_empty() && self.buffer.capacity() > BUFFER_BYTES {
            self.buffer = BytesMut::new();
        }
    }

    /// One message from the buffer, or `None` with room made for more bytes.
    fn parse(&mut self) -> Result<Option<(u16, Message)>, TransportError> {
        if let Some(message) = self.skip() {
            return Ok(Some(message));
        }
        if self.skipping.is_some() {
            return Ok(None);
        }
        let Some(bytes) = self.buffer.first_chunk::<HEADER_BYTES>() else {
            self.buffer.reserve(BUFFER_BYTES);
            return Ok(None);
        };
        let header = Header::decode(bytes)
            .map_err(|refused| TransportError::Protocol(refused.to_string()))?;
        if header.body_len > MAX_RESPONSE_BYTES {
            self.skipping = Some(Skipping {
                left: HEADER_BYTES as u64 + u64::from(header.meta_len) + header.body_len,
                body_len: header.body_len,
                event: header.event,
            });
            return Ok(self.skip());
        }
        let meta_end = HEADER_BYTES + header.meta_len as usize;
        let len = meta_end + header.body_len as usize;
        if self.buffer.len() < len {
            self.buffer.reserve(len - self.buffer.len());
            return Ok(None);
        }
        let mut frame = self.buffer.split_to(len).freeze();
        let body = frame.split_off(meta_end);
        let message = message(header.kind, &frame[HEADER_BYTES..], body)?;
        Ok(Some((header.event, message)))
    }

    /// Throws away what has arrived of an over-long body; the message once all of it has.
    fn skip(&mut self) -> Option<(u16, Message)> {
        let skipping = self.skipping.as_mut()?;
        let now = skipping.left.min(self.buffer.len() as u64);
        let _ = self.buffer.split_to(now as usize);
        skipping.left -= now;
        if skipping.left > 0 {
            self.buffer.reserve(JOINED_EVENT_BYTES);
            return None;
        }
        let Skipping {
            event, body_len, ..
        } = self.skipping.take()?;
        Some((event, Message::TooLarge(body_len)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use bytes::Bytes;
    use offshoot_channel::MAX_META_BYTES;

    use super::*;

    fn frame(kind: Kind, body: &[u8]) -> Vec<u8> {
        let header = Header {
            kind,
            event: 0,
            meta_len: 0,
            body_len: body.len() as u64,
        };
        [header.encode().as_slice(), body].concat()
    }

    async fn received(bytes: Vec<u8>) -> Vec<Result<Message, TransportError>> {
        let (mut end, theirs) = ChannelEnd::pair().unwrap();
        let writer = std::thread::spawn(move || StdUnixStream::from(theirs).write_all(&bytes));
        let mut all = Vec::new();
        loop {
            let message = end.receive().await;
            let last = message.is_err();
            all.push(message);
            if last {
                let _ = writer.join();
                return all;
            }
        }
    }

    #[tokio::test]
    async fn frames_arrive_in_order_whatever_the_segmentation() {
        let bytes = [
            frame(Kind::Booted, b""),
            frame(Kind::Ready, b""),
            frame(Kind::Response, &[7; 100_000]),
        ];
        let all = received(bytes.concat()).await;
        assert_eq!(all[0].as_ref().unwrap(), &Message::Booted);
        assert_eq!(all[1].as_ref().unwrap(), &Message::Ready);
        assert_eq!(
            all[2].as_ref().unwrap(),
            &Message::Response(vec![7; 100_000].into())
        );
        assert!(matches!(all[3], Err(TransportError::Closed)));
    }

    #[tokio::test]
    async fn over_long_response_is_skipped_and_the_next_frame_still_read() {
        let long = vec![b'x'; MAX_RESPONSE_BYTES as usize + 1];
        let all =
            received([frame(Kind::Response, &long), frame(Kind::Response, b"ok")].concat()).await;
        assert_eq!(
            all[0].as_ref().unwrap(),
            &Message::TooLarge(long.len() as u64)
        );
        assert_eq!(
            all[1].as_ref().unwrap(),
            &Message::Response(Bytes::from_static(b"ok"))
        );
    }

    #[tokio::test]
    async fn answers_are_told_apart_by_their_numbers_also_those_that_are_skipped() {
        let numbered = |event, len: usize| {
            let header = Header {
                kind: Kind::Response,
                event,
                meta_len: 0,
                body_len: len as u64,
            };
            [header.encode().as_slice(), &vec![b'x'; len]].concat()
        };
        let long = MAX_RESPONSE_BYTES as usize + 1;
        let bytes = [numbered(3, 1), numbered(1, long), numbered(2, 0)].concat();
        let (mut end, theirs) = ChannelEnd::pair().unwrap();
        let writer = std::thread::spawn(move || StdUnixStream::from(theirs).write_all(&bytes));
        let body = |len| Message::Response(vec![b'x'; len].into());
        assert_eq!(end.receive_numbered().await.unwrap(), (3, body(1)));
        let skipped = Message::TooLarge(long as u64);
        assert_eq!(end.receive_numbered().await.unwrap(), (1, skipped));
        assert_eq!(end.receive_numbered().await.unwrap(), (2, body(0)));
        writer.join().unwrap().unwrap();
    }

    #[tokio::test]
    async fn who_has_one_event_at_a_time_answers_no_other() {
        let header = Header {
            kind: Kind::Response,
            event: 1,
            meta_len: 0,
            body_len: 0,
        };
        let all = received(header.encode().to_vec()).await;
        assert!(matches!(all[0], Err(TransportError::Protocol(_))));
    }

    fn event() -> Event {
        crate::spec::samples::event()
    }

    #[tokio::test]
    async fn an_event_that_a_dead_runtime_never_read_is_known_as_such() {
        let (mut end, theirs) = ChannelEnd::pair().unwrap();
        drop(theirs);
        assert!(end.send_invoke(None, &event(), 0, false).await.is_err());
        assert!(end.is_unread(), "it had ended before");

        let (mut end, theirs) = ChannelEnd::pair().unwrap();
        end.send_invoke(None, &event(), 0, false).await.unwrap();
        drop(theirs);
        assert!(matches!(end.receive().await, Err(TransportError::Closed)));
        assert!(end.is_unread(), "it ended with the event in its socket");
    }

    #[tokio::test]
    async fn an_event_that_a_runtime_read_before_it_ended_is_not_unread() {
        let (mut end, theirs) = ChannelEnd::pair().unwrap();
        end.send_invoke(None, &event(), 0, false).await.unwrap();
        let mut theirs = StdUnixStream::from(theirs);
        std::io::Read::read(&mut theirs, &mut [0; 4096]).unwrap();
        drop(theirs);
        assert!(matches!(end.receive().await, Err(TransportError::Closed)));
        assert!(!end.is_unread());
    }

    /// What the runtime's end has been sent, in one read.
    fn one_read(theirs: &mut StdUnixStream) -> Vec<u8> {
        let mut bytes = vec![0; 65_536];
        let count = std::io::Read::read(theirs, &mut bytes).unwrap();
        bytes.truncate(count);
        bytes
    }

    #[tokio::test]
    async fn a_clone_gets_resume_and_its_first_event_in_one_write() {
        let (mut end, theirs) = ChannelEnd::pair().unwrap();
        let mut theirs = StdUnixStream::from(theirs);
        let resume = ResumeMeta {
            env: [("SECRET", Some("x")), ("OLD", None)].into(),
        };
        end.send_invoke(Some(&resume), &event(), 7, false)
            .await
            .unwrap();
        let bytes = one_read(&mut theirs);
        let meta = br#"{"env":{"OLD":null,"SECRET":"x"}}"#;
        let (resume, invoke) = bytes.split_at(HEADER_BYTES + meta.len());
        let expected = Header {
            kind: Kind::Resume,
            event: 0,
            meta_len: meta.len() as u32,
            body_len: 0,
        };
        assert_eq!(resume, [expected.encode().as_slice(), meta].concat());

        end.send_invoke(None, &event(), 7, false).await.unwrap();
        assert_eq!(one_read(&mut theirs), invoke, "the event is as without it");
    }

    #[tokio::test]
    async fn metadata_that_the_runtime_would_refuse_is_not_sent() {
        let (mut end, theirs) = ChannelEnd::pair().unwrap();
        let long = "x".repeat(MAX_META_BYTES as usize);
        let resume = ResumeMeta {
            env: [("LONG", Some(long.as_str()))].into(),
        };
        let sent = end.send_invoke(Some(&resume), &event(), 0, false).await;
        assert!(matches!(sent, Err(TransportError::Protocol(_))));
        drop(end);
        assert_eq!(one_read(&mut theirs.into()), b"");
    }

    #[tokio::test]
    async fn a_freeze_is_answered_by_frozen_or_by_an_error_with_its_type() {
        let (mut end, theirs) = ChannelEnd::pair().unwrap();
        let mut theirs = StdUnixStream::from(theirs);
        end.send_freeze().await.unwrap();
        assert_eq!(one_read(&mut theirs), frame(Kind::Freeze, b""));
        theirs.write_all(&frame(Kind::Frozen, b"")).unwrap();
        assert_eq!(end.receive().await.unwrap(), Message::Frozen);

        end.send_collect().await.unwrap();
        assert_eq!(one_read(&mut theirs), frame(Kind::Collect, b""));
        theirs.write_all(&frame(Kind::Collected, b"")).unwrap();
        assert_eq!(end.receive().await.unwrap(), Message::Collected);

        let meta = br#"{"errorType":"Runtime.BeforeSnapshotError"}"#;
        let header = Header {
            kind: Kind::InitError,
            event: 0,
            meta_len: meta.len() as u32,
            body_len: 2,
        };
        let bytes = [header.encode().as_slice(), meta, b"{}"].concat();
        theirs.write_all(&bytes).unwrap();
        let failed = Message::InitError {
            error_type: Some("Runtime.BeforeSnapshotError".to_owned()),
            body: Bytes::from_static(b"{}"),
        };
        assert_eq!(end.receive().await.unwrap(), failed);
    }

    #[tokio::test]
    async fn frames_for_runtimes_are_refused_from_one() {
        for kind in [Kind::Invoke, Kind::Resume, Kind::Freeze, Kind::Collect] {
            let all = received(frame(kind, b"")).await;
            assert!(matches!(all[0], Err(TransportError::Protocol(_))));
        }
    }

    #[tokio::test]
    async fn a_length_over_every_limit_ends_the_conversation() {
        let mut bytes = frame(Kind::Response, b"");
        bytes[8..].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(matches!(
            received(bytes).await[0],
            Err(TransportError::Protocol(_))
        ));
    }
}
