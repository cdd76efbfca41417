//! Which versions get seeds, and parked clones: work in the background, behind answers.

use std::sync::Arc;
use std::time::Duration;

use offshoot_node::{Fri, Rung, Seeding};

use crate::{Porter, Target};

/// When function versions get seeds.
#[derive(Debug, Clone, Copy)]
pub struct SeedPolicy {
    /// How many events of a version are handled before its seed is made; with 0, none is.
    pub after_events: u32,
    /// How many clones of a version with a seed are kept parked while it is used.
    pub parked: usize,
    /// How long one of them waits for an event.
    pub parked_for: Duration,
}

impl Default for SeedPolicy {
    fn default() -> Self {
        Self {
            after_events: 16,
            parked: 1,
            parked_for: Duration::from_secs(600),
        }
    }
}

impl<F: Fri> Porter<F> {
    /// Looks after a version of which an event was handled.
    pub(crate) fn after(self: &Arc<Self>, target: &Arc<Target>, rung: Rung) {
        let seeds = self.config.seeds;
        if seeds.after_events == 0 {
            return;
        }
        let is_due = target.count() == seeds.after_events;
        if !is_due && !matches!(rung, Rung::Clone | Rung::Restore | Rung::Parked) {
            return;
        }
        let (porter, target) = (Arc::clone(self), Arc::clone(target));
        let work = async move {
            if is_due {
                porter.seed(&target).await;
            } else {
                porter.park(&target).await;
            }
        };
        // Dropped when the daemon ends: what it has made so far ends with it.
        let closing = self.closing.clone();
        self.invocations
            .spawn(async move { closing.run_until_cancelled(work).await });
    }

    /// Makes the version's seed in the background; `done` is told whether there is one.
    pub fn prepare(
        self: &Arc<Self>,
        target: Arc<Target>,
        done: impl FnOnce(bool) + Send + 'static,
    ) {
        let (porter, closing) = (Arc::clone(self), self.closing.clone());
        self.invocations.spawn(async move {
            let seeded = closing.run_until_cancelled(porter.seed(&target)).await;
            done(seeded.unwrap_or(false));
        });
    }

    /// Makes the version's seed, if there can be one; whether there is one.
    async fn seed(&self, target: &Target) -> bool {
        // The node says why there is none.
        let seeded = self.node.seed(Arc::clone(&target.spec)).await;
        let is_seeded = matches!(seeded, Ok(Seeding::Seeded));
        if is_seeded {
            self.park(target).await;
        }
        is_seeded
    }

    /// Parks a clone, if fewer wait than should.
    async fn park(&self, target: &Target) {
        let function = &target.spec.function;
        let generation = {
            let parked = self.lock_parked();
            if parked.count(function, &target.revision) >= self.config.seeds.parked {
                return;
            }
            parked.generation(function)
        };
        // Nobody waits for it: no other instance ends for it.
        if !self.count_one() {
            return;
        }
        let Ok(Some(clone)) = self.node.fork(Arc::clone(&target.spec), true).await else {
            self.gone(1);
            return;
        };
        let kept = self
            .lock_parked()
            .put(function, &target.revision, generation, clone);
        match kept {
            Ok(()) => self.wake_keep_alive(),
            Err(stale) => self.retire(vec![stale]),
        }
    }
}
