//! Signal dispositions that need no handler.
// UNSAFETY: sigaction is unsafe because of handlers, which this module cannot install.
#![expect(unsafe_code)]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// Ignores `SIGCHLD`: the kernel then reaps children by itself (`sigaction(2)`).
///
/// # Errors
/// None that the manual names for a valid signal; passed on if the kernel finds one.
pub fn ignore_children() -> io::Result<()> {
    // SAFETY: SIG_IGN is not a function that could run in a signal context.
    let previous = unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    if previous == libc::SIG_ERR {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Gives every signal that is ignored its default again, but `SIGPIPE`, which Rust's runtime ignores on purpose and resets
/// at an exec. What a process ignores, the programs that it starts ignore, too (`nohup`, shells' background jobs).
///
/// # Errors
/// None that the manual names; passed on if the kernel finds one.
pub fn default_ignored() -> io::Result<()> {
    const LAST: libc::c_int = 64;
    const SET_BYTES: usize = 8;
    for number in (1..=LAST).filter(|number| *number != libc::SIGPIPE) {
        // The kernel's own structure: handler, flags, restorer, mask; the C library hides two of the signals.
        let mut action = [0_u64; 4];
        let null = std::ptr::null::<u64>();
        // SAFETY: asks only; `action` has the size of the kernel's structure, which it fills.
        let asked = unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                number,
                null,
                action.as_mut_ptr(),
                SET_BYTES,
            )
        };
        if asked < 0 {
            return Err(io::Error::last_os_error());
        }
        if action[0] != libc::SIG_IGN as u64 {
            continue;
        }
        let default = [0_u64; 4];
        let nowhere = std::ptr::null_mut::<u64>();
        // SAFETY: SIG_DFL (0) is not a function; `default` is read only.
        let set = unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                number,
                default.as_ptr(),
                nowhere,
                SET_BYTES,
            )
        };
        if set < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
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
