//! Asking the core, at events and when something is due.

use std::sync::Arc;
use std::time::Instant;

use offshoot_decide::{Deed, NodeReading, SECOND_US, SeedOf};
use offshoot_node::Fri;

use crate::metered;
use crate::slots::Done;
use crate::state::State;
use crate::work::{Todo, Work};
use crate::{Porter, Target};

/// The machine is read this often at most; in between, the core counts what it decides. A burst of starts takes a tenth of
/// a second to use more than it was let in for.
const READ_EACH_US: u64 = SECOND_US / 10;

impl<F: Fri> Porter<F> {
    /// Has the core decide, and does what it says, until the porter is [drained](Porter::drain). Sleeps until something is
    /// due or an event wakes it: an idle porter does nothing.
    pub async fn drive(self: &Arc<Self>) {
        self.closing
            .run_until_cancelled(self.decide_for_ever())
            .await;
    }

    async fn decide_for_ever(self: &Arc<Self>) {
        loop {
            let alarm = self.lock().alarm;
            let due = alarm.and_then(|alarm| self.clock.instant(alarm));
            match due {
                None => {
                    self.woken().await;
                    continue;
                }
                Some(due) if due > Instant::now() => tokio::select! {
                    () = tokio::time::sleep_until(due.into()) => {}
                    () = self.woken() => continue,
                },
                Some(_) => tokio::task::yield_now().await,
            }
            self.decide();
        }
    }

    /// Waits until there is another alarm; the seed of a runtime that has come or gone may be what sets it.
    async fn woken(&self) {
        tokio::select! {
            () = self.wake.notified() => {}
            () = self.node.runtime_seeds_changed() => {
                let mut state = self.lock();
                state.learn_runtimes(&*self.node, self.clock.now());
                self.note(&mut state, false);
            }
        }
    }

    /// Makes the version's seed in the background; `done` is told whether there is one.
    pub fn prepare(
        self: &Arc<Self>,
        target: Arc<Target>,
        done: impl FnOnce(bool) + Send + 'static,
    ) {
        let done: Done = Box::new(done);
        let known = self.want_seed(&target, done);
        if let Some((done, is_there)) = known {
            done(is_there);
        }
    }

    /// Makes a version known before its first event, if its seed may be made so early.
    pub fn expect(&self, target: &Arc<Target>) {
        let seeds = self.config.seeds;
        if seeds.after_events == 0 || seeds.idle_after != Some(0) {
            return;
        }
        let mut state = self.lock();
        state.version(&*self.node, self.clock.now(), target);
        self.note(&mut state, false);
    }

    /// Has the seed made; gives `done` back if it is known already whether there is one.
    fn want_seed(&self, target: &Arc<Target>, done: Done) -> Option<(Done, bool)> {
        if self.config.seeds.after_events == 0 {
            return Some((done, false));
        }
        let mut state = self.lock();
        let now = self.clock.now();
        let id = state.version(&*self.node, now, target);
        let slot = state.slots.get_mut(id)?;
        if slot.has_seed {
            return Some((done, true));
        }
        slot.waiting.push(done);
        state.core.want_seed(now, id);
        self.note(&mut state, true);
        None
    }

    /// Wakes who should look at what the core was told: the driver, and events that wait for memory.
    pub(crate) fn note(&self, state: &mut State<F::Instance>, soon: bool) {
        self.note_due(state, soon);
        if state.waiting > 0 {
            self.room.notify_waiters();
        }
    }

    /// Wakes the driver if it would sleep for too long: until when the core is due, or if it should look `soon`, at all.
    pub(crate) fn note_due(&self, state: &mut State<F::Instance>, soon: bool) {
        let due = match soon {
            true => Some(self.clock.now()),
            false => state.core.next_due(),
        };
        if due.is_some_and(|due| state.alarm.is_none_or(|alarm| due < alarm)) {
            state.alarm = due;
            self.wake.notify_one();
        }
    }

