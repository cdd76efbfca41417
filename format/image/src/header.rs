//! The first page of an image file: fixed fields outside any codec, and their digest.

use crate::chunk::CHUNK_PAGES;
use crate::id::ImageId;
use crate::key::Key;
use crate::limits::{MAX_DIGESTS_BYTES, MAX_FILE_PAGE, MAX_METADATA_BYTES};
use crate::model::PAGE_BYTES;

/// Length of the header, in bytes.
pub const HEADER_BYTES: usize = 4096;

/// The first eight bytes of every image.
pub const MAGIC: [u8; 8] = *b"OFFSHOOT";

/// The version of the format that this crate writes and reads.
pub const VERSION: u32 = 2;

/// The first page of the page area, as a page number of the file: 2 MiB, so that huge pages can be congruent.
pub const FIRST_PAGE: u64 = 512;

/// A stretch of an image file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Where it begins, in bytes.
    pub offset: u64,
    /// Its length in bytes.
    pub bytes: u64,
}

/// What a genuine header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Which image it is.
    pub id: ImageId,
    /// The image whose pages this one refers to.
    pub parent: Option<ImageId>,
    /// Length of the file, in bytes.
    pub file_bytes: u64,
    /// The first file page behind the stored pages; [`FIRST_PAGE`] if there are none.
    pub end_page: u64,
    /// How many pages the file stores between [`FIRST_PAGE`] and `end_page`; the others are holes.
    pub stored_pages: u64,
    /// Where the metadata lies.
    pub metadata: Span,
    /// Where the digests of the pages lie.
    pub digests: Span,
    pub(crate) metadata_digest: [u8; 32],
    pub(crate) digests_digest: [u8; 32],
}

/// Why the first page of a file is not the header of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The file begins otherwise.
    #[error("the file is not an offshoot image")]
    NotAnImage,
    /// Another version of the format.
    #[error("the image has format version {found}; this program reads version {VERSION}")]
    UnknownVersion {
        /// Its version.
        found: u32,
    },
    /// The digest does not match: damage, or another pool's key.
    #[error("the header is damaged, or the image was made under another key")]
    WrongDigest,
    /// The file is longer or shorter than the header says.
    #[error("the image should be {expected_bytes} bytes long and is {found_bytes}")]
    WrongLength {
        /// What the header says.
        expected_bytes: u64,
        /// What the file has.
        found_bytes: u64,
    },
    /// A field has a value that no writer gives it.
    #[error("the header's {field} is {value}, which cannot be")]
    Field {
        /// Which field.
        field: &'static str,
        /// Its value.
        value: u64,
    },
}

const VERSION_AT: usize = 8;
const HEADER_BYTES_AT: usize = 12;
const FILE_BYTES_AT: usize = 16;
const FIRST_PAGE_AT: usize = 24;
const END_PAGE_AT: usize = 32;
const STORED_PAGES_AT: usize = 40;
const METADATA_OFFSET_AT: usize = 48;
const METADATA_BYTES_AT: usize = 56;
const DIGESTS_OFFSET_AT: usize = 64;
const DIGESTS_BYTES_AT: usize = 72;
const METADATA_DIGEST_AT: usize = 80;
const DIGESTS_DIGEST_AT: usize = 112;
const PARENT_AT: usize = 144;
const RESERVED_AT: usize = 176;
const DIGEST_AT: usize = HEADER_BYTES - 32;

impl Header {
    /// Checks and reads a header, `file_bytes` being the length of the file that it begins.
    ///
    /// # Errors
    ///
    /// If the bytes are no header of this version under this key, or the file has another length than the header says.
    pub fn open(
        bytes: &[u8; HEADER_BYTES],
        key: &Key,
        file_bytes: u64,
    ) -> Result<Self, HeaderError> {
        if bytes[..MAGIC.len()] != MAGIC {
            return Err(HeaderError::NotAnImage);
        }
        let version = read_u32(bytes, VERSION_AT);
        if version != VERSION {
            return Err(HeaderError::UnknownVersion { found: version });
        }
        let digest = key.header_digest(&bytes[..DIGEST_AT]);
        if digest != blake3::Hash::from(read_32(bytes, DIGEST_AT)) {
            return Err(HeaderError::WrongDigest);
        }
        let header_bytes = u64::from(read_u32(bytes, HEADER_BYTES_AT));
        check(
            header_bytes == HEADER_BYTES as u64,
            "length of itself",
            header_bytes,
        )?;
        let first_page = read_u64(bytes, FIRST_PAGE_AT);
        check(first_page == FIRST_PAGE, "first page", first_page)?;
        let reserved = bytes[RESERVED_AT..DIGEST_AT]
            .iter()
            .find(|byte| **byte != 0);
        check(
            reserved.is_none(),
            "reserved part",
            reserved.map_or(0, |byte| u64::from(*byte)),
        )?;
        let header = Self::read(bytes, digest.into());
        header.check_fields()?;
        if header.file_bytes != file_bytes {
            return Err(HeaderError::WrongLength {
                expected_bytes: header.file_bytes,
                found_bytes: file_bytes,
            });
        }
        Ok(header)
    }

