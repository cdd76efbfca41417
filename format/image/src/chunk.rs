//! Which pages of an image file are digested together.
//!
//! The pages that an image itself stores form *extents*, maximal stretches of consecutive file pages. Each extent is cut
//! into chunks of [`CHUNK_PAGES`] from its first page on; the last one may be shorter. Writer and reader derive the same
//! chunks from the manifest, so the digest list needs no index.

use crate::key::{ChunkHasher, Key};
use crate::model::{Manifest, PAGE_BYTES, Run};

/// Pages of a chunk, but for the last of an extent: 64 KiB.
pub const CHUNK_PAGES: u32 = 16;

/// Consecutive pages of an image file that share a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkRange {
    /// The first page, as a page number of the file.
    pub file_page: u64,
    /// How many, 1 to [`CHUNK_PAGES`].
    pub pages: u32,
}

impl ChunkRange {
    /// Where it begins in the file, in bytes.
    pub const fn offset(&self) -> u64 {
        self.file_page.saturating_mul(PAGE_BYTES)
    }

    /// Its length in bytes.
    pub const fn bytes(&self) -> u64 {
        self.pages as u64 * PAGE_BYTES
    }

    /// The first file page behind it.
    pub const fn end(&self) -> u64 {
        self.file_page.saturating_add(self.pages as u64)
    }
}

/// The chunks of the pages that an image itself stores, ascending.
pub fn chunks(manifest: &Manifest) -> Chunks {
    Chunks {
        extents: extents(manifest).into_iter(),
        current: Extent { start: 0, end: 0 },
    }
}

/// How many chunks an image has.
pub fn chunk_count(manifest: &Manifest) -> u64 {
    extents(manifest)
        .iter()
        .map(|extent| extent.pages().div_ceil(u64::from(CHUNK_PAGES)))
        .sum()
}

/// How many pages an image itself stores.
pub fn stored_pages(manifest: &Manifest) -> u64 {
    extents(manifest).iter().map(Extent::pages).sum()
}

/// Iterates over chunks; made by [`chunks`].
#[derive(Debug, Clone)]
pub struct Chunks {
    extents: std::vec::IntoIter<Extent>,
    current: Extent,
}

impl Iterator for Chunks {
    type Item = ChunkRange;

    fn next(&mut self) -> Option<ChunkRange> {
        if self.current.pages() == 0 {
            self.current = self.extents.next()?;
        }
        let pages = self.current.pages().min(u64::from(CHUNK_PAGES)) as u32;
        let chunk = ChunkRange {
            file_page: self.current.start,
            pages,
        };
        self.current.start += u64::from(pages);
        Some(chunk)
    }
}

/// Digests that have been found genuine, with the chunks that they are for.
#[derive(Debug, Clone)]
pub struct PageDigests {
    chunks: Vec<ChunkRange>,
    digests: Vec<[u8; 32]>,
    hasher: ChunkHasher,
}

/// Pages differ from those that were stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("pages {first} to {last} of the image file differ from those that were stored")]
pub struct WrongChunk {
    /// The first page of the chunk, as a page number of the file.
    pub first: u64,
    /// The last page of the chunk.
    pub last: u64,
}

impl PageDigests {
    // The caller has checked that there is one digest for each chunk.
    pub(crate) fn new(chunks: Vec<ChunkRange>, digests: Vec<[u8; 32]>, key: &Key) -> Self {
        Self {
            chunks,
            digests,
            hasher: ChunkHasher::new(key),
        }
    }

    /// The chunks, ascending.
    pub fn chunks(&self) -> &[ChunkRange] {
        &self.chunks
    }

    /// The chunk that a page of the file belongs to; none for a page that the image does not store.
    pub fn find(&self, file_page: u64) -> Option<ChunkRange> {
        self.index(file_page).map(|index| self.chunks[index])
    }

    /// Checks the bytes of the chunk that begins at a file page.
    ///
    /// # Errors
    ///
    /// If they differ from those that were stored, or no chunk begins there, or it has another length.
    pub fn verify(&self, file_page: u64, bytes: &[u8]) -> Result<(), WrongChunk> {
        let pages = (bytes.len() as u64).div_ceil(PAGE_BYTES).max(1);
        let wrong = WrongChunk {
            first: file_page,
            last: file_page.saturating_add(pages - 1),
        };
        let index = self.index(file_page).ok_or(wrong)?;
        let chunk = self.chunks[index];
        let same =
            chunk.file_page == file_page && self.hasher.verify(chunk, bytes, &self.digests[index]);
        if same { Ok(()) } else { Err(wrong) }
    }

    fn index(&self, file_page: u64) -> Option<usize> {
        let behind = self
            .chunks
            .partition_point(|chunk| chunk.file_page <= file_page);
        let index = behind.checked_sub(1)?;
        (file_page < self.chunks[index].end()).then_some(index)
    }
}

/// Every run whose pages the image itself stores, in no order.
pub(crate) fn own_runs(manifest: &Manifest) -> impl Iterator<Item = &Run> {
    let of_mappings = manifest.mappings.iter().flat_map(|mapping| &mapping.runs);
    let of_contents = manifest.contents.iter().flat_map(|content| &content.runs);
    of_mappings
        .chain(of_contents)
        .filter(|run| run.generation == 0)
}

/// The first file page behind every page that the image itself stores; none if it stores no page.
pub(crate) fn end_page(manifest: &Manifest) -> Option<u64> {
    own_runs(manifest)
        .map(|run| run.file_page.saturating_add(u64::from(run.pages)))
        .max()
}

#[derive(Debug, Clone, Copy)]
struct Extent {
    start: u64,
    end: u64,
}

impl Extent {
    fn pages(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }
}

fn extents(manifest: &Manifest) -> Vec<Extent> {
    let mut runs: Vec<Extent> = own_runs(manifest)
        .map(|run| Extent {
            start: run.file_page,
            end: run.file_page.saturating_add(u64::from(run.pages)),
        })
        .filter(|extent| extent.pages() > 0)
        .collect();
    runs.sort_unstable_by_key(|extent| extent.start);
    let mut merged: Vec<Extent> = Vec::new();
    for run in runs {
        match merged.last_mut() {
            Some(last) if run.start <= last.end => last.end = last.end.max(run.end),
            _ => merged.push(run),
        }
    }
    merged
}
