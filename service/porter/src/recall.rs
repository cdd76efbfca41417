//! What an earlier daemon had at hand, and what the next one should have.

use std::cmp::Reverse;
use std::sync::Arc;

use offshoot_node::Fri;

use crate::{Porter, Target};

impl<F: Fri> Porter<F> {
    /// Makes a version known whose template was at hand in an earlier daemon. It is made again if its image is there, in the
    /// order of these calls and while memory is not short.
    pub fn recall(&self, target: &Arc<Target>) {
        if self.config.seeds.after_events == 0 {
            return;
        }
        let mut state = self.lock();
        let now = self.clock.now();
        let id = state.version(&*self.node, now, target);
        state.core.recall(now, id);
        self.note(&mut state, true);
    }

    /// The versions with a template at hand, or whose template is still to be made again, the one that was called last first:
    /// their functions' names and their own.
    pub fn resident(&self) -> Vec<(Arc<str>, Arc<str>)> {
        let state = self.lock();
        let mut ids: Vec<_> = state.slots.ids().collect();
        ids.retain(|id| state.resident.has(*id) || state.core.is_recalled(*id));
        ids.sort_by_key(|id| (Reverse(state.core.last_start(*id)), *id));
        let specs = ids
            .into_iter()
            .filter_map(|id| Some(&state.slots.get(id)?.target.spec));
        specs
            .map(|spec| (Arc::clone(&spec.function), Arc::clone(&spec.version)))
            .collect()
    }

    /// Waits until a version has got its template or has lost it since this was last waited for. For one who waits.
    pub async fn resident_changed(&self) {
        self.resident_changed.notified().await;
    }
}
