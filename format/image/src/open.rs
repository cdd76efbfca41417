//! Reading the parts of an image behind its header.

use crate::chunk::{PageDigests, chunk_count, chunks, end_page, stored_pages};
use crate::header::{FIRST_PAGE, Header};
use crate::key::Key;
use crate::model::Manifest;
use crate::validate::Invalid;

/// Why metadata cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It has another length than the header says.
    #[error("the metadata should be {expected_bytes} bytes long and is {found_bytes}")]
    WrongLength {
        /// What the header says.
        expected_bytes: u64,
        /// What was given.
        found_bytes: u64,
    },
    /// The digest does not match.
    #[error("the metadata is damaged")]
    WrongDigest,
    /// It is genuine but no manifest.
    #[error("the metadata cannot be decoded")]
    Decode(#[source] postcard::Error),
    /// Bytes follow the manifest.
    #[error("{bytes} bytes follow the manifest")]
    Trailing {
        /// How many.
        bytes: usize,
    },
    /// It breaks a rule.
    #[error("the manifest breaks a rule")]
    Invalid(#[source] Invalid),
    /// Header and manifest disagree.
    #[error("header and manifest have different {what}")]
    Disagree {
        /// In what.
        what: &'static str,
    },
}

/// Why a digest list cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DigestsError {
    /// It has another length than the header says.
    #[error("the digest list should be {expected_bytes} bytes long and is {found_bytes}")]
    WrongLength {
        /// What the header says.
        expected_bytes: u64,
        /// What was given.
        found_bytes: u64,
    },
    /// The digest does not match.
    #[error("the digest list is damaged")]
    WrongDigest,
    /// The manifest is not this image's: it has another number of chunks.
    #[error("{digests} digests for {chunks} chunks")]
    Disagree {
        /// How many digests there are.
        digests: u64,
        /// How many chunks the manifest has.
        chunks: u64,
    },
}

impl Header {
    /// Checks and decodes the metadata: the [`Header::metadata`] part of the file.
    ///
    /// Memory is bounded by some fifty times [`MAX_METADATA_BYTES`](crate::limits::MAX_METADATA_BYTES), whatever the
    /// bytes say: each element of a list takes at least one byte there, and at most some forty here.
    ///
    /// # Errors
    ///
    /// If a byte differs from what was sealed, or the manifest breaks a rule.
    pub fn open_manifest(&self, bytes: &[u8], key: &Key) -> Result<Manifest, ManifestError> {
        let found_bytes = bytes.len() as u64;
        if found_bytes != self.metadata.bytes {
            return Err(ManifestError::WrongLength {
                expected_bytes: self.metadata.bytes,
                found_bytes,
            });
        }
        if key.metadata_digest(bytes) != blake3::Hash::from(self.metadata_digest) {
            return Err(ManifestError::WrongDigest);
        }
        let manifest = decode(bytes)?;
        manifest.validate().map_err(ManifestError::Invalid)?;
        self.check_agreement(&manifest)?;
        Ok(manifest)
    }

    /// Checks the digest list: the [`Header::digests`] part of the file. The manifest must be this image's.
    ///
    /// # Errors
    ///
    /// If a byte differs from what was sealed.
    pub fn open_digests(
        &self,
        bytes: &[u8],
        manifest: &Manifest,
        key: &Key,
    ) -> Result<PageDigests, DigestsError> {
        let found_bytes = bytes.len() as u64;
        if found_bytes != self.digests.bytes {
            return Err(DigestsError::WrongLength {
                expected_bytes: self.digests.bytes,
                found_bytes,
            });
        }
        if key.list_digest(bytes) != blake3::Hash::from(self.digests_digest) {
            return Err(DigestsError::WrongDigest);
        }
        let digests: Vec<[u8; 32]> = bytes.as_chunks().0.to_vec();
        let count = chunk_count(manifest);
        if digests.len() as u64 != count {
            return Err(DigestsError::Disagree {
                digests: digests.len() as u64,
                chunks: count,
            });
        }
        Ok(PageDigests::new(chunks(manifest).collect(), digests, key))
    }

    fn check_agreement(&self, manifest: &Manifest) -> Result<(), ManifestError> {
        let pairs = [
            ("parents", self.parent == manifest.parent),
            (
                "ends of pages",
                self.end_page == end_page(manifest).unwrap_or(FIRST_PAGE),
            ),
            (
                "numbers of pages",
                self.stored_pages == stored_pages(manifest),
            ),
            (
                "numbers of chunks",
                self.digests.bytes / 32 == chunk_count(manifest),
            ),
        ];
        match pairs.iter().find(|(_, agree)| !agree) {
            Some((what, _)) => Err(ManifestError::Disagree { what }),
            None => Ok(()),
        }
    }
}

/// Decodes metadata that may be hostile. It has not been validated.
pub(crate) fn decode(bytes: &[u8]) -> Result<Manifest, ManifestError> {
    let (manifest, rest) = postcard::take_from_bytes(bytes).map_err(ManifestError::Decode)?;
    match rest.len() {
        0 => Ok(manifest),
        bytes => Err(ManifestError::Trailing { bytes }),
    }
}
