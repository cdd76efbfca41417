//! `open_by_handle_at(2)`: a file by the handle that the kernel prints for it, as inotify does in
//! `/proc/pid/fdinfo`.
// UNSAFETY: passes a structure of variable length whose layout the kernel defines.
#![expect(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// `MAX_HANDLE_SZ`.
pub const HANDLE_BYTES_MAX: usize = 128;

/// `struct file_handle` with room for the longest handle.
#[repr(C)]
struct FileHandle {
    handle_bytes: u32,
    handle_type: i32,
    handle: [u8; HANDLE_BYTES_MAX],
}

/// Opens the file that `handle` names on the file system that `mount` lies on, as `O_PATH`.
///
/// `mount` is any file of that file system, not opened with `O_PATH`. Needs `CAP_DAC_READ_SEARCH`.
///
/// # Errors
/// The errors of `open_by_handle_at(2)`: `ESTALE` if there is no such file any more. `EINVAL` for
/// a handle longer than [`HANDLE_BYTES_MAX`].
pub fn open(mount: BorrowedFd<'_>, handle_type: i32, handle: &[u8]) -> io::Result<OwnedFd> {
    let mut argument = FileHandle {
        handle_bytes: 0,
        handle_type,
        handle: [0; HANDLE_BYTES_MAX],
    };
    let Some(room) = argument.handle.get_mut(..handle.len()) else {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    };
    room.copy_from_slice(handle);
    argument.handle_bytes = u32::try_from(handle.len()).unwrap_or(u32::MAX);
    // SAFETY: `argument` lives across the call and holds at least `handle_bytes` bytes of handle;
    // the kernel only reads it.
    let result = unsafe {
        libc::syscall(
            libc::SYS_open_by_handle_at,
            mount.as_raw_fd(),
            &raw const argument,
            libc::O_PATH | libc::O_CLOEXEC,
        )
    };
    let number = libc::c_int::try_from(result).unwrap_or(-1);
    if number < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs::File;
    use std::os::fd::AsFd;

    #[test]
    fn a_handle_of_nonsense_opens_nothing() {
        let root = File::open("/").unwrap();
        assert!(open(root.as_fd(), 1, &[0xff; 8]).is_err());
        let error = open(root.as_fd(), 1, &[0; HANDLE_BYTES_MAX + 1]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    }
}
