//! Bytes too large for the database: files in a directory now, objects in S3 later.
//!
//! `LocalFileSystem` of object_store writes to a staging file and renames it, but syncs nothing unless
//! `with_fsync(true)` is set; then it syncs the file before the rename and the directories after. A
//! delete is never synced: a blob may come back after a power cut, as garbage that the next
//! [`StateDir::open`](crate::StateDir::open) sweeps.

use std::path::Path as FsPath;
use std::sync::Arc;

use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};

/// A blob store.
#[derive(Debug, Clone)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
}

impl Blobs {
    /// Over any object store; it must answer a put only when the object is durable.
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Blobs { store }
    }

    /// Over an existing directory; puts are synced.
    ///
    /// # Errors
    /// [`BlobError::Store`] when the directory cannot be used.
    pub fn in_dir(dir: &FsPath) -> Result<Self, BlobError> {
        let store = LocalFileSystem::new_with_prefix(dir)
            .map_err(|source| BlobError::store(&dir.display().to_string(), source))?
            .with_fsync(true);
        Ok(Blobs::new(Arc::new(store)))
    }

    /// The store below, for streaming and multipart use.
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// Writes `bytes` at `key` (segments separated by `/`), replacing what was there. It appears whole or
    /// not at all, and is durable when this returns.
    ///
    /// # Errors
    /// [`BlobError::BadKey`], [`BlobError::Store`].
    pub async fn put(&self, key: &str, bytes: Bytes) -> Result<(), BlobError> {
        let path = parse(key)?;
        match self.store.put(&path, PutPayload::from_bytes(bytes)).await {
            Ok(_) => Ok(()),
            Err(source) => Err(BlobError::store(key, source)),
        }
    }

    /// The blob at `key`, if it has at most `max_bytes`.
    ///
    /// # Errors
    /// [`BlobError::NotFound`], [`BlobError::TooLarge`], [`BlobError::BadKey`], [`BlobError::Store`].
    pub async fn get(&self, key: &str, max_bytes: u64) -> Result<Bytes, BlobError> {
        let path = parse(key)?;
        let found = self
            .store
            .get(&path)
            .await
            .map_err(|source| BlobError::store(key, source))?;
        let size_bytes = found.meta.size;
        if size_bytes > max_bytes {
            return Err(BlobError::TooLarge {
                key: key.into(),
                size_bytes,
                max_bytes,
            });
        }
        found
            .bytes()
            .await
            .map_err(|source| BlobError::store(key, source))
    }

    /// Removes the blob at `key`; removing what is not there is fine.
    ///
    /// # Errors
    /// [`BlobError::BadKey`], [`BlobError::Store`].
    pub async fn delete(&self, key: &str) -> Result<(), BlobError> {
        let path = parse(key)?;
        match self.store.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(BlobError::store(key, source)),
        }
    }
}

/// Why a blob could not be written, read or removed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BlobError {
    /// There is no such blob.
    #[error("blob {key} does not exist")]
    NotFound {
        /// Which.
        key: String,
    },
    /// The blob is larger than the reader takes.
    #[error("blob {key} of {size_bytes} bytes exceeds {max_bytes}")]
    TooLarge {
        /// Which.
        key: String,
        /// Its size.
        size_bytes: u64,
        /// The most the reader takes.
        max_bytes: u64,
    },
    /// The key is not a path of plain segments.
    #[error("blob key {key:?} is not valid")]
    BadKey {
        /// Which.
        key: String,
    },
    /// The store failed.
    #[error("blob {key} failed")]
    Store {
        /// Which.
        key: String,
        /// Why.
        #[source]
        source: Arc<object_store::Error>,
    },
}

impl BlobError {
    fn store(key: &str, source: object_store::Error) -> Self {
        match source {
            object_store::Error::NotFound { .. } => BlobError::NotFound { key: key.into() },
            source => BlobError::Store {
                key: key.into(),
                source: Arc::new(source),
            },
        }
    }
}

fn parse(key: &str) -> Result<Path, BlobError> {
    Path::parse(key).map_err(|_| BlobError::BadKey { key: key.into() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn blob_comes_back_and_is_gone_after_delete() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::in_dir(dir.path()).unwrap();
        blobs
            .put("queue/a", Bytes::from_static(b"hello"))
            .await
            .unwrap();
        assert_eq!(blobs.get("queue/a", 5).await.unwrap(), "hello");
        assert!(matches!(
            blobs.get("queue/a", 4).await,
            Err(BlobError::TooLarge { .. })
        ));
        blobs.delete("queue/a").await.unwrap();
        blobs.delete("queue/a").await.unwrap();
        assert!(matches!(
            blobs.get("queue/a", 5).await,
            Err(BlobError::NotFound { .. })
        ));
    }

    #[tokio::test]
    async fn key_that_leaves_the_directory_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::in_dir(dir.path()).unwrap();
        for key in ["../x", "a/../../x", "/a//b", "a/./b"] {
            let put = blobs.put(key, Bytes::new()).await;
            assert!(
                matches!(put, Err(BlobError::BadKey { .. })),
                "{key}: {put:?}"
            );
        }
    }
}
