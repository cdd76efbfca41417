//! Image files: a frozen process as bytes. Pure: no I/O, no unsafe.
//!
//! 1. A checkpoint places pages with [`Placement`], writes them behind the first 2 MiB of a file and fills a
//!    [`Manifest`](model::Manifest).
//! 2. It digests the pages, one digest for each of [`chunks`], with a [`ChunkHasher`], and calls [`seal`], which gives
//!    the [`Sealed`] rest of the file: header, metadata, digests, and the [`ImageId`].
//! 3. A reader checks the first page with [`Header::open`], then what it needs: [`Header::open_manifest`] for the
//!    metadata, [`Header::open_digests`] for the [`PageDigests`], and with those each chunk of pages before its first use.
//!
//! Nothing is decoded before its keyed BLAKE3 has been checked, and what has been decoded is handed out only after
//! [`Manifest::validate`](model::Manifest::validate) has found every rule kept. Memory is bounded by the constants of
//! [`limits`], whatever the bytes say.
//!
//! What callers must still ensure: that the file does not change after its digests were checked (pools keep images
//! read-only), that this machine suits the process ([`compatibility`]), and that the parents of an image are those that
//! it names ([`Manifest::validate_ancestors`](model::Manifest::validate_ancestors)).
//!
//! The byte layout is `docs/format/image.md`.

mod chunk;
mod compatibility;
mod header;
mod id;
mod key;
pub mod limits;
pub mod model;
mod open;
mod place;
#[cfg(feature = "sample")]
pub mod sample;
mod seal;
mod summary;
mod validate;

pub use chunk::{
    CHUNK_PAGES, ChunkRange, Chunks, PageDigests, WrongChunk, chunk_count, chunks, stored_pages,
};
pub use compatibility::{Incompatible, compatibility};
pub use header::{FIRST_PAGE, HEADER_BYTES, Header, HeaderError, MAGIC, Span, VERSION};
pub use id::{BadImageId, ImageId};
pub use key::{ChunkHasher, Key, chunk_digest};
pub use open::{DigestsError, ManifestError};
pub use place::{ALIGNMENT_PAGES, Placement};
pub use seal::{SealError, Sealed, seal};
pub use summary::{Difference, MappingChange, Summary, difference};
pub use validate::{Invalid, Place, Rule};
