//! What a pool and its unfinished images have in common.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use offshoot_image::{HEADER_BYTES, ImageId, Key};
use rustix::fs::{AtFlags, Dir, FlockOperation, Stat};
use rustix::io::Errno;

use crate::file::{DirLock, open_existing, read_exact_at};
use crate::name::ImageName;
use crate::new_image::WriteError;
use crate::open_image::OpenImage;

/// What the names of unfinished images begin with.
pub(crate) const TEMPORARY_PREFIX: &str = ".new-";

/// The directory and the key.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) path: PathBuf,
    pub(crate) dir: OwnedFd,
    pub(crate) key: Key,
}

impl Shared {
    /// The names of all files, in no order. Those that are not UTF-8 are nothing of ours.
    pub(crate) fn entries(&self) -> Result<Vec<String>, Errno> {
        let entries = Dir::read_from(&self.dir)?.map(|entry| {
            let entry = entry?;
            Ok(entry.file_name().to_str().ok().map(str::to_owned))
        });
        entries.filter_map(Result::transpose).collect()
    }

    /// The names of all images, ascending.
    pub(crate) fn names(&self) -> Result<Vec<ImageName>, Errno> {
        let entries = self.entries()?.into_iter();
        let mut names: Vec<ImageName> = entries
            .filter_map(|name| ImageName::new(name).ok())
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    /// The name of the image with an id, if it is genuine.
    pub(crate) fn find(&self, id: ImageId) -> Result<Option<ImageName>, Errno> {
        let names = self.names()?.into_iter();
        let mut claiming = names.filter(|name| self.claimed_id(name) == Some(id));
        Ok(claiming.find(|name| OpenImage::open(self, name).is_ok_and(|image| image.id() == id)))
    }

    /// Removes unfinished images whose writers are gone: nobody holds their lock.
    pub(crate) fn clear_abandoned(&self) -> Result<(), Errno> {
        let _lock = DirLock::exclusive(&self.dir)?;
        for name in self.entries()? {
            if name.starts_with(TEMPORARY_PREFIX) && self.is_abandoned(&name) {
                tracing::info!(dir = %self.path.display(), file = %name, "unfinished image of a dead writer removed");
                match rustix::fs::unlinkat(&self.dir, &name, AtFlags::empty()) {
                    // Its writer gave it up just now.
                    Err(Errno::NOENT) => {}
                    result => result?,
                }
            }
        }
        Ok(())
    }

    /// The error for a call that failed while writing an image.
    pub(crate) fn write_failed(
        &self,
        action: &'static str,
        name: &ImageName,
        needed_bytes: u64,
        source: Errno,
    ) -> WriteError {
        let name = name.clone();
        match source {
            Errno::EXIST => WriteError::AlreadyExists { name },
            Errno::NOSPC | Errno::DQUOT => WriteError::Full {
                dir: self.path.clone(),
                needed_bytes,
                free_bytes: self.free_bytes(),
            },
            source => WriteError::Io {
                action,
                name,
                source,
            },
        }
    }

    fn free_bytes(&self) -> u64 {
        let stat = rustix::fs::fstatvfs(&self.dir);
        stat.map_or(0, |stat| stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    // The end of the header, unchecked: to skip those that cannot be the one.
    fn claimed_id(&self, name: &ImageName) -> Option<ImageId> {
        let file = open_existing(&self.dir, name.as_str()).ok()?;
        let mut id = [0; 32];
        read_exact_at(&file, &mut id, HEADER_BYTES as u64 - 32).ok()?;
        Some(ImageId(id))
    }

    fn is_abandoned(&self, name: &str) -> bool {
        let file = open_existing(&self.dir, name);
        file.is_ok_and(|file| {
            rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
        })
    }
}

/// How much room a file takes, in bytes (`st_blocks` counts 512 bytes, `stat(3type)`).
pub(crate) fn stored_bytes(stat: &Stat) -> u64 {
    (stat.st_blocks as u64).saturating_mul(512)
}
