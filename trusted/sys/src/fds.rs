//! The descriptor table of a fresh child.
//!
//! Descriptor numbers are a shared name space: closing or overwriting a number that an `OwnedFd`
//! elsewhere still names breaks that owner. These functions therefore want a
//! [`FreshChild`]: the child never returns into its parent's frames, so none of the owners that
//! it inherited is ever used or dropped again, save those that its body moved in.
// UNSAFETY: closes and replaces descriptors by number.
#![expect(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::clone::FreshChild;

/// Makes `number` refer to what `fd` refers to, without close-on-exec.
///
/// `number` must not be one that the child's body still uses under another owner.
///
/// # Errors
/// The errors of `dup2(2)` and `fcntl(2)`.
pub fn place(_child: &FreshChild, fd: BorrowedFd<'_>, number: RawFd) -> io::Result<()> {
    let result = if fd.as_raw_fd() == number {
        // SAFETY: F_SETFD takes an integer and touches no memory.
        unsafe { libc::fcntl(number, libc::F_SETFD, 0) }
    } else {
        // SAFETY: `fd` is open; owners of `number` are not used again in a fresh child.
        unsafe { libc::dup2(fd.as_raw_fd(), number) }
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Closes every descriptor from 3 upwards that a program was started with.
///
/// For the first line of a program, before anything in it owns a descriptor; refused on a second
/// call, when that could no longer be so.
///
/// # Errors
/// The errors of `close_range(2)`; [`io::ErrorKind::AlreadyExists`] on a second call.
pub fn close_inherited() -> io::Result<()> {
    static DONE: AtomicBool = AtomicBool::new(false);
    if DONE.swap(true, Ordering::Relaxed) {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    close_range(3, u32::MAX, 0)
}

/// Closes every descriptor from `first` upwards but those in `keep`.
///
/// # Errors
/// The errors of `close_range(2)`.
pub fn close_from(_child: &FreshChild, first: u32, keep: &[BorrowedFd<'_>]) -> io::Result<()> {
    let numbers = keep.iter().map(|fd| fd.as_raw_fd().unsigned_abs());
    let mut kept: Vec<u32> = numbers.filter(|number| *number >= first).collect();
    kept.sort_unstable();
    let mut first = first;
    for number in kept {
        if number > first {
            close_range(first, number - 1, 0)?;
        }
        first = number + 1;
    }
    close_range(first, u32::MAX, 0)
}

/// Marks every descriptor from `first` upwards close-on-exec.
///
/// # Errors
/// The errors of `close_range(2)`; flags need Linux 5.11.
pub fn cloexec_from(first: u32) -> io::Result<()> {
    close_range(first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC)
}

fn close_range(first: u32, last: u32, flags: libc::c_uint) -> io::Result<()> {
    // SAFETY: takes integers only; whether the numbers may be closed is the caller's proof.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
