//! `unshare` of namespaces, and `setns` into those of another process.
// UNSAFETY: unshare is unsafe in general for CLONE_FILES only, which this module cannot express.
#![expect(unsafe_code)]

use std::io;
use std::ops::BitOr;
use std::os::fd::{AsRawFd, BorrowedFd};

/// A set of namespaces; never holds a flag that is not a namespace.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Namespaces(i32);

impl Namespaces {
    /// Mount points.
    pub const MOUNT: Self = Self(libc::CLONE_NEWNS);
    /// Network devices, addresses, ports.
    pub const NET: Self = Self(libc::CLONE_NEWNET);
    /// System V IPC and POSIX message queues.
    pub const IPC: Self = Self(libc::CLONE_NEWIPC);
    /// Host name.
    pub const UTS: Self = Self(libc::CLONE_NEWUTS);
    /// The view of the cgroup hierarchy.
    pub const CGROUP: Self = Self(libc::CLONE_NEWCGROUP);
    /// Process ids: those of children, never the caller's own.
    pub const PID: Self = Self(libc::CLONE_NEWPID);
    /// All that a process of a sandbox is in, but the process ids, which it is born into.
    pub const SANDBOX: Self = Self(
        libc::CLONE_NEWNS
            | libc::CLONE_NEWNET
            | libc::CLONE_NEWIPC
            | libc::CLONE_NEWUTS
            | libc::CLONE_NEWCGROUP,
    );

    /// As `setns(2)`, `unshare(2)` and `clone3(2)` take them.
    pub fn bits(self) -> i32 {
        self.0
    }
}

impl BitOr for Namespaces {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Moves the calling thread into new namespaces (`unshare(2)`).
///
/// # Errors
/// The errors of `unshare(2)`.
pub fn unshare(namespaces: Namespaces) -> io::Result<()> {
    // SAFETY: the set holds namespace flags only, so descriptor tables stay shared as they are.
    let result = unsafe { libc::unshare(namespaces.0) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Moves the calling thread into namespaces of another process, given by its pidfd, or into the one
/// namespace that a descriptor of `/proc/<pid>/ns` names (`setns(2)`; pidfds since Linux 5.8).
///
/// A thread that shares its working directory with others ([`unshare_working_directory`]) cannot
/// enter a mount namespace.
///
/// # Errors
/// The errors of `setns(2)`; `ESRCH` when the process has ended.
pub fn join(of: BorrowedFd<'_>, namespaces: Namespaces) -> io::Result<()> {
    // SAFETY: takes integers only, and changes what this thread sees, not its memory or descriptors.
    let result = unsafe { libc::setns(of.as_raw_fd(), namespaces.0) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Gives the calling thread a root and working directory of its own (`CLONE_FS`), so that it can
/// enter mount namespaces while other threads stay where they are.
///
/// # Errors
/// The errors of `unshare(2)`.
pub fn unshare_working_directory() -> io::Result<()> {
    // SAFETY: CLONE_FS alone: descriptor tables stay shared as they are.
    let result = unsafe { libc::unshare(libc::CLONE_FS) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
