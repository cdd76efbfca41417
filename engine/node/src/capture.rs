//! What an instance prints: its standard output and error, one pipe.

use std::io;
use std::os::fd::OwnedFd;

use rustix::pipe::{PipeFlags, pipe_with};
use tokio::net::unix::pipe::Receiver;

/// Most bytes taken by one read; a pipe holds 64 KiB.
const READ_BYTES: usize = 4 << 10;

/// The reading end of an instance's output pipe. It is read only while the instance works: between events the
/// pipe holds what background threads print, and blocks them when it is full.
#[derive(Debug)]
pub(crate) struct OutputPipe {
    pipe: Receiver,
}

impl OutputPipe {
    /// A pipe: our reading end, and the writing end for the runtime's standard output and error.
    pub(crate) fn new() -> io::Result<(Self, OwnedFd)> {
        let (reading, writing) = pipe_with(PipeFlags::CLOEXEC)?;
        // Makes the reading end non-blocking; the runtime's end stays as programs expect it.
        Ok((
            Self {
                pipe: Receiver::from_owned_fd(reading)?,
            },
            writing,
        ))
    }

    /// Waits for output and appends it to `into`. Cancel-safe. Pends for ever once the pipe is closed.
    pub(crate) async fn read(&self, into: &mut Vec<u8>) {
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
