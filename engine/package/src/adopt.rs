//! Checking and taking over what a worker has made.
//!
//! The worker parsed hostile bytes, so its word counts for nothing: the daemon walks the tree
//! itself, by descriptors and without following links. Nobody else can change it meanwhile: the
//! worker is reaped, could not fork, and the directory above is closed to its uid.

use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat, Uid};
use rustix::io::Errno;

use crate::error::{UnpackError, WorkerFault};
use crate::limits::Limits;
use crate::link;
use crate::tree::Tally;

/// Walks the tree at `root`, demands that it is one which an honest worker could have made, and
/// gives all of it to `owner`. Returns what is there.
pub(crate) fn adopt(
    root: &OwnedFd,
    owner: Option<(Uid, Gid)>,
    limits: &Limits,
) -> Result<Tally, UnpackError> {
    let mut adoption = Adoption {
        owner,
        limits,
        tally: Tally {
            bytes: 0,
            entries: 0,
        },
    };
    adoption.root(root)?;
    Ok(adoption.tally)
}

/// Why the walk stops.
enum Stop {
    Call(Errno),
    Found(&'static str),
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Self {
        Self::Call(errno)
    }
}

impl From<Stop> for UnpackError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Call(errno) => Self::io("cannot check what was unpacked", errno),
            Stop::Found(what) => WorkerFault::Untrustworthy { what }.into(),
        }
    }
}

struct Adoption<'a> {
    owner: Option<(Uid, Gid)>,
    limits: &'a Limits,
    tally: Tally,
}

impl Adoption<'_> {
    fn root(&mut self, root: &OwnedFd) -> Result<(), Stop> {
        check_mode(&rustix::fs::fstat(root)?, &[0o755])?;
        self.directory(open_directory(root, c".")?, 0)
    }

    /// Checks and takes `directory`, which lies `depth` levels below the root. The recursion, and
    /// with it the number of open descriptors, is bounded by the limit on depth.
    fn directory(&mut self, directory: OwnedFd, depth: usize) -> Result<(), Stop> {
        if depth > self.limits.depth as usize {
            return Err(Stop::Found("a directory too deep"));
        }
        if let Some((uid, gid)) = self.owner {
            rustix::fs::fchown(&directory, Some(uid), Some(gid))?;
        }
        let mut names = Dir::read_from(&directory)?;
        while let Some(entry) = names.read() {
            let entry = entry?;
            let name = entry.file_name();
            if name != c"." && name != c".." {
                self.entry(&directory, &name.to_owned(), depth)?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, parent: &OwnedFd, name: &CString, depth: usize) -> Result<(), Stop> {
        self.tally.entries += 1;
        if self.tally.entries > self.limits.entries {
            return Err(Stop::Found("too many entries"));
        }
        let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                check_mode(&stat, &[0o755])?;
                self.directory(open_directory(parent, name)?, depth + 1)
            }
            FileType::RegularFile => {
                check_mode(&stat, &[0o644, 0o755])?;
                self.add_bytes(&stat)?;
                self.take(parent, name)
            }
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(parent, name, Vec::new())?;
                link::check(target.as_bytes(), depth)
                    .map_err(|_| Stop::Found("a link that leaves the package"))?;
                self.take(parent, name)
            }
            _ => Err(Stop::Found("a special file")),
        }
    }

    fn add_bytes(&mut self, stat: &Stat) -> Result<(), Stop> {
        if stat.st_nlink != 1 {
            return Err(Stop::Found("a hard link"));
        }
        let len = u64::try_from(stat.st_size).map_err(|_| Stop::Found("a negative size"))?;
        self.tally.bytes = self.tally.bytes.saturating_add(len);
        if self.tally.bytes > self.limits.unzipped_bytes {
            return Err(Stop::Found("too many bytes"));
        }
        Ok(())
    }

    fn take(&self, parent: &OwnedFd, name: &CStr) -> Result<(), Stop> {
        if let Some((uid, gid)) = self.owner {
            let flags = AtFlags::SYMLINK_NOFOLLOW;
            rustix::fs::chownat(parent, name, Some(uid), Some(gid), flags)?;
        }
        Ok(())
    }
}

fn check_mode(stat: &Stat, allowed: &[u32]) -> Result<(), Stop> {
    if allowed.contains(&(stat.st_mode & 0o7777)) {
        Ok(())
    } else {
        Err(Stop::Found("an unexpected file mode"))
    }
}

fn open_directory(parent: &OwnedFd, name: &CStr) -> Result<OwnedFd, Stop> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(parent, name, flags, Mode::empty())?)
}
