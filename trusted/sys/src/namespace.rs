//! `unshare` of namespaces.
// UNSAFETY: unshare is unsafe in general for CLONE_FILES only, which this module cannot express.
#![expect(unsafe_code)]

use std::io;
use std::ops::BitOr;

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

    pub(crate) fn bits(self) -> i32 {
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