    /// One decision.
    fn decide(self: &Arc<Self>) {
        let now = self.clock.now();
        self.look_at_machine();
        self.learn_templates();
        let todo = {
            let mut state = self.lock();
            let actions = state.core.decide(now);
            let todo = self.obey(&mut state, actions);
            state.alarm = state.core.next_due();
            if state.waiting > 0 {
                self.room.notify_waiters();
            }
            todo
        };
        self.carry_out(todo);
    }

    /// Reads the machine, unless that was done a moment ago.
    pub(crate) fn look_at_machine(&self) {
        let read_at = self.lock().read_at;
        if read_at.is_none_or(|at| self.clock.now().since(at) >= READ_EACH_US) {
            self.read_machine();
        }
    }

    /// Reads the machine, and tells the core.
    pub(crate) fn read_machine(&self) {
        let machine = self.node.read_machine();
        let freeing_bytes = self.freeing_bytes();
        let mut state = self.lock();
        let templates = state.resident.bytes() + state.other_templates_bytes;
        state.core.read(NodeReading {
            limit_bytes: machine.limit_bytes,
            used_bytes: machine.used_bytes.saturating_add(templates),
            freeing_bytes,
            psi_some: machine.psi_some,
            psi_full: machine.psi_full,
            is_idle: machine.is_idle,
        });
        state.read_at = Some(self.clock.now());
    }

    /// Finds out which templates there are, if the core may think wrongly of some.
    fn learn_templates(&self) {
        let unsure = std::mem::take(&mut self.lock().unsure);
        if !unsure.is_empty() {
            let templates = self.node.templates();
            let now = self.clock.now();
            self.lock().learn_templates(now, &templates, &unsure);
        }
    }

    /// Does what can be done at once, under the same lock under which it was decided; the rest is for
    /// [`Porter::carry_out`].
    pub(crate) fn obey(
        &self,
        state: &mut State<F::Instance>,
        actions: Vec<offshoot_decide::Action>,
    ) -> Todo<F::Instance> {
        let mut todo = Todo::default();
        for action in actions {
            let function = action.deed.function();
            let name = function.map_or_else(String::new, |id| state.name(id));
            metered::decided(action.deed.name());
            self.decisions.note(&self.clock, &action, name);
            match action.deed {
                Deed::RetireIdle { function, count } => {
                    todo.ended.extend(state.slots.retire_idle(function, count));
                }
                Deed::Unpark { function, count } => {
                    todo.ended.extend(state.slots.unpark(function, count));
                }
                Deed::DropTemplate { function } => {
                    state.resident.remove(function);
                    todo.push(state, function, Work::Chill);
                }
                Deed::Park { function, count } => {
                    if let Some(slot) = state.slots.get_mut(function) {
                        slot.parking += count;
                    }
                    (0..count).for_each(|_| todo.push(state, function, Work::Park));
                }
                Deed::MakeTemplate { function, backing }
                | Deed::ReplaceTemplate { function, backing } => {
                    todo.push(state, function, Work::Warm(backing));
                }
                Deed::MakeSeed {
                    seed: SeedOf::Function(function),
                } => todo.push(state, function, Work::Seed),
                Deed::RotateSeed {
                    seed: SeedOf::Function(function),
                } => todo.push(state, function, Work::Renew),
                Deed::DropSeed { function } => {
                    if let Some(slot) = state.slots.get_mut(function) {
                        slot.has_seed = false;
                    }
                    state.resident.remove(function);
                    todo.push(state, function, Work::Forget);
                }
                Deed::RotateSeed {
                    seed: SeedOf::Runtime(runtime),
                } => todo.renew(state, runtime),
                // The policy asks for none: the node makes it when it is first missed.
                Deed::MakeSeed { seed } => state.core.seed_failed(action.at, &seed),
                // For people.
                Deed::SetGhosts { .. }
                | Deed::SetKeepAlive { .. }
                | Deed::SetKeepAliveCap { .. } => {}
            }
        }
        todo
    }
}
