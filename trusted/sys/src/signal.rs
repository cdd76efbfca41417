//! Signal dispositions that need no handler.
// UNSAFETY: sigaction is unsafe because of handlers, which this module cannot install.
#![expect(unsafe_code)]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// What happens on a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// The kernel's default for that signal.
    Default,
    /// Nothing; for `SIGCHLD` the kernel then reaps children by itself (`sigaction(2)`).
    Ignore,
}

/// Sets the disposition of `SIGCHLD`.
///
/// # Errors
/// None that the manual names for a valid signal; passed on if the kernel finds one.
pub fn set_child_signal(disposition: Disposition) -> io::Result<()> {
    let action = match disposition {
        Disposition::Default => libc::SIG_DFL,
        Disposition::Ignore => libc::SIG_IGN,
    };
    // SAFETY: neither value is a function that could run in a signal context.
    let previous = unsafe { libc::signal(libc::SIGCHLD, action) };
    if previous == libc::SIG_ERR {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Blocks `SIGCHLD` for the calling thread, and gives a descriptor that can be read when a child has ended
/// (`signalfd(2)`): non-blocking, close-on-exec.
///
/// # Errors
/// Those of `signalfd(2)`.
pub fn child_signals() -> io::Result<OwnedFd> {
    // SAFETY: the set is initialised by `sigemptyset` before anything reads it; both calls only write to it.
    let set = unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        set
    };
    // SAFETY: `set` is a valid set; no old set is asked for.
    let blocked =
        unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
    if blocked < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor for a valid set.
    let fd = unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has just made it, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
