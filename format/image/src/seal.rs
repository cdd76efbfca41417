//! Making the parts of an image that are not pages.

use crate::chunk::{chunk_count, end_page, stored_pages};
use crate::header::{FIRST_PAGE, HEADER_BYTES, Header, HeaderError, Span};
use crate::id::ImageId;
use crate::key::Key;
use crate::limits::MAX_METADATA_BYTES;
use crate::model::{Manifest, PAGE_BYTES};
use crate::validate::Invalid;

/// What to write into an image file beside its pages.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// For offset 0; to be written last.
    pub header: Box<[u8; HEADER_BYTES]>,
    /// For the offset [`Sealed::metadata_offset`].
    pub metadata: Vec<u8>,
    /// For the offset [`Sealed::digests_offset`].
    pub digests: Vec<u8>,
    /// What the header says.
    pub fields: Header,
}

impl Sealed {
    /// Which image it is.
    pub fn id(&self) -> ImageId {
        self.fields.id
    }

    /// Where the metadata goes, in bytes; behind every stored page.
    pub fn metadata_offset(&self) -> u64 {
        self.fields.metadata.offset
    }

    /// Where the digests go, in bytes; behind the metadata.
    pub fn digests_offset(&self) -> u64 {
        self.fields.digests.offset
    }

    /// Length of the whole file, in bytes.
    pub fn file_bytes(&self) -> u64 {
        self.fields.file_bytes
    }
}

/// Why no image can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The manifest breaks a rule.
    #[error("the manifest cannot be restored")]
    Invalid(#[source] Invalid),
    /// There must be one digest for each chunk.
    #[error("{given} digests for {chunks} chunks")]
    Digests {
        /// How many were given.
        given: u64,
        /// How many chunks the manifest has.
        chunks: u64,
    },
    /// The metadata is too long.
    #[error("the metadata takes {bytes} bytes; {MAX_METADATA_BYTES} are allowed")]
    Metadata {
        /// Its length in bytes.
        bytes: u64,
    },
    /// The metadata could not be encoded.
    #[error("the metadata cannot be encoded")]
    Encode(#[source] postcard::Error),
    /// The pages are so many or so scattered that a bound of the header is passed.
    #[error("the pages do not fit into an image")]
    TooLarge(#[source] HeaderError),
}

/// Makes header, metadata and digest list of an image from its manifest and the digests of its [`chunks`](crate::chunks).
///
/// # Errors
///
/// If the manifest breaks a rule of [`Manifest::validate`], the digests are too many or too few, or a bound of
/// [`limits`](crate::limits) is passed.
pub fn seal(
    manifest: &Manifest,
    chunk_digests: &[[u8; 32]],
    key: &Key,
) -> Result<Sealed, SealError> {
    manifest.validate().map_err(SealError::Invalid)?;
    let chunks = chunk_count(manifest);
    let given = chunk_digests.len() as u64;
    if given != chunks {
        return Err(SealError::Digests { given, chunks });
    }
    let metadata = postcard::to_stdvec(manifest).map_err(SealError::Encode)?;
    let bytes = metadata.len() as u64;
    if bytes > MAX_METADATA_BYTES {
        return Err(SealError::Metadata { bytes });
    }
    let digests = chunk_digests.concat();
    let mut fields = lay_out(manifest, bytes, digests.len() as u64);
    fields.metadata_digest = key.metadata_digest(&metadata).into();
    fields.digests_digest = key.list_digest(&digests).into();
    fields.check_fields().map_err(SealError::TooLarge)?;
    let header = fields.encode(key);
    Ok(Sealed {
        header,
        metadata,
        digests,
        fields,
    })
}

fn lay_out(manifest: &Manifest, metadata_bytes: u64, digests_bytes: u64) -> Header {
    let end_page = end_page(manifest).unwrap_or(FIRST_PAGE);
    let metadata = Span {
        offset: end_page * PAGE_BYTES,
        bytes: metadata_bytes,
    };
    let digests = Span {
        offset: metadata.offset + metadata.bytes,
        bytes: digests_bytes,
    };
    Header {
        id: ImageId([0; 32]),
        parent: manifest.parent,
        file_bytes: digests.offset + digests.bytes,
        end_page,
        stored_pages: stored_pages(manifest),
        metadata,
        digests,
        metadata_digest: [0; 32],
        digests_digest: [0; 32],
    }
}
