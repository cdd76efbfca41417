//! Removing packages that nothing refers to any more.
//!
//! A package is not removed at once: an invocation that is running, or waits for its turn, may still load a file of
//! the code it started with. None of them lasts longer than [`GRACE`]. What a restart interrupts, and what an aborted
//! deployment leaves, [`Gateway::collect_garbage`] finds at the next start.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use offshoot_catalog::{Function, VersionConfig};
use offshoot_package::Digest;

use super::claims::Claims;
use super::code::blob_key;
use crate::Gateway;

/// Longer than the longest invocation (900 s) with the start of its instance.
const GRACE: Duration = Duration::from_secs(960);

/// Digests name content, so that several gateways in one process may share the table.
pub(super) static CLAIMS: Claims = Claims::new();

impl Gateway {
    /// Removes all packages and uploads that no function or layer version refers to. For the start of the daemon,
    /// when no instance runs. What cannot be removed is logged and stays.
    pub async fn collect_garbage(self: &Arc<Self>) {
        let packages = Arc::clone(&self.parts.packages);
        let listed = tokio::task::spawn_blocking(move || packages.list()).await;
        match listed {
            Ok(Ok(all)) => collect(self, all).await,
            Ok(Err(error)) => tracing::warn!(%error, "the packages cannot be listed"),
            Err(error) => tracing::warn!(%error, "the packages cannot be listed"),
        }
    }
}

/// The packages of a version and its layers.
pub(super) fn of_version(version: &VersionConfig) -> impl Iterator<Item = Digest> {
    let layers = version.layers.iter().map(|layer| layer.code.digest);
    layers.chain([version.code.digest])
}

/// The packages of all versions of a function.
pub(super) fn of_function(function: &Function) -> BTreeSet<Digest> {
    function
        .all_versions()
        .flat_map(|version| of_version(version))
        .collect()
}

/// Removes those of `dropped` that nothing refers to, after the running invocations have ended.
pub(super) fn release(gateway: &Arc<Gateway>, dropped: impl IntoIterator<Item = Digest>) {
    let live = gateway.parts.catalog.live_digests();
    let dropped: BTreeSet<Digest> = dropped
        .into_iter()
        .filter(|digest| !live.contains(digest))
        .collect();
    if dropped.is_empty() {
        return;
    }
    let gateway = Arc::downgrade(gateway);
    tokio::spawn(async move {
        tokio::time::sleep(GRACE).await;
        if let Some(gateway) = gateway.upgrade() {
            collect(&gateway, dropped).await;
        }
    });
}

async fn collect(gateway: &Arc<Gateway>, candidates: impl IntoIterator<Item = Digest>) {
    let live = gateway.parts.catalog.live_digests();
    for digest in candidates
        .into_iter()
        .filter(|digest| !live.contains(digest))
    {
        // An upload that has it will release it itself, should it fail.
        let Some(_alone) = CLAIMS.try_alone(digest) else {
            continue;
        };
        // Between the look above and the claim, an upload may have come and gone.
        if !gateway.parts.catalog.live_digests().contains(&digest) {
            remove(gateway, digest).await;
        }
    }
}

/// The upload goes first: should the package stay, the next collection finds it and tries both again.
async fn remove(gateway: &Arc<Gateway>, digest: Digest) {
    if let Err(error) = gateway.parts.blobs.delete(&blob_key(&digest)).await {
        tracing::warn!(%digest, %error, "an upload that nothing refers to stays");
        return;
    }
    let packages = Arc::clone(&gateway.parts.packages);
    match tokio::task::spawn_blocking(move || packages.remove(&digest)).await {
        Ok(Ok(())) => tracing::debug!(%digest, "removed a package that nothing refers to"),
        Ok(Err(error)) => tracing::warn!(%digest, %error, "a package stays"),
        Err(error) => tracing::warn!(%digest, %error, "a package stays"),
    }
}
