//! What the core's actions take time for: each in a task of its own, and its result is told to the core.

use std::sync::Arc;

use offshoot_decide::{Backing, Event, FunctionId, Rung, SeedOf};
use offshoot_node::{Fri, Memory, Seeding};

use crate::slots::Waiting;
use crate::state::{State, memory};
use crate::{Porter, Target};

/// Something to do for a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Make a clone ahead.
    Park,
    /// Have a template at hand, with its pages there.
    Warm(Backing),
    /// End the template.
    Chill,
    /// Make the seed.
    Seed,
    /// Make the seed anew.
    Renew,
    /// Delete the seed's image.
    Forget,
}

/// What a decision leaves to do when the lock is free.
pub(crate) struct Todo<I> {
    /// Instances to end.
    pub(crate) ended: Vec<Waiting<I>>,
    work: Vec<(Work, FunctionId, Arc<Target>)>,
    /// Runtimes whose seeds are made anew, each with a version that begins in its clones.
    runtimes: Vec<(Arc<str>, Arc<Target>)>,
}

impl<I> Default for Todo<I> {
    fn default() -> Self {
        Self {
            ended: Vec::new(),
            work: Vec::new(),
            runtimes: Vec::new(),
        }
    }
}

impl<I> Todo<I> {
    pub(crate) fn push(&mut self, state: &State<I>, id: FunctionId, work: Work) {
        let slot = state.slots.get(id);
        self.work
            .extend(slot.map(|slot| (work, id, Arc::clone(&slot.target))));
    }

    pub(crate) fn renew(&mut self, state: &State<I>, runtime: Arc<str>) {
        let target = state.runtimes.get(&runtime).cloned();
        self.runtimes.extend(target.map(|target| (runtime, target)));
    }
}

impl<F: Fri> Porter<F> {
    /// Begins what a decision has left to do.
    pub(crate) fn carry_out(self: &Arc<Self>, todo: Todo<F::Instance>) {
        self.retire(todo.ended);
        for (work, id, target) in todo.work {
            let (porter, closing) = (Arc::clone(self), self.closing.clone());
            // Dropped when the daemon ends: what it has made so far ends with it.
            self.invocations.spawn(async move {
                let doing = porter.work(work, id, &target);
                closing.run_until_cancelled(doing).await
            });
        }
        for (runtime, target) in todo.runtimes {
            let (porter, closing) = (Arc::clone(self), self.closing.clone());
            self.invocations.spawn(async move {
                let doing = porter.renew_runtime(runtime, &target);
                closing.run_until_cancelled(doing).await
            });
        }
    }

    /// Has a runtime's seed made anew; the node says what went wrong.
    async fn renew_runtime(&self, runtime: Arc<str>, target: &Target) {
        let made = self.node.renew_runtime(Arc::clone(&target.spec)).await;
        let found = self.node.runtime_seed(&target.spec);
        let image_bytes = found.and_then(|found| found.image_bytes);
        let mut state = self.lock();
        let (now, seed) = (self.clock.now(), SeedOf::Runtime(runtime));
        match (made, image_bytes) {
            (Ok(Seeding::Seeded), Some(bytes)) => state.core.seed_ready(now, &seed, bytes),
            _ => state.core.seed_failed(now, &seed),
        }
        self.note(&mut state, false);
    }

    async fn work(&self, work: Work, id: FunctionId, target: &Target) {
        let spec = Arc::clone(&target.spec);
        match work {
            Work::Park => self.park(id, target).await,
            Work::Warm(backing) => {
                let _turn = self.ahead.acquire().await;
                let _place = self.gate.enter_last().await;
                if let Err(error) = self.node.warm(spec, memory(backing)).await {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(function = &*target.spec.function, error, "no template");
                }
                self.find_template(id);
            }
            Work::Chill => self.node.chill(&spec),
            Work::Seed => self.seeded(id, self.node.seed(spec).await.ok(), false),
            Work::Renew => self.seeded(id, self.node.renew(spec).await.ok(), true),
            Work::Forget => {
                let (function, version) = (Arc::clone(&spec.function), Arc::clone(&spec.version));
                self.node.forget_seeds(function, Some(version), None).await;
            }
        }
    }

    async fn park(&self, id: FunctionId, target: &Target) {
        // Nobody waits for it: no other instance ends for it. It is asked for only while there is memory.
        let clone = if self.count_one() {
            let _place = self.gate.enter_last().await;
            let forked = self
                .node
                .fork(Arc::clone(&target.spec), true, Memory::Local)
                .await;
            let clone = forked.ok().flatten();
            self.gone(usize::from(clone.is_none()));
            clone
        } else {
            None
        };
        let stale = {
            let mut state = self.lock();
            let stale = match clone {
                Some(clone) => {
                    let bytes = state.size(id, Rung::Clone, None);
                    state.slots.put_parked(id, clone, bytes).err()
                }
                None => {
                    if let Some(slot) = state.slots.get_mut(id) {
                        slot.parking = slot.parking.saturating_sub(1);
                    }
                    let now = self.clock.now();
                    state.core.observe(now, id, Event::ParkedGone(1));
                    state.unsure.push(id);
                    None
                }
            };
            self.note(&mut state, false);
            stale
        };
        if let Some(stale) = stale {
            self.end(stale, 0);
        }
    }

    /// Tells the core whether a version's template is there.
    fn find_template(&self, id: FunctionId) {
        let templates = self.node.templates();
        let mut state = self.lock();
        state.learn_templates(self.clock.now(), &templates, &[id]);
        self.note(&mut state, false);
    }

    /// A seed was made, or could not be made; the node has said why.
    fn seeded(&self, id: FunctionId, made: Option<Seeding>, is_anew: bool) {
        let is_there = matches!(made, Some(Seeding::Seeded));
        let templates = self.node.templates();
        let waiting = {
            let mut state = self.lock();
            let (now, seed) = (self.clock.now(), SeedOf::Function(id));
            let Some(slot) = state.slots.get_mut(id) else {
                return;
            };
            let waiting = std::mem::take(&mut slot.waiting);
            if is_there {
                let spec = &slot.target.spec;
                let template = templates.iter().find(|template| {
                    template.function == spec.function && template.version == spec.version
                });
                // Of an image whose template was not made yet, the size is not known.
                let image_bytes = template.map_or(0, |template| template.image_bytes);
                // Its template may have told of it.
                if !std::mem::replace(&mut slot.has_seed, true) || is_anew {
                    state.core.seed_ready(now, &seed, image_bytes);
                }
                let unsure: &[FunctionId] = if is_anew { &[] } else { &[id] };
                state.learn_templates(now, &templates, unsure);
            } else {
                state.core.seed_failed(now, &seed);
                if is_anew {
                    state.lose_seed(now, id);
                }
            }
            self.note(&mut state, true);
            waiting
        };
        waiting.into_iter().for_each(|done| done(is_there));
    }
}
