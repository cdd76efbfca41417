//! The key of a pool, and what is derived from it.

use std::fmt;

use crate::chunk::ChunkRange;

/// The secret under which the images of a pool are digested. Whoever lacks it can neither make nor change an image.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(pub [u8; 32]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Key {
    /// The digest of a header without its last 32 bytes.
    pub(crate) fn header_digest(&self, bytes: &[u8]) -> blake3::Hash {
        blake3::keyed_hash(&self.derive("offshoot image 1 header"), bytes)
    }

    /// The digest of the metadata.
    pub(crate) fn metadata_digest(&self, bytes: &[u8]) -> blake3::Hash {
        blake3::keyed_hash(&self.derive("offshoot image 1 metadata"), bytes)
    }

    /// The digest of the list of page digests.
    pub(crate) fn list_digest(&self, bytes: &[u8]) -> blake3::Hash {
        blake3::keyed_hash(&self.derive("offshoot image 1 digest list"), bytes)
    }

    // Each part has a key of its own, so that no part passes for another.
    fn derive(&self, context: &str) -> [u8; 32] {
        blake3::derive_key(context, &self.0)
    }
}

/// Digests chunks of pages.
#[derive(Clone)]
pub struct ChunkHasher {
    key: [u8; 32],
}

impl ChunkHasher {
    /// A hasher for images under this key.
    pub fn new(key: &Key) -> Self {
        Self {
            key: key.derive("offshoot image 1 page chunk"),
        }
    }

    /// The digest of the chunk that begins at a page of an image file. `bytes` are whole pages, at most
    /// [`CHUNK_PAGES`](crate::CHUNK_PAGES).
    pub fn digest(&self, file_page: u64, bytes: &[u8]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(bytes);
        // Behind the pages and not before them: BLAKE3 is quickest on input that is aligned to its own chunks.
        hasher.update(&file_page.to_le_bytes());
        hasher.finalize().into()
    }

    /// Whether these bytes are what was digested.
    pub fn verify(&self, chunk: ChunkRange, bytes: &[u8], expected: &[u8; 32]) -> bool {
        let found = blake3::Hash::from(self.digest(chunk.file_page, bytes));
        bytes.len() as u64 == chunk.bytes() && found == blake3::Hash::from(*expected)
    }
}

impl fmt::Debug for ChunkHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChunkHasher(..)")
    }
}

/// The digest of one chunk, as by [`ChunkHasher::digest`]; for many chunks, make a hasher.
pub fn chunk_digest(key: &Key, file_page: u64, bytes: &[u8]) -> [u8; 32] {
    ChunkHasher::new(key).digest(file_page, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_different_digests_of_the_same_bytes() {
        let key = Key([7; 32]);
        let page = [1; 4096];
        let mut digests = [
            key.header_digest(&page).to_hex(),
            key.metadata_digest(&page).to_hex(),
            key.list_digest(&page).to_hex(),
            blake3::Hash::from(chunk_digest(&key, 512, &page)).to_hex(),
            blake3::Hash::from(chunk_digest(&key, 513, &page)).to_hex(),
            blake3::Hash::from(chunk_digest(&Key([8; 32]), 512, &page)).to_hex(),
        ];
        digests.sort_unstable();
        assert!(digests.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn key_does_not_show_in_debug_output() {
        let text = format!(
            "{:?} {:?}",
            Key([171; 32]),
            ChunkHasher::new(&Key([171; 32]))
        );
        assert_eq!(text, "Key(..) ChunkHasher(..)");
    }
}
