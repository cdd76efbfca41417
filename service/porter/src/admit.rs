//! Letting events in: concurrency, memory, and an instance that is ready.

use std::sync::Arc;
use std::time::{Duration, Instant};

use offshoot_decide::{End, Refusal, Rung, Started, Ticket};
use offshoot_node::Fri;

use crate::metered;
use crate::state::Ready;
use crate::{InvokeError, Porter, Target, ThrottleReason};

/// How long an event waits for memory before it is refused.
const MEMORY_WAIT: Duration = Duration::from_secs(10);
/// How often the machine is read while events wait for its memory.
const MEMORY_LOOK: Duration = Duration::from_secs(1);

/// An event that was let in. Dropped before its end, it gives back what it holds.
pub(crate) struct Admitted<F: Fri> {
    porter: Arc<Porter<F>>,
    ticket: Option<Ticket>,
    /// An instance that waited for it.
    ready: Option<Ready<F::Instance>>,
}

impl<F: Fri> Porter<F> {
    /// Lets an event in that came so long ago. If memory is short it waits for a while: what others hold is free soon, or
    /// was only assumed to be needed.
    pub(crate) async fn admit(
        self: &Arc<Self>,
        target: &Arc<Target>,
        queued: Duration,
    ) -> Result<Admitted<F>, InvokeError> {
        match self.try_admit(target, queued) {
            Ok(admitted) => Ok(admitted),
            Err(Refusal::Memory { .. }) => self.admit_later(target, queued).await,
            Err(refusal) => Err(throttled(target, refusal)),
        }
    }

    async fn admit_later(
        self: &Arc<Self>,
        target: &Arc<Target>,
        queued: Duration,
    ) -> Result<Admitted<F>, InvokeError> {
        let _counted = Waits::begin(self);
        let begun = Instant::now();
        loop {
            let room = self.room.notified();
            tokio::pin!(room);
            // From now on nothing is missed.
            room.as_mut().enable();
            match self.try_admit(target, queued + begun.elapsed()) {
                Ok(admitted) => return Ok(admitted),
                Err(Refusal::Memory { .. }) if begun.elapsed() < MEMORY_WAIT => {}
                Err(refusal) => return Err(throttled(target, refusal)),
            }
            tokio::select! {
                () = room => {}
                () = tokio::time::sleep(MEMORY_LOOK) => self.look_at_machine(),
                () = self.closing.cancelled() => return Err(InvokeError::ShuttingDown),
            }
        }
    }

    /// Lets an event in, with an instance if one waits.
    fn try_admit(
        self: &Arc<Self>,
        target: &Arc<Target>,
        queued: Duration,
    ) -> Result<Admitted<F>, Refusal> {
        let (admitted, todo) = {
            let mut state = self.lock();
            let now = self.clock.now();
            let id = state.version(&*self.node, now, target);
            let mut actions = Vec::new();
            let admitted = state.core.admit(now, id, &mut actions);
            let mut todo = self.obey(&mut state, actions);
            let admitted = admitted.map(|mut ticket| {
                let ready = state.take_ready(&*self.node, id, &mut todo.ended);
                if let Some(Ready { rung, .. }) = ready {
                    state.started(now, &mut ticket, started(rung, queued, None));
                }
                (ticket, ready)
            });
            // Nothing has become free: events that wait for memory would wake each other for ever.
            self.note_due(&mut state, false);
            (admitted, todo)
        };
        self.carry_out(todo);
        let (ticket, ready) = admitted?;
        Ok(Admitted {
            porter: Arc::clone(self),
            ticket: Some(ticket),
            ready,
        })
    }
}

impl<F: Fri> Admitted<F> {
    /// The rung that the core expected or was told last.
    pub(crate) fn rung(&self) -> Option<Rung> {
        self.ticket.as_ref().map(Ticket::rung)
    }

    pub(crate) fn take_ready(&mut self) -> Option<Ready<F::Instance>> {
        self.ready.take()
    }

    /// Looks again for an instance that waits.
    pub(crate) fn look_again(&mut self, waited: Duration) -> Option<Ready<F::Instance>> {
        let (porter, ticket) = (&self.porter, self.ticket.as_mut()?);
        let mut dead = Vec::new();
        let ready = {
            let mut state = porter.lock();
            let ready = state.take_ready(&*porter.node, ticket.function(), &mut dead);
            if let Some(Ready { rung, .. }) = ready {
                let now = porter.clock.now();
                state.started(now, ticket, started(rung, waited, None));
            }
            ready
        };
        porter.retire(dead);
        ready
    }

    /// An instance was made on a rung, `waited` after the event came. `seedless` if the node has found no seed.
    pub(crate) fn made(
        &mut self,
        rung: Rung,
        waited: Duration,
        own_bytes: Option<u64>,
        seedless: bool,
    ) {
        let (porter, Some(ticket)) = (&self.porter, self.ticket.as_mut()) else {
            return;
        };
        let mut state = porter.lock();
        let (now, id) = (porter.clock.now(), ticket.function());
        let counted_on = matches!(ticket.rung(), Rung::Clone | Rung::Restore);
        state.started(now, ticket, started(rung, waited, own_bytes));
        if seedless && counted_on {
            state.lose_seed(now, id);
        }
        porter.note(&mut state, true);
    }

    /// Ends it: its place is free.
    pub(crate) fn ended(&mut self, end: End, is_hot: bool) {
        if let Some(ticket) = self.ticket.take() {
            let mut state = self.porter.lock();
            state.core.ended(self.porter.clock.now(), ticket, end);
            self.porter.note(&mut state, !is_hot);
        }
    }

    /// The ticket, of whoever ends it.
    pub(crate) fn take_ticket(&mut self) -> Option<Ticket> {
        self.ticket.take()
    }
}

impl<F: Fri> Drop for Admitted<F> {
    fn drop(&mut self) {
        self.ended(End::NotStarted, true);
        if let Some(ready) = self.ready.take() {
            self.porter.retire(vec![ready.waiting]);
        }
    }
}

fn started(rung: Rung, waited: Duration, private_bytes: Option<u64>) -> Started {
    Started {
        rung,
        latency_us: waited.as_micros() as u64,
        private_bytes,
    }
}

fn throttled(target: &Target, refusal: Refusal) -> InvokeError {
    let reason = ThrottleReason::from(refusal);
    metered::throttled(&target.spec.function, reason);
    InvokeError::Throttled(reason)
}

/// An event that waits for memory is counted.
struct Waits<'a, F: Fri>(&'a Porter<F>);

impl<'a, F: Fri> Waits<'a, F> {
    fn begin(porter: &'a Porter<F>) -> Self {
        porter.lock().waiting += 1;
        Self(porter)
    }
}

impl<F: Fri> Drop for Waits<'_, F> {
    fn drop(&mut self) {
        self.0.lock().waiting -= 1;
    }
}
