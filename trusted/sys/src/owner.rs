//! Who gets the signal when a file becomes ready (`F_GETOWN_EX` and `F_GETSIG` of `fcntl(2)`).
// UNSAFETY: fcntl writes into a structure of ours.
#![expect(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// `F_GETOWN_EX`.
const GET_OWNER: libc::c_int = 16;
/// `F_GETSIG`.
const GET_SIGNAL: libc::c_int = 11;

/// `struct f_owner_ex`.
#[repr(C)]
struct Owner {
    kind: libc::c_int,
    id: libc::pid_t,
}

/// The thread, process or process group that gets a signal for `fd`, as an id of our PID
/// namespace; none if nobody was named (`F_SETOWN`).
///
/// # Errors
/// The errors of `fcntl(2)`; `EBADF` for a file opened with `O_PATH`.
pub fn owner(fd: BorrowedFd<'_>) -> io::Result<Option<i32>> {
    let mut owner = Owner { kind: 0, id: 0 };
    // SAFETY: F_GETOWN_EX writes one `f_owner_ex`, whose layout `Owner` has.
    if unsafe { libc::fcntl(fd.as_raw_fd(), GET_OWNER, &raw mut owner) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((owner.id != 0).then_some(owner.id))
}

/// The signal that was chosen with `F_SETSIG`; none for the default.
///
/// # Errors
/// The errors of `fcntl(2)`.
pub fn signal(fd: BorrowedFd<'_>) -> io::Result<Option<i32>> {
    // SAFETY: F_GETSIG takes no argument and touches no memory.
    match unsafe { libc::fcntl(fd.as_raw_fd(), GET_SIGNAL) } {
        signal if signal < 0 => Err(io::Error::last_os_error()),
        0 => Ok(None),
        signal => Ok(Some(signal)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_new_socket_has_neither_owner_nor_signal() {
        let (socket, _peer) = UnixStream::pair().unwrap();
        assert_eq!(owner(socket.as_fd()).unwrap(), None);
        assert_eq!(signal(socket.as_fd()).unwrap(), None);
    }

    #[test]
    fn an_owner_that_was_set_is_seen() {
        let (socket, _peer) = UnixStream::pair().unwrap();
        let pid = i32::try_from(std::process::id()).unwrap();
        // SAFETY: F_SETOWN takes an integer.
        let result = unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_SETOWN, pid) };
        assert_eq!(result, 0);
        assert_eq!(owner(socket.as_fd()).unwrap(), Some(pid));
    }
}
