//! Who is busy with which package: uploads share one, removal has it alone.
//!
//! Without this, a package could be found by an upload (it is there already) and be removed as unreferenced before
//! the upload's function is in the catalog.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use offshoot_package::Digest;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// Claims on packages, by digest. Holds entries only for packages that are claimed.
#[derive(Debug)]
pub(super) struct Claims(Mutex<BTreeMap<Digest, Arc<RwLock<()>>>>);

/// A package that may not be removed while this lives.
#[derive(Debug)]
pub(super) struct InUse {
    _guard: OwnedRwLockReadGuard<()>,
}

/// A package that nobody else uses while this lives.
#[derive(Debug)]
pub(super) struct Alone {
    _guard: OwnedRwLockWriteGuard<()>,
}

impl Claims {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// Claims a package for an upload; waits while it is being removed.
    pub(super) async fn share(&self, digest: Digest) -> InUse {
        InUse {
            _guard: self.lock_of(digest).read_owned().await,
        }
    }

    /// Claims a package for its removal, unless an upload has it.
    pub(super) fn try_alone(&self, digest: Digest) -> Option<Alone> {
        let guard = self.lock_of(digest).try_write_owned().ok()?;
        Some(Alone { _guard: guard })
    }

    fn lock_of(&self, digest: Digest) -> Arc<RwLock<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A guard holds a reference to its lock, so that one reference means no claim.
        locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        Arc::clone(locks.entry(digest).or_default())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn package_in_use_is_not_removed_and_others_are() {
        let claims = Claims::new();
        let (one, other) = (Digest::of(b"1"), Digest::of(b"2"));
        let first = claims.share(one).await;
        let second = claims.share(one).await;
        assert!(claims.try_alone(one).is_none());
        assert!(claims.try_alone(other).is_some());
        drop(first);
        assert!(claims.try_alone(one).is_none());
        drop(second);
        assert!(claims.try_alone(one).is_some());
    }

    #[tokio::test]
    async fn upload_waits_for_removal() {
        let claims = Claims::new();
        let digest = Digest::of(b"1");
        let alone = claims.try_alone(digest).unwrap();
        let mut upload = Box::pin(claims.share(digest));
        tokio::select! {
            biased;
            _ = &mut upload => panic!("it did not wait"),
            () = tokio::task::yield_now() => {}
        }
        drop(alone);
        upload.await;
    }

    #[tokio::test]
    async fn unclaimed_packages_are_forgotten() {
        let claims = Claims::new();
        for n in 0_u8..100 {
            drop(claims.share(Digest::of(&[n])).await);
        }
        assert!(claims.0.lock().unwrap().len() <= 1);
    }
}
