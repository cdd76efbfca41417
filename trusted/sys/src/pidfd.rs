//! How a process ended that is not a child of ours.
// UNSAFETY: an ioctl that fills a struct.
#![expect(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// `struct pidfd_info` in its first version (`linux/pidfd.h`).
#[repr(C)]
#[derive(Debug, Default)]
struct PidfdInfo {
    mask: u64,
    cgroup: u64,
    ids: [u32; 11],
    exit_status: i32,
}

/// `PIDFD_INFO_EXIT`.
const INFO_EXIT: u64 = 1 << 3;
/// `PIDFD_GET_INFO`: `_IOWR(0xFF, 11, struct pidfd_info)`.
const GET_INFO: libc::c_ulong = 0xC000_FF0B | (size_of::<PidfdInfo>() as libc::c_ulong) << 16;
const _: () = assert!(size_of::<PidfdInfo>() == 64);

/// The wait status (`wait(2)`) of the process of a pidfd, once it has ended and its parent has waited for it; else none.
/// A pidfd is readable when its process has ended, and hung up (`POLLHUP`) when it has been waited for.
///
/// # Errors
/// Those of `ioctl(2)`, always before Linux 6.13; from there to 6.15 the kernel never tells.
pub fn exit_status(pidfd: BorrowedFd<'_>) -> io::Result<Option<i32>> {
    let mut info = PidfdInfo {
        mask: INFO_EXIT,
        ..PidfdInfo::default()
    };
    // SAFETY: the kernel writes as many bytes as the request's number says, which is the length of `info`.
    let result = unsafe { libc::ioctl(pidfd.as_raw_fd(), GET_INFO, &raw mut info) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((info.mask & INFO_EXIT != 0).then_some(info.exit_status))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::fd::AsFd;
    use std::process::{Command, Stdio};

    use rustix::process::{Pid, PidfdFlags, pidfd_open};

    use super::*;

    #[test]
    fn status_is_there_when_the_parent_has_waited() {
        let mut child = Command::new("/bin/sh")
            .args(["-c", "read line; exit 7"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).unwrap();
        assert_eq!(exit_status(pidfd.as_fd()).unwrap(), None, "it runs");
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(exit_status(pidfd.as_fd()).unwrap(), Some(7 << 8));
    }
}
