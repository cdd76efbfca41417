//! Any pollable descriptor on tokio's reactor: `AsyncFd` for what is certainly owned.
// UNSAFETY: tokio's registration wants a promise that the descriptor stays open; `read(2)` fills memory that nobody
// has initialised.
#![expect(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use bytes::BufMut;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// An owned descriptor that tokio waits on: a socket, a pidfd, an eventfd.
#[derive(Debug)]
pub struct PolledFd(AsyncFd<OwnedFd>);

impl PolledFd {
    /// Registers a descriptor with the current tokio runtime.
    ///
    /// For [`PolledFd::io`], it must not block.
    ///
    /// # Errors
    /// The errors of `epoll_ctl(2)`; `EPERM` for what cannot be polled, such as a regular file.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O enabled, as all of tokio's types.
    pub fn new(fd: OwnedFd, interest: Interest) -> io::Result<Self> {
        // SAFETY: an `OwnedFd` is open as long as it lives; this type never gives out a mutable
        // reference by which it could be replaced, and drops the registration with it.
        let registered = unsafe { AsyncFd::register_with_interest(fd, interest) };
        Ok(Self(registered?))
    }

    /// Waits until it is readable (for a pidfd: until the process has ended).
    ///
    /// # Errors
    /// The runtime is shutting down.
    pub async fn readable(&self) -> io::Result<()> {
        self.0.readable().await.map(drop)
    }

    /// Waits for bytes and appends them to `into`, as many as there are and fit in its next chunk. Cancel-safe: what
    /// was read is in `into`.
    ///
    /// # Errors
    /// Those of `read(2)`; the runtime is shutting down.
    pub async fn read_buf(&self, into: &mut impl BufMut) -> io::Result<usize> {
        loop {
            let mut guard = self.0.readable().await?;
            let room = into.chunk_mut();
            let room_bytes = room.len();
            let read = guard.try_io(|fd| {
                // SAFETY: `room` is exclusively ours, writable, and `room_bytes` long.
                let read =
                    unsafe { libc::read(fd.as_raw_fd(), room.as_mut_ptr().cast(), room_bytes) };
                usize::try_from(read).map_err(|_| io::Error::last_os_error())
            });
            match read {
                Ok(Ok(read)) => {
                    // A short read has emptied the descriptor: asking once more would only say so. What comes later
                    // is a new edge (`epoll(7)`).
                    if read > 0 && read < room_bytes {
                        guard.clear_ready();
                    }
                    // SAFETY: the kernel has initialised that many bytes of this chunk.
                    unsafe { into.advance_mut(read) };
                    return Ok(read);
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Err(error),
                Err(_would_block) => {}
            }
        }
    }

    /// Calls `operation` when the descriptor is ready, until it does not say `WouldBlock`.
    ///
    /// # Errors
    /// Those of the operation; the runtime is shutting down.
    pub async fn io<R>(
        &self,
        interest: Interest,
        operation: impl FnMut(&OwnedFd) -> io::Result<R>,
    ) -> io::Result<R> {
        self.0.async_io(interest, operation).await
    }
}

impl AsFd for PolledFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_ref().as_fd()
    }
}
