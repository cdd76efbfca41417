//! Letting events in: concurrency, memory, and an instance that is ready.

use std::sync::Arc;
use std::time::{Duration, Instant};

use offshoot_decide::{End, FunctionId, Refusal, Rung, Started, Ticket};
use offshoot_node::{Fri, Memory};
use tokio_util::sync::CancellationToken;

use crate::metered;
use crate::shares::{Left, Need, Seat};
use crate::slots::Waiting;
use crate::state::{Ready, State, memory};
use crate::work::Todo;
use crate::{InvokeError, Porter, Target, ThrottleReason};

/// A ticket, and an instance that waited for its event.
type AdmittedNow<F> = Result<(Ticket, Option<Ready<<F as Fri>::Instance>>), Refusal>;

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

    /// Lets an event in that finds no room in an instance at work.
    fn admit_alone(
        self: &Arc<Self>,
        state: &mut State<F::Instance>,
        id: FunctionId,
        queued: Duration,
    ) -> (AdmittedNow<F>, Todo<F::Instance>) {
        let mut actions = Vec::new();
        let admitted = state.core.admit(self.clock.now(), id, &mut actions);
        let mut todo = self.obey(state, actions);
        let admitted = admitted.map(|mut ticket| {
            let ready = take(self, state, &mut ticket, queued, &mut todo.ended);
            (ticket, ready)
        });
        (admitted, todo)
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
            let is_alive = |instance: &F::Instance| self.node.is_alive(instance);
            let (admitted, todo) = match state.shares.with_room(id, is_alive) {
                Some(seat) => {
                    let joined = state.core.join(now, id);
                    let joined = joined.map(|ticket| (ticket, state.join(&*self.node, seat)));
                    (joined, Todo::default())
                }
                None => self.admit_alone(&mut state, id, queued),
            };
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

/// Has an event that was let in take an instance that waits.
fn take<F: Fri>(
    porter: &Porter<F>,
    state: &mut State<F::Instance>,
    ticket: &mut Ticket,
    waited: Duration,
    dead: &mut Vec<Waiting<F::Instance>>,
) -> Option<Ready<F::Instance>> {
    let now = porter.clock.now();
    let mut ready = state.take_ready(&*porter.node, ticket.function(), dead)?;
    state.started(now, ticket, started(ready.rung, waited, None));
    let Waiting {
        instance, bytes, ..
    } = ready.waiting;
    let (instance, seat) = state.begin(&*porter.node, ticket, instance, bytes);
    ready.waiting = state.slots.waiting(instance, bytes);
    ready.seat = seat;
    Some(ready)
}

impl<F: Fri> Admitted<F> {
    /// The rung that the core expected or was told last.
    pub(crate) fn rung(&self) -> Option<Rung> {
        self.ticket.as_ref().map(Ticket::rung)
    }

    /// Where the pages of a template live that is made for it.
    pub(crate) fn memory(&self) -> Memory {
        let backing = self.ticket.as_ref().map(Ticket::backing);
        backing.map_or(Memory::Local, memory)
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
            let is_alive = |instance: &F::Instance| porter.node.is_alive(instance);
            match state.shares.with_room(ticket.function(), is_alive) {
                Some(seat) => {
                    let now = porter.clock.now();
                    state.core.joined(now, ticket, waited.as_micros() as u64);
                    state.join(&*porter.node, seat)
                }
                None => take(porter, &mut state, ticket, waited, &mut dead),
            }
        };
        porter.retire(dead);
        ready
    }

    /// Whether it waits for an instance that is being made; otherwise it has one made itself, until what is given back is dropped.
    pub(crate) fn need(&self, most: u32, may_wait: bool) -> Option<Needed<F>> {
        let id = self.ticket.as_ref()?.function();
        let need = self.porter.lock().shares.need(id, most, may_wait);
        Some(match need {
            Need::Wait(done) => Needed::Made(done),
            Need::Make(number) => Needed::Making(MakingShared {
                porter: Arc::clone(&self.porter),
                id,
                number,
            }),
        })
    }

    /// An instance was made on a rung, `waited` after the event came: the event's share of it, and its place if others may join.
    /// `seedless` if the node has found no seed.
    pub(crate) fn made(
        &mut self,
        instance: F::Instance,
        rung: Rung,
        waited: Duration,
        own_bytes: Option<u64>,
        seedless: bool,
    ) -> (F::Instance, Option<Seat>) {
        let (porter, Some(ticket)) = (&self.porter, self.ticket.as_mut()) else {
            return (instance, None);
        };
        let mut state = porter.lock();
        let (now, id) = (porter.clock.now(), ticket.function());
        let counted_on = matches!(ticket.rung(), Rung::Clone | Rung::Restore);
        state.started(now, ticket, started(rung, waited, own_bytes));
        if seedless && counted_on {
            state.lose_seed(now, id);
        }
        let begun = state.begin(&*porter.node, ticket, instance, own_bytes.unwrap_or(0));
        porter.note(&mut state, true);
        begun
    }

    /// Its share of an instance was lost before the event was seen; it needs another.
    pub(crate) fn lost(&mut self, seat: Seat) {
        let left = self.porter.lock().leave(seat, true, self.ticket.as_mut());
        if let Some(Left::Nobody(_)) = left {
            self.porter.gone(1);
        }
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
        if let Some(ready) = self.ready.take() {
            match ready.seat {
                None => self.porter.retire(vec![ready.waiting]),
                // Nobody has used it; its other events go on.
                Some(seat) => {
                    let ticket = self.ticket.as_mut();
                    let left = self.porter.lock().leave(seat, false, ticket);
                    if let Some(Left::Nobody(vacant)) = left {
                        self.porter.end(vacant.instance, vacant.bytes);
                    }
                }
            }
        }
        self.ended(End::NotStarted, true);
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

/// What an event does that finds no instance of those that several events may be in.
pub(crate) enum Needed<F: Fri> {
    /// It waits until this is cancelled.
    Made(CancellationToken),
    /// It has one made.
    Making(MakingShared<F>),
}

/// An instance is being made that others may wait for. Dropped when it is there, or cannot be made.
pub(crate) struct MakingShared<F: Fri> {
    porter: Arc<Porter<F>>,
    id: FunctionId,
    number: u64,
}

impl<F: Fri> Drop for MakingShared<F> {
    fn drop(&mut self) {
        self.porter.lock().shares.made(self.id, self.number);
    }
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
