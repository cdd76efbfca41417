//! Removing a tree that a stranger shaped, with bounded stack, memory and descriptors.
//!
//! A deep tree is flattened instead of descended: a subdirectory that is not empty is renamed to
//! the top, next to the tree, and queued. So the depth costs nothing, and no path is ever longer
//! than one component. What a crash leaves behind carries the prefix [`LEFTOVER`] and is removed
//! when the store is opened next.

use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, Dir, Mode, OFlags};
use rustix::io::Errno;

/// Prefix of all names, at the top of a store, of things being made or removed.
pub(crate) const LEFTOVER: &str = "tmp-";
/// Names read from a directory at a time.
const BATCH: usize = 1_024;

/// A name with the prefix [`LEFTOVER`] that no other call returns, in this process or another.
pub(crate) fn fresh_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let pid = rustix::process::getpid();
    format!("{LEFTOVER}{pid}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Removes the directory `name` of `top` and everything in it.
pub(crate) fn remove_tree(top: &OwnedFd, name: &str) -> Result<(), Errno> {
    let mut queue = vec![name.to_owned()];
    while let Some(name) = queue.pop() {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(top, name.as_str(), flags, Mode::empty())?;
        empty(top, &directory, &mut queue)?;
        rustix::fs::unlinkat(top, name.as_str(), AtFlags::REMOVEDIR)?;
    }
    Ok(())
}

/// Empties `directory`; subdirectories that are not empty move to `top` and into the queue.
fn empty(top: &OwnedFd, directory: &OwnedFd, queue: &mut Vec<String>) -> Result<(), Errno> {
    loop {
        let names = read_batch(directory)?;
        if names.is_empty() {
            return Ok(());
        }
        for name in &names {
            remove_or_move(top, directory, name, queue)?;
        }
    }
}

fn remove_or_move(
    top: &OwnedFd,
    directory: &OwnedFd,
    name: &CStr,
    queue: &mut Vec<String>,
) -> Result<(), Errno> {
    match rustix::fs::unlinkat(directory, name, AtFlags::empty()) {
        // Linux says EISDIR, POSIX EPERM.
        Err(Errno::ISDIR | Errno::PERM) => {}
        done => return done,
    }
    match rustix::fs::unlinkat(directory, name, AtFlags::REMOVEDIR) {
        Err(Errno::NOTEMPTY | Errno::EXIST) => {}
        done => return done,
    }
    let moved = fresh_name();
    rustix::fs::renameat(directory, name, top, moved.as_str())?;
    queue.push(moved);
    Ok(())
}

fn read_batch(directory: &OwnedFd) -> Result<Vec<CString>, Errno> {
    let mut names = Vec::new();
    let mut entries = Dir::read_from(directory)?;
    while let Some(entry) = entries.read() {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            names.push(name.to_owned());
        }
        if names.len() == BATCH {
            break;
        }
    }
    Ok(names)
}
