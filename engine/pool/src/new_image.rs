//! An image that is being written.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use offshoot_image::limits::MAX_FILE_PAGE;
use offshoot_image::model::{Manifest, PAGE_BYTES};
use offshoot_image::{
    ChunkHasher, FIRST_PAGE, HEADER_BYTES, ImageId, SealError, Sealed, chunks, seal,
};
use rustix::fs::{AtFlags, FallocateFlags, FlockOperation, Mode};
use rustix::io::Errno;

use crate::file::{DirLock, create_new, random_name, read_chunks, write_all_at};
use crate::key::publish;
use crate::name::ImageName;
use crate::open_image::{OpenError, OpenImage};
use crate::shared::{Shared, TEMPORARY_PREFIX};

/// An image that is being written; it has no name yet. Dropping it removes its file.
///
/// Write pages in ascending order, long runs in one call, and do not lengthen the file ahead: tmpfs gives a huge page to
/// a write only where the file already reaches, and then short runs in between would take 2 MiB each.
#[derive(Debug)]
pub struct NewImage {
    shared: Arc<Shared>,
    name: ImageName,
    temporary: String,
    file: OwnedFd,
}

/// Why an image could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// There is an image of that name.
    #[error("the pool already has an image {name}")]
    AlreadyExists {
        /// The name.
        name: ImageName,
    },
    /// The pool has no room.
    #[error("the pool {} is full: {needed_bytes} bytes needed, {free_bytes} free", dir.display())]
    Full {
        /// The pool's directory.
        dir: PathBuf,
        /// What was to be written.
        needed_bytes: u64,
        /// What is left.
        free_bytes: u64,
    },
    /// Pages go behind the header, whole, and not beyond the bound of the format.
    #[error("{bytes} bytes cannot be written at page {file_page} of an image")]
    Misplaced {
        /// Where, as a page number of the file.
        file_page: u64,
        /// How much.
        bytes: u64,
    },
    /// The image cannot be sealed.
    #[error("image {name} cannot be sealed")]
    Seal {
        /// The image.
        name: ImageName,
        /// Why.
        #[source]
        source: SealError,
    },
    /// The parent is not in the pool, or no longer.
    #[error("image {name} names the parent {}, which is not in the pool", parent.short())]
    NoParent {
        /// The image.
        name: ImageName,
        /// The parent.
        parent: ImageId,
    },
    /// The finished image could not be opened.
    #[error("image {name} was written but cannot be opened")]
    Reopen {
        /// The image.
        name: ImageName,
        /// Why.
        #[source]
        source: Box<OpenError>,
    },
    /// A call to the kernel failed.
    #[error("cannot {action} image {name}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The image.
        name: ImageName,
        /// Why it failed.
        #[source]
        source: Errno,
    },
}

impl NewImage {
    pub(crate) fn create(shared: Arc<Shared>, name: &ImageName) -> Result<Self, WriteError> {
        let failed = |e| shared.write_failed("create", name, 0, e);
        // Whoever clears away files of dead writers must not find this one before it is locked.
        let _lock = DirLock::shared(&shared.dir).map_err(failed)?;
        let stat = rustix::fs::statat(&shared.dir, name.as_str(), AtFlags::SYMLINK_NOFOLLOW);
        if stat.is_ok() {
            return Err(WriteError::AlreadyExists { name: name.clone() });
        }
        let temporary = random_name(TEMPORARY_PREFIX).map_err(failed)?;
        let file = create_new(&shared.dir, &temporary).map_err(failed)?;
        let new = Self {
            shared: shared.clone(),
            name: name.clone(),
            temporary,
            file,
        };
        let locked = rustix::fs::flock(&new.file, FlockOperation::NonBlockingLockExclusive);
        locked.map_err(failed)?;
        // Takes the header's page while the file is short; later tmpfs would give a huge page to it.
        let header = write_all_at(&new.file, &[0; HEADER_BYTES], 0);
        header.map_err(|e| new.failed("create", HEADER_BYTES as u64, e))?;
        Ok(new)
    }

    /// The name that it will have.
    pub fn name(&self) -> &ImageName {
        &self.name
    }

    /// Writes whole pages to their place, as a page number of the file.
    ///
    /// # Errors
    ///
    /// If the pool is full, or the place is not within the pages of an image.
    pub fn write_pages_at(&self, file_page: u64, pages: &[u8]) -> Result<(), WriteError> {
        let bytes = pages.len() as u64;
        let offset = self.check_place(file_page, bytes)?;
        let written = write_all_at(&self.file, pages, offset);
        written.map_err(|e| self.failed("write to", bytes, e))
    }

