//! An image that is read.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use offshoot_image::model::{Manifest, PAGE_BYTES};
use offshoot_image::{
    DigestsError, HEADER_BYTES, Header, HeaderError, ImageId, Invalid, Key, ManifestError,
    PageDigests, Span, WrongChunk,
};
use rustix::fs::{FileType, Stat};
use rustix::io::Errno;

use crate::file::{open_existing, read_chunks, read_exact_at};
use crate::name::ImageName;
use crate::shared::{Shared, stored_bytes};

/// An image whose header has been found genuine.
#[derive(Debug)]
pub struct OpenImage {
    name: ImageName,
    file: OwnedFd,
    header: Header,
    key: Key,
}

/// How much of an image was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Chunks of pages.
    pub chunks: u64,
    /// Bytes of pages.
    pub page_bytes: u64,
}

/// Why an image cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no image of that name.
    #[error("the pool has no image {name}")]
    NotFound {
        /// The name.
        name: ImageName,
    },
    /// A directory, a link or another thing that is no file.
    #[error("{name} in the pool is not a regular file")]
    NotAFile {
        /// The name.
        name: ImageName,
    },
    /// The header is refused.
    #[error("image {name} cannot be opened")]
    Header {
        /// The image.
        name: ImageName,
        /// Why.
        #[source]
        source: HeaderError,
    },
    /// The metadata is refused.
    #[error("image {name} has no usable manifest")]
    Manifest {
        /// The image.
        name: ImageName,
        /// Why.
        #[source]
        source: ManifestError,
    },
    /// The digest list is refused.
    #[error("image {name} has no usable digests")]
    Digests {
        /// The image.
        name: ImageName,
        /// Why.
        #[source]
        source: DigestsError,
    },
    /// Pages have changed.
    #[error("image {name} is damaged")]
    Pages {
        /// The image.
        name: ImageName,
        /// Where.
        #[source]
        source: WrongChunk,
    },
    /// An ancestor is not in the pool.
    #[error("image {name} needs the image {}, which is not in the pool", ancestor.short())]
    NoAncestor {
        /// The image.
        name: ImageName,
        /// The missing one.
        ancestor: ImageId,
    },
    /// The pool could not be searched.
    #[error("cannot look for the image {}", id.short())]
    Search {
        /// What was looked for.
        id: ImageId,
        /// Why it failed.
        #[source]
        source: Errno,
    },
    /// The chain of parents is longer than the format allows.
    #[error("image {name} has more than {limit} generations above it")]
    TooDeep {
        /// The image.
        name: ImageName,
        /// How many are allowed.
        limit: usize,
    },
    /// The image refers to pages that its ancestors do not have.
    #[error("image {name} does not fit its ancestors")]
    Ancestors {
        /// The image.
        name: ImageName,
        /// Why.
        #[source]
        source: Invalid,
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

impl OpenImage {
    pub(crate) fn open(shared: &Shared, name: &ImageName) -> Result<Self, OpenError> {
        let failed = |source| open_failed("open", name, source);
        let file = open_existing(&shared.dir, name.as_str()).map_err(|e| match e {
            Errno::NOENT => OpenError::NotFound { name: name.clone() },
            // What NOFOLLOW and a socket give.
            Errno::LOOP | Errno::NXIO => OpenError::NotAFile { name: name.clone() },
            e => failed(e),
        })?;
        let stat = rustix::fs::fstat(&file).map_err(failed)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(OpenError::NotAFile { name: name.clone() });
        }
        let header = read_header(&file, &shared.key, stat.st_size as u64, name)?;
        Ok(Self {
            name: name.clone(),
            file,
            header,
            key: shared.key.clone(),
        })
    }

    /// Its name in the pool.
    pub fn name(&self) -> &ImageName {
        &self.name
    }

    /// What its header says.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Which image it is.
    pub fn id(&self) -> ImageId {
        self.header.id
    }

    /// How much of the pool it takes, in bytes; less than the length of its file, which has holes.
    ///
    /// # Errors
    ///
    /// If the kernel does not say.
    pub fn stored_bytes(&self) -> Result<u64, OpenError> {
        Ok(stored_bytes(&self.stat()?))
    }

    pub(crate) fn stat(&self) -> Result<Stat, OpenError> {
        rustix::fs::fstat(&self.file).map_err(|e| open_failed("look at", &self.name, e))
    }

    /// Reads and checks the metadata.
    ///
    /// # Errors
    ///
    /// If it is damaged or breaks a rule.
    pub fn read_manifest(&self) -> Result<Manifest, OpenError> {
        let bytes = self.read_span("read the metadata of", self.header.metadata)?;
        let manifest = self.header.open_manifest(&bytes, &self.key);
        manifest.map_err(|source| OpenError::Manifest {
            name: self.name.clone(),
            source,
        })
    }

    /// Reads and checks the digests of the pages, for checking pages when they are used. The manifest is this image's.
    ///
    /// # Errors
    ///
    /// If they are damaged.
    pub fn read_digests(&self, manifest: &Manifest) -> Result<PageDigests, OpenError> {
        let bytes = self.read_span("read the digests of", self.header.digests)?;
        let digests = self.header.open_digests(&bytes, manifest, &self.key);
        digests.map_err(|source| OpenError::Digests {
            name: self.name.clone(),
            source,
        })
    }

    /// Reads whole pages, unchecked.
    ///
    /// # Errors
    ///
    /// If they lie behind the end of the file, or it cannot be read.
    pub fn read_pages_at(&self, file_page: u64, pages: &mut [u8]) -> Result<(), OpenError> {
        let offset = file_page.saturating_mul(PAGE_BYTES);
        let read = read_exact_at(&self.file, pages, offset);
        read.map_err(|e| open_failed("read pages of", &self.name, e))
    }

    /// Checks everything: metadata, digests, and every page that is stored.
    ///
    /// # Errors
    ///
    /// What is damaged first.
    pub fn verify(&self) -> Result<Verified, OpenError> {
        let manifest = self.read_manifest()?;
        let digests = self.read_digests(&manifest)?;
        let checked = read_chunks(
            self.file.as_fd(),
            digests.chunks().iter().copied(),
            |chunk, pages| Ok(digests.verify(chunk.file_page, pages)?),
        );
        checked.map_err(|e| match e {
            PagesError::Wrong(source) => OpenError::Pages {
                name: self.name.clone(),
                source,
            },
            PagesError::Read(e) => open_failed("read pages of", &self.name, e),
        })?;
        Ok(Verified {
            chunks: digests.chunks().len() as u64,
            page_bytes: self.header.stored_pages * PAGE_BYTES,
        })
    }

    // No more than the file is long, which the header's check has made sure of, and each part has its own bound.
    fn read_span(&self, action: &'static str, span: Span) -> Result<Vec<u8>, OpenError> {
        let mut bytes = vec![0; span.bytes as usize];
        let read = read_exact_at(&self.file, &mut bytes, span.offset);
        read.map_err(|e| open_failed(action, &self.name, e))?;
        Ok(bytes)
    }
}

