//! Any pollable descriptor on tokio's reactor: `AsyncFd` for what is certainly owned.
// UNSAFETY: tokio's registration wants a promise that the descriptor stays open.
#![expect(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

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
