//! `mount_setattr(2)`.
// UNSAFETY: a raw system call with a structure passed by pointer.
#![expect(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Attributes to set on a mount; those not named stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MountAttr {
    /// No writes (`MOUNT_ATTR_RDONLY`).
    pub read_only: bool,
    /// Writes again.
    pub writable: bool,
    /// Set-user-ID bits and file capabilities have no effect (`MOUNT_ATTR_NOSUID`).
    pub no_suid: bool,
    /// Device nodes cannot be opened (`MOUNT_ATTR_NODEV`).
    pub no_dev: bool,
    /// Programs cannot be executed (`MOUNT_ATTR_NOEXEC`).
    pub no_exec: bool,
    /// The mount neither sends nor receives mount events (`MS_PRIVATE`).
    pub private: bool,
    /// The mounts below it too (`AT_RECURSIVE`).
    pub recursive: bool,
}

/// Changes the attributes of the mount that `mount` is open on.
///
/// # Errors
/// The errors of `mount_setattr(2)`; `ENOSYS` before Linux 5.12.
pub fn set(mount: BorrowedFd<'_>, attr: MountAttr) -> io::Result<()> {
    let bit = |wanted: bool, bit: u64| if wanted { bit } else { 0 };
    let kernel_attr = libc::mount_attr {
        attr_set: bit(attr.read_only, libc::MOUNT_ATTR_RDONLY)
            | bit(attr.no_suid, libc::MOUNT_ATTR_NOSUID)
            | bit(attr.no_dev, libc::MOUNT_ATTR_NODEV)
            | bit(attr.no_exec, libc::MOUNT_ATTR_NOEXEC),
        attr_clr: bit(attr.writable, libc::MOUNT_ATTR_RDONLY),
        propagation: bit(attr.private, libc::MS_PRIVATE),
        userns_fd: 0,
    };
    let flags = libc::AT_EMPTY_PATH
        | if attr.recursive {
            libc::AT_RECURSIVE
        } else {
            0
        };
    // SAFETY: the path is a C string, the structure has the size that is passed, and both
    // outlive the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const kernel_attr,
            size_of::<libc::mount_attr>(),
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