impl AsFd for OpenImage {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl From<OpenImage> for OwnedFd {
    fn from(image: OpenImage) -> Self {
        image.file
    }
}

fn read_header(
    file: &OwnedFd,
    key: &Key,
    file_bytes: u64,
    name: &ImageName,
) -> Result<Header, OpenError> {
    let refused = |source| OpenError::Header {
        name: name.clone(),
        source,
    };
    let mut bytes = [0; HEADER_BYTES];
    match read_exact_at(file, &mut bytes, 0) {
        Ok(()) => {}
        Err(Errno::NODATA) => return Err(refused(HeaderError::NotAnImage)),
        Err(e) => return Err(open_failed("read the header of", name, e)),
    }
    Header::open(&bytes, key, file_bytes).map_err(refused)
}

fn open_failed(action: &'static str, name: &ImageName, source: Errno) -> OpenError {
    OpenError::Io {
        action,
        name: name.clone(),
        source,
    }
}

/// Why checking pages stopped.
enum PagesError {
    Wrong(WrongChunk),
    Read(Errno),
}

impl From<WrongChunk> for PagesError {
    fn from(wrong: WrongChunk) -> Self {
        Self::Wrong(wrong)
    }
}

impl From<Errno> for PagesError {
    fn from(e: Errno) -> Self {
        Self::Read(e)
    }
}
