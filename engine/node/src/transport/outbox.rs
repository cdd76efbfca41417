//! Events on their way to a runtime that has several, written beside what is read from it.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use bytes::Bytes;
use offshoot_channel::ResumeMeta;
use offshoot_sys::polled::PolledFd;
use rustix::io::Errno;
use rustix::net::SendFlags;
use tokio::io::Interest;

use super::frames::head;
use crate::Event;
use crate::message::TransportError;

/// Frames that wait until the socket takes them, in their order.
#[derive(Debug)]
pub(crate) struct Outbox {
    /// The channel's socket, by a descriptor of its own.
    socket: OwnedFd,
    /// The same, made when it is first found full: registered for writing only.
    writable: Option<PolledFd>,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    /// The event whose frame it is part of.
    number: u16,
    bytes: Bytes,
    /// Whether some of it is with the kernel.
    begun: bool,
}

impl Outbox {
    /// `socket` must not block.
    pub(super) fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            writable: None,
            waiting: VecDeque::new(),
        }
    }

    /// Sends an event, and before it what a clone needs that has had none (`resume`); what the socket does not take now waits
    /// for [`Outbox::flush`].
    ///
    /// # Errors
    /// Its metadata is too long.
    pub(crate) fn send(
        &mut self,
        resume: Option<&ResumeMeta<'_>>,
        event: &Event,
        number: u16,
        deadline_ms: u64,
        streaming: bool,
    ) -> Result<(), TransportError> {
        let mut frame = head(resume, event, number, deadline_ms, streaming)?;
        frame.extend_from_slice(&event.payload);
        self.waiting.push_back(Waiting {
            number,
            bytes: frame.into(),
            begun: false,
        });
        // A runtime that has gone is noticed by whoever waits for its answers.
        let _ = self.write();
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether nothing of the event's frame was sent.
    pub(crate) fn holds(&self, number: u16) -> bool {
        let mut waiting = self.waiting.iter();
        waiting.any(|frame| frame.number == number && !frame.begun)
    }

    /// Writes until nothing waits. Cancel-safe. Pends for ever if the runtime has gone.
    pub(crate) async fn flush(&mut self) {
        while let Err(error) = self.write() {
            let waits = error.kind() == io::ErrorKind::WouldBlock;
            if !waits || self.await_room().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Writes what the socket takes.
    fn write(&mut self) -> io::Result<()> {
        while let Some(first) = self.waiting.front_mut() {
            match rustix::net::send(&self.socket, &first.bytes, SendFlags::NOSIGNAL) {
                Ok(sent) => {
                    first.begun |= sent > 0;
                    let _ = first.bytes.split_to(sent);
                    if first.bytes.is_empty() {
                        self.waiting.pop_front();
                    }
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    async fn await_room(&mut self) -> io::Result<()> {
        let socket = match &self.writable {
            Some(socket) => socket,
            None => {
                let same = self.socket.as_fd().try_clone_to_owned()?;
                self.writable
                    .insert(PolledFd::new(same, Interest::WRITABLE)?)
            }
        };
        // Nothing is sent here, so that what was sent is noted by whoever did: being cancelled loses nothing.
        socket
            .io(Interest::WRITABLE, |socket| {
                let room = rustix::event::PollFlags::OUT;
                let mut fds = [rustix::event::PollFd::new(socket, room)];
                match rustix::event::poll(&mut fds, Some(&rustix::event::Timespec::default()))? {
                    0 => Err(io::ErrorKind::WouldBlock.into()),
                    _ => Ok(()),
                }
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    use offshoot_channel::{HEADER_BYTES, Header, Kind};

    use super::super::ChannelEnd;
    use super::*;
    use crate::spec::samples;

    fn event(payload: Vec<u8>) -> Event {
        Event {
            payload: payload.into(),
            ..samples::event()
        }
    }

    #[tokio::test]
    async fn frames_go_out_in_order_and_whole_however_slowly_they_are_read() {
        let (end, theirs) = ChannelEnd::pair().unwrap();
        let mut outbox = end.outbox().unwrap();
        let payloads = [vec![b'a'; 2 << 20], vec![b'b'; 3], vec![b'c'; 1 << 20]];
        for (payload, number) in payloads.iter().zip(1..) {
            outbox
                .send(None, &event(payload.clone()), number, 0, false)
                .unwrap();
        }
        assert!(!outbox.holds(1) && outbox.holds(2) && outbox.holds(3));
        let reader = std::thread::spawn(move || {
            let mut theirs = UnixStream::from(theirs);
            [1, 2, 3].map(|_| {
                let mut header = [0; HEADER_BYTES];
                theirs.read_exact(&mut header).unwrap();
                let header = Header::decode(&header).unwrap();
                let mut rest = vec![0; header.meta_len as usize + header.body_len as usize];
                theirs.read_exact(&mut rest).unwrap();
                (header.event, rest.split_off(header.meta_len as usize))
            })
        });
        outbox.flush().await;
        assert!(outbox.is_empty() && !outbox.holds(3));
        let [a, b, c] = payloads;
        assert_eq!(reader.join().unwrap(), [(1, a), (2, b), (3, c)]);
    }

    #[tokio::test]
    async fn a_clone_is_told_what_it_needs_before_its_first_event() {
        let (end, theirs) = ChannelEnd::pair().unwrap();
        let mut outbox = end.outbox().unwrap();
        let resume = ResumeMeta::default();
        outbox
            .send(Some(&resume), &event(b"{}".into()), 1, 0, false)
            .unwrap();
        let mut header = [0; HEADER_BYTES];
        UnixStream::from(theirs).read_exact(&mut header).unwrap();
        let header = Header::decode(&header).unwrap();
        assert_eq!((header.kind, header.event), (Kind::Resume, 0));
    }

    #[tokio::test]
    async fn what_a_dead_runtime_was_not_sent_is_still_held() {
        let (end, theirs) = ChannelEnd::pair().unwrap();
        let mut outbox = end.outbox().unwrap();
        drop(theirs);
        outbox
            .send(None, &event(b"{}".into()), 5, 0, false)
            .unwrap();
        assert!(outbox.holds(5));
    }
}