    /// Takes the room for pages that will be written through a mapping, where a full pool would be a signal instead of
    /// an error.
    ///
    /// # Errors
    ///
    /// If the pool is full, or the place is not within the pages of an image.
    pub fn reserve(&self, file_page: u64, pages: u64) -> Result<(), WriteError> {
        let bytes = pages.saturating_mul(PAGE_BYTES);
        let offset = self.check_place(file_page, bytes)?;
        let reserved = rustix::fs::fallocate(&self.file, FallocateFlags::empty(), offset, bytes);
        reserved.map_err(|e| self.failed("reserve room in", bytes, e))
    }

    /// The digests of the written pages, as [`seal`] wants them, by reading them back.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or ends before the last page.
    pub fn digest(&self, manifest: &Manifest) -> Result<Vec<[u8; 32]>, WriteError> {
        let hasher = ChunkHasher::new(&self.shared.key);
        let mut digests = Vec::new();
        let digested = read_chunks(self.file.as_fd(), chunks(manifest), |chunk, pages| {
            digests.push(hasher.digest(chunk.file_page, pages));
            Ok(())
        });
        digested.map_err(|e| self.failed("read back", 0, e))?;
        Ok(digests)
    }

    /// Digests the pages, seals the image under the pool's key and gives it its name.
    ///
    /// # Errors
    ///
    /// As [`NewImage::seal`], or if the manifest breaks a rule.
    pub fn finish(self, manifest: &Manifest) -> Result<OpenImage, WriteError> {
        // Before the digests, which trust the page numbers.
        manifest
            .validate()
            .map_err(|e| self.unsealed(SealError::Invalid(e)))?;
        let digests = self.digest(manifest)?;
        let sealed = seal(manifest, &digests, &self.shared.key).map_err(|e| self.unsealed(e))?;
        self.seal(&sealed)
    }

    /// Writes metadata, digests and header, and gives the image its name. Nothing of it can be seen before, and
    /// nothing remains if this fails.
    ///
    /// # Errors
    ///
    /// If the name has been taken meanwhile, the parent is not in the pool, the pool is full, or the image was sealed
    /// under another key.
    pub fn seal(self, sealed: &Sealed) -> Result<OpenImage, WriteError> {
        self.write_sealed(sealed)?;
        let failed = |e| self.failed("name", 0, e);
        let lock = DirLock::exclusive(&self.shared.dir).map_err(failed)?;
        if let Some(parent) = sealed.fields.parent {
            let found = self.shared.find(parent).map_err(failed)?;
            found.ok_or_else(|| WriteError::NoParent {
                name: self.name.clone(),
                parent,
            })?;
        }
        // Once it has its name, the temporary one is gone and dropping `self` removes nothing.
        let published = publish(&self.shared.dir, &self.temporary, self.name.as_str());
        published.map_err(failed)?;
        drop(lock);
        let opened = OpenImage::open(&self.shared, &self.name);
        opened.map_err(|e| WriteError::Reopen {
            name: self.name.clone(),
            source: Box::new(e),
        })
    }

    fn write_sealed(&self, sealed: &Sealed) -> Result<(), WriteError> {
        let needed_bytes = (sealed.metadata.len() + sealed.digests.len()) as u64;
        let failed = |e| self.failed("write to", needed_bytes, e);
        // Whatever the writer left behind the last page goes.
        rustix::fs::ftruncate(&self.file, sealed.metadata_offset()).map_err(failed)?;
        write_all_at(&self.file, &sealed.metadata, sealed.metadata_offset()).map_err(failed)?;
        write_all_at(&self.file, &sealed.digests, sealed.digests_offset()).map_err(failed)?;
        write_all_at(&self.file, &sealed.header[..], 0).map_err(failed)?;
        rustix::fs::fchmod(&self.file, Mode::RUSR).map_err(failed)?;
        rustix::fs::fsync(&self.file).map_err(failed)
    }

    fn check_place(&self, file_page: u64, bytes: u64) -> Result<u64, WriteError> {
        let end = file_page.saturating_add(bytes / PAGE_BYTES);
        let inside = file_page >= FIRST_PAGE && end <= MAX_FILE_PAGE;
        if !inside || !bytes.is_multiple_of(PAGE_BYTES) {
            return Err(WriteError::Misplaced { file_page, bytes });
        }
        Ok(file_page * PAGE_BYTES)
    }

    fn unsealed(&self, source: SealError) -> WriteError {
        WriteError::Seal {
            name: self.name.clone(),
            source,
        }
    }

    fn failed(&self, action: &'static str, needed_bytes: u64, source: Errno) -> WriteError {
        self.shared
            .write_failed(action, &self.name, needed_bytes, source)
    }
}

impl AsFd for NewImage {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Drop for NewImage {
    fn drop(&mut self) {
        match rustix::fs::unlinkat(&self.shared.dir, &self.temporary, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => {
                tracing::warn!(image = %self.name, file = %self.temporary, %error, "unfinished image stays behind");
            }
        }
    }
}
