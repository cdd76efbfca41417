//! `kcmp(2)`: whether two processes, or two descriptors, share a thing of the kernel.
//!
//! The kernel answers with an order, not only with "equal", so that many things can be sorted with
//! few calls. The order means nothing else, and holds only while the compared things live: callers
//! stop the processes first.
// UNSAFETY: a raw system call; its one pointer leads to a structure of ours.
#![expect(unsafe_code)]

use std::cmp::Ordering;
use std::io;

/// `KCMP_FILE`.
const FILE: libc::c_int = 0;
/// `KCMP_FILES`.
const FILES: libc::c_int = 2;
/// `KCMP_EPOLL_TFD`.
const EPOLL_TFD: libc::c_int = 7;

/// `struct kcmp_epoll_slot`: one entry of an epoll set.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpollSlot {
    /// Descriptor of the epoll set.
    pub epoll: u32,
    /// Descriptor number under which the entry was registered.
    pub target: u32,
    /// Which of the entries with this number, as `/proc/pid/fdinfo` lists them: the first is 0.
    pub nth: u32,
}

/// Compares the open file descriptions behind descriptor `left` and descriptor `right` of process
/// `pid`.
///
/// # Errors
/// The errors of `kcmp(2)`; `EBADF` for a descriptor that is not open.
pub fn descriptions(pid: i32, left: u32, right: u32) -> io::Result<Ordering> {
    order(compare(pid, pid, FILE, left.into(), right.into())?)
}

/// Whether two processes or threads use one descriptor table.
///
/// # Errors
/// The errors of `kcmp(2)`; `ESRCH` if one of them is gone.
pub fn share_descriptors(left: i32, right: i32) -> io::Result<bool> {
    Ok(compare(left, right, FILES, 0, 0)? == 0)
}

/// Whether an entry of an epoll set of process `pid` watches the open file description that
/// `descriptor` leads to.
///
/// # Errors
/// The errors of `kcmp(2)`; `ENOENT` if there is no such entry, `EBADF` if `descriptor` is closed.
pub fn epoll_watches(pid: i32, slot: &EpollSlot, descriptor: u32) -> io::Result<bool> {
    let address = std::ptr::from_ref(slot).expose_provenance() as u64;
    // The kernel reads `slot`, which the reference keeps alive until the call returns.
    Ok(compare(pid, pid, EPOLL_TFD, descriptor.into(), address)? == 0)
}

fn compare(left: i32, right: i32, kind: libc::c_int, a: u64, b: u64) -> io::Result<libc::c_long> {
    // SAFETY: the only kind given here whose argument is an address is EPOLL_TFD, and its caller
    // passes that of a live structure, which the kernel only reads.
    let result = unsafe { libc::syscall(libc::SYS_kcmp, left, right, kind, a, b) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn order(answer: libc::c_long) -> io::Result<Ordering> {
    match answer {
        0 => Ok(Ordering::Equal),
        1 => Ok(Ordering::Less),
        2 => Ok(Ordering::Greater),
        _ => Err(io::Error::other(
            "the kernel does not order what kcmp compares",
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs::File;
    use std::os::fd::AsRawFd;

    fn number(file: &File) -> u32 {
        u32::try_from(file.as_raw_fd()).unwrap()
    }

    #[test]
    fn duplicates_are_equal_and_a_second_opening_is_ordered() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let first = File::open("/dev/null").unwrap();
        let same = first.try_clone().unwrap();
        let other = File::open("/dev/null").unwrap();
        let compare = |a: &File, b: &File| descriptions(pid, number(a), number(b)).unwrap();
        assert_eq!(compare(&first, &same), Ordering::Equal);
        assert_ne!(compare(&first, &other), Ordering::Equal);
        assert_eq!(compare(&first, &other), compare(&other, &first).reverse());
    }

    #[test]
    fn a_process_shares_descriptors_with_itself_but_not_with_its_parent() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let parent = i32::try_from(std::os::unix::process::parent_id()).unwrap();
        assert!(share_descriptors(pid, pid).unwrap());
        assert!(!share_descriptors(pid, parent).unwrap());
    }

    #[test]
    fn a_closed_descriptor_is_an_error() {
        let pid = i32::try_from(std::process::id()).unwrap();
        assert!(descriptions(pid, 0, 1 << 20).is_err());
    }
}
