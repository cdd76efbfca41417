//! Whether an image is still the file that was read.

use std::os::fd::OwnedFd;

use rustix::fs::Stat;

use crate::file::open_existing;
use crate::name::ImageName;
use crate::open_image::{OpenError, OpenImage};
use crate::pool::Pool;

/// Which file an image was, and when that was changed last. Whoever writes to a file, or has another one of its name, changes
/// it: only root can set a file's time of change, by setting the clock (`inode(7)`). Before Linux 6.13 two changes within
/// one tick of the kernel have the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    bytes: i64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            bytes: stat.st_size,
            modified: (stat.st_mtime, stat.st_mtime_nsec as i64),
            changed: (stat.st_ctime, stat.st_ctime_nsec as i64),
        }
    }
}

impl OpenImage {
    /// Its file as it is now. What is read and checked after this has not changed for as long as the stamp is the same.
    ///
    /// # Errors
    ///
    /// If the kernel does not say.
    pub fn stamp(&self) -> Result<Stamp, OpenError> {
        Ok(Stamp::of(&self.stat()?))
    }
}

impl Pool {
    /// The file of an image, without reading it; none unless it is the one that had this stamp, and has not changed since.
    pub fn open_unchanged(&self, name: &ImageName, stamp: &Stamp) -> Option<OwnedFd> {
        let file = open_existing(&self.shared.dir, name.as_str()).ok()?;
        let now = rustix::fs::fstat(&file).ok()?;
        (Stamp::of(&now) == *stamp).then_some(file)
    }
}