    // Every field but the id, which is the digest of the others.
    pub(crate) fn encode(&mut self, key: &Key) -> Box<[u8; HEADER_BYTES]> {
        let mut bytes = Box::new([0; HEADER_BYTES]);
        let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
        put(0, &MAGIC);
        put(VERSION_AT, &VERSION.to_le_bytes());
        put(HEADER_BYTES_AT, &(HEADER_BYTES as u32).to_le_bytes());
        put(FILE_BYTES_AT, &self.file_bytes.to_le_bytes());
        put(FIRST_PAGE_AT, &FIRST_PAGE.to_le_bytes());
        put(END_PAGE_AT, &self.end_page.to_le_bytes());
        put(STORED_PAGES_AT, &self.stored_pages.to_le_bytes());
        put(METADATA_OFFSET_AT, &self.metadata.offset.to_le_bytes());
        put(METADATA_BYTES_AT, &self.metadata.bytes.to_le_bytes());
        put(DIGESTS_OFFSET_AT, &self.digests.offset.to_le_bytes());
        put(DIGESTS_BYTES_AT, &self.digests.bytes.to_le_bytes());
        put(METADATA_DIGEST_AT, &self.metadata_digest);
        put(DIGESTS_DIGEST_AT, &self.digests_digest);
        put(PARENT_AT, &self.parent.map_or([0; 32], |parent| parent.0));
        self.id = ImageId(key.header_digest(&bytes[..DIGEST_AT]).into());
        bytes[DIGEST_AT..].copy_from_slice(&self.id.0);
        bytes
    }

    fn read(bytes: &[u8; HEADER_BYTES], id: [u8; 32]) -> Self {
        let parent = read_32(bytes, PARENT_AT);
        Self {
            id: ImageId(id),
            parent: (parent != [0; 32]).then_some(ImageId(parent)),
            file_bytes: read_u64(bytes, FILE_BYTES_AT),
            end_page: read_u64(bytes, END_PAGE_AT),
            stored_pages: read_u64(bytes, STORED_PAGES_AT),
            metadata: Span {
                offset: read_u64(bytes, METADATA_OFFSET_AT),
                bytes: read_u64(bytes, METADATA_BYTES_AT),
            },
            digests: Span {
                offset: read_u64(bytes, DIGESTS_OFFSET_AT),
                bytes: read_u64(bytes, DIGESTS_BYTES_AT),
            },
            metadata_digest: read_32(bytes, METADATA_DIGEST_AT),
            digests_digest: read_32(bytes, DIGESTS_DIGEST_AT),
        }
    }

    // In an order in which no sum can overflow: each number has been bounded before it is added to.
    pub(crate) fn check_fields(&self) -> Result<(), HeaderError> {
        let end = self.end_page;
        check(
            (FIRST_PAGE..=MAX_FILE_PAGE).contains(&end),
            "end of pages",
            end,
        )?;
        let stored = self.stored_pages;
        check(
            stored <= end - FIRST_PAGE && (stored > 0) == (end > FIRST_PAGE),
            "number of pages",
            stored,
        )?;
        let metadata = self.metadata;
        check(
            metadata.offset == end * PAGE_BYTES,
            "metadata offset",
            metadata.offset,
        )?;
        check(
            (1..=MAX_METADATA_BYTES).contains(&metadata.bytes),
            "metadata length",
            metadata.bytes,
        )?;
        let digests = self.digests;
        check(
            digests.offset == metadata.offset + metadata.bytes,
            "digests offset",
            digests.offset,
        )?;
        let fewest = stored.div_ceil(u64::from(CHUNK_PAGES));
        let possible = digests.bytes.is_multiple_of(32)
            && digests.bytes <= MAX_DIGESTS_BYTES
            && (fewest..=stored).contains(&(digests.bytes / 32));
        check(possible, "digests length", digests.bytes)?;
        check(
            self.file_bytes == digests.offset + digests.bytes,
            "file length",
            self.file_bytes,
        )
    }
}

fn check(holds: bool, field: &'static str, value: u64) -> Result<(), HeaderError> {
    if holds {
        Ok(())
    } else {
        Err(HeaderError::Field { field, value })
    }
}

fn read_u32(bytes: &[u8; HEADER_BYTES], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

fn read_u64(bytes: &[u8; HEADER_BYTES], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

fn read_32(bytes: &[u8; HEADER_BYTES], at: usize) -> [u8; 32] {
    std::array::from_fn(|i| bytes[at + i])
}
