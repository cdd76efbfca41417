//! Documents by key, changed by compare-and-swap.

use std::fmt;

use futures_util::future::BoxFuture;
use serde_json::value::RawValue;

use crate::error::StoreError;

/// Longest key, in bytes.
pub const MAX_KEY_BYTES: usize = 512;
/// Largest document, in bytes of JSON.
pub const MAX_DOCUMENT_BYTES: usize = 16 << 20;

/// What the methods of [`Registry`] return.
pub type RegistryFuture<'a, T> = BoxFuture<'a, Result<T, RegistryError>>;

/// A revision: the number of a registry change. Every successful change takes the next one, in commit
/// order, and no number is used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rev(pub u64);

impl fmt::Display for Rev {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A stored document.
#[derive(Debug, Clone)]
pub struct Document {
    /// Its key, such as `function/resize`.
    pub key: String,
    /// The change that wrote it; what the next [`Registry::cas`] must expect.
    pub rev: Rev,
    /// JSON text.
    pub body: Box<RawValue>,
}

/// One entry of [`Registry::since`].
#[derive(Debug, Clone)]
pub struct Change {
    /// The key that changed.
    pub key: String,
    /// The latest change of that key.
    pub rev: Rev,
    /// The document now; `None` when it was deleted.
    pub body: Option<Box<RawValue>>,
}

/// Documents by key with compare-and-swap. Keys are UTF-8 of 1 to [`MAX_KEY_BYTES`] bytes.
pub trait Registry: Send + Sync {
    /// The document at `key`, if there is one.
    fn get<'a>(&'a self, key: &'a str) -> RegistryFuture<'a, Option<Document>>;

    /// Writes `body` at `key` if the key is as expected: absent for `None`, else last written by that
    /// revision. Durable when it returns.
    ///
    /// # Errors
    /// [`RegistryError::Conflict`] when it is not as expected; nothing was written then.
    fn cas<'a>(
        &'a self,
        key: &'a str,
        body: Box<RawValue>,
        expect: Option<Rev>,
    ) -> RegistryFuture<'a, Rev>;

    /// Removes the document at `key` if it was last written by `expect`. Durable when it returns.
    ///
    /// # Errors
    /// [`RegistryError::Conflict`] when it is not as expected.
    fn delete<'a>(&'a self, key: &'a str, expect: Rev) -> RegistryFuture<'a, Rev>;

    /// All documents whose key begins with `prefix`, by key.
    fn list<'a>(&'a self, prefix: &'a str) -> RegistryFuture<'a, Vec<Document>>;

    /// What changed after `rev`, oldest change first, at most `limit` keys: ask again with the last
    /// revision of the answer until it is empty.
    ///
    /// # Errors
    /// [`RegistryError::Compacted`] when deletions after `rev` are no longer known; list afresh then.
    fn since(&self, rev: Rev, limit: u32) -> RegistryFuture<'_, Vec<Change>>;
}

/// Why a registry call failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RegistryError {
    /// The document is not as the caller expected.
    #[error("document {key} changed: expected revision {}, found {}", Shown(*.expected), Shown(*.found))]
    Conflict {
        /// Which document.
        key: String,
        /// What the caller expected; `None` is absence.
        expected: Option<Rev>,
        /// What is there; `None` is absence.
        found: Option<Rev>,
    },
    /// The key is empty or too long.
    #[error("document key of {len_bytes} bytes is not within 1 to {MAX_KEY_BYTES}")]
    BadKey {
        /// Its length.
        len_bytes: usize,
    },
    /// The document is too large.
    #[error("document {key} of {len_bytes} bytes exceeds {MAX_DOCUMENT_BYTES}")]
    TooLarge {
        /// Which document.
        key: String,
        /// Its length.
        len_bytes: usize,
    },
    /// What is stored at the key is not JSON.
    #[error("stored document {key} is damaged")]
    DamagedDocument {
        /// Which document.
        key: String,
    },
    /// Changes that old were forgotten.
    #[error("changes since revision {asked} are forgotten; the oldest known is {oldest}")]
    Compacted {
        /// What the caller asked for.
        asked: Rev,
        /// The oldest revision that can be asked for.
        oldest: Rev,
    },
    /// The store failed.
    #[error("registry is unavailable")]
    Store(#[from] StoreError),
}

struct Shown(Option<Rev>);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(rev) => rev.fmt(f),
            None => f.write_str("none"),
        }
    }
}
