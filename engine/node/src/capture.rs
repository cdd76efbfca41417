//! What an instance prints: its standard output and error, one pipe.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::pipe::{PipeFlags, pipe_with};
use tokio::net::unix::pipe::Receiver;
use tokio::time::Instant;

/// Most bytes taken by one read; a pipe holds 64 KiB.
const READ_BYTES: usize = 4 << 10;

/// The reading end of an instance's output pipe. It is read only while the instance works: between events the
/// pipe holds what background threads print, and blocks them when it is full.
#[derive(Debug)]
pub(crate) struct OutputPipe {
    pipe: Receiver,
    /// Nothing is read before.
    rests_until: Option<Instant>,
}

impl OutputPipe {
    /// A pipe: our reading end, and the writing end for the runtime's standard output and error.
    pub(crate) fn new() -> io::Result<(Self, OwnedFd)> {
        let (reading, writing) = pipe_with(PipeFlags::CLOEXEC)?;
        // Makes the reading end non-blocking; the runtime's end stays as programs expect it.
        Ok((
            Self {
                pipe: Receiver::from_owned_fd(reading)?,
                rests_until: None,
            },
            writing,
        ))
    }

    /// Leaves the pipe alone for a time, at least until all others have had their turn: a program that prints without end
    /// waits, and nobody else.
    pub(crate) fn rest(&mut self, time: Duration) {
        self.rests_until = Some(Instant::now() + time);
    }

    /// Waits for output, and before for the end of its rest, and appends it to `into`. Cancel-safe. Pends for ever once
    /// the pipe is closed.
    pub(crate) async fn read(&mut self, into: &mut Vec<u8>) {
        if let Some(until) = self.rests_until {
            if until > Instant::now() {
                tokio::time::sleep_until(until).await;
            } else {
                tokio::task::yield_now().await;
            }
            self.rests_until = None;
        }
        loop {
            if self.pipe.readable().await.is_err() {
                return std::future::pending().await;
            }
            into.reserve(READ_BYTES);
            match self.pipe.try_read_buf(into) {
                Ok(0) => return std::future::pending().await,
                Ok(_) => return,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return std::future::pending().await,
            }
        }
    }

    /// Appends what is in the pipe now, at most `limit_bytes`, without waiting. Asks the kernel and not tokio's
    /// readiness, which may lag behind an answer that came over another descriptor.
    pub(crate) fn drain(&self, into: &mut Vec<u8>, limit_bytes: usize) {
        let start = into.len();
        while into.len() - start < limit_bytes {
            into.reserve(READ_BYTES);
            match rustix::io::read(&self.pipe, rustix::buffer::spare_capacity(into)) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use futures_util::FutureExt;

    /// A pipe into which `bytes` were written.
    fn filled(bytes: &[u8]) -> (OutputPipe, OwnedFd) {
        let (pipe, writing) = OutputPipe::new().unwrap();
        rustix::io::write(&writing, bytes).unwrap();
        (pipe, writing)
    }

    #[tokio::test(start_paused = true)]
    async fn pipe_that_rests_is_read_when_the_rest_is_over() {
        let (mut pipe, _writing) = filled(b"text");
        let mut found = Vec::new();
        pipe.rest(Duration::from_millis(5));
        let soon = tokio::time::timeout(Duration::from_millis(4), pipe.read(&mut found)).await;
        assert!(soon.is_err() && found.is_empty());
        // Waiting was given up meanwhile, and the rest goes on.
        pipe.read(&mut found).await;
        assert_eq!(found, b"text");
    }

    #[tokio::test]
    async fn others_have_their_turn_between_two_reads() {
        let (mut pipe, _writing) = filled(&[b'x'; READ_BYTES * 2]);
        let mut found = Vec::new();
        pipe.read(&mut found).await;
        assert!(found.len() < READ_BYTES * 2, "the test wants two reads");
        pipe.rest(Duration::ZERO);
        assert_eq!(pipe.read(&mut found).now_or_never(), None);
    }
}
