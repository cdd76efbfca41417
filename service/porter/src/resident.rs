//! Templates at hand, as the core was told of them.

use std::collections::HashMap;
use std::sync::Arc;

use offshoot_decide::{Backing, FunctionId};
use tokio::sync::Notify;

/// Where the pages of each template live, and its size in bytes.
#[derive(Debug, Default)]
pub(crate) struct Resident {
    each: HashMap<FunctionId, (Backing, u64)>,
    /// Told when a version has got its template, or has lost it.
    changed: Arc<Notify>,
}

impl Resident {
    pub(crate) fn changed(&self) -> Arc<Notify> {
        Arc::clone(&self.changed)
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = FunctionId> {
        self.each.keys().copied()
    }

    pub(crate) fn has(&self, id: FunctionId) -> bool {
        self.each.contains_key(&id)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.each.values().map(|(_, bytes)| bytes).sum()
    }

    /// Notes a template; where the pages of the one lived that was known before.
    pub(crate) fn insert(
        &mut self,
        id: FunctionId,
        backing: Backing,
        bytes: u64,
    ) -> Option<Backing> {
        let before = self.each.insert(id, (backing, bytes));
        if before.is_none() {
            self.changed.notify_one();
        }
        before.map(|(backing, _)| backing)
    }

    pub(crate) fn remove(&mut self, id: FunctionId) {
        if self.each.remove(&id).is_some() {
            self.changed.notify_one();
        }
    }
}
