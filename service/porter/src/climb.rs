//! An event's way down the ladder.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use offshoot_decide::{End, Event as Change, Rung};
use offshoot_node::{Activated, CreateFailure, Event, Fri, Outcome, Reply};

use crate::admit::{Admitted, MakingShared, Needed};
use crate::gate::Place;
use crate::shares::Seat;
use crate::state::{Ready, rung};
use crate::{InvokeError, Porter, Target, ThrottleReason, metered};

/// What the ladder gave.
struct Found<'a, I> {
    /// If it had to wait for one, or is new: until its answer.
    place: Option<Place<'a>>,
    instance: I,
    /// The event's place in it, if it may have others.
    seat: Option<Seat>,
    /// Memory of its own, if it was measured before.
    bytes: u64,
    /// From the beginning of the climb until the rung was chosen.
    waited: Duration,
}

impl<'a, I> Found<'a, I> {
    fn ready(ready: Ready<I>, place: Option<Place<'a>>, waited: Duration) -> Self {
        Self {
            place,
            instance: ready.waiting.instance,
            seat: ready.seat,
            bytes: ready.waiting.bytes,
            waited,
        }
    }
}

/// Why the ladder gave no instance.
enum InvokeFailure {
    /// The function's init failed: that is its answer.
    Init(offshoot_node::Failure),
    Error(InvokeError),
}

impl From<InvokeError> for InvokeFailure {
    fn from(error: InvokeError) -> Self {
        Self::Error(error)
    }
}

impl<F: Fri> Porter<F> {
    pub(crate) async fn handle(
        self: &Arc<Self>,
        target: Arc<Target>,
        mut event: Event,
        reply: Reply,
        mut admitted: Admitted<F>,
    ) -> Result<Outcome, InvokeError> {
        let arrived = event.queued;
        loop {
            let begun = Instant::now();
            let found = match admitted.take_ready() {
                Some(ready) => Ok(Found::ready(ready, None, Duration::ZERO)),
                None => self.climb(&target, &mut admitted, arrived, begun).await,
            };
            event.queued = arrived + begun.elapsed();
            let Found {
                place,
                instance,
                seat,
                bytes,
                waited,
            } = match found {
                Ok(found) => found,
                Err(InvokeFailure::Init(failure)) => {
                    let outcome = self.node.report_init_failure(&target.spec, &event, failure);
                    target.metrics().handled(&outcome);
                    target.started(&self.starts, &event, &outcome);
                    return Ok(outcome);
                }
                Err(InvokeFailure::Error(error)) => return Err(error),
            };
            event.queued = arrived + waited;
            let activated = self
                .node
                .activate(instance, event.clone(), reply.clone())
                .await;
            drop(place);
            if activated.undelivered {
                // The rung failed before the handler saw the event: the next one may have it.
                match seat {
                    None => self.gone(1),
                    Some(seat) => admitted.lost(seat),
                }
                continue;
            }
            let Activated {
                outcome, instance, ..
            } = activated;
            let is_hot = !outcome.rung.is_first();
            // The place is free before the caller can hear the answer and come again.
            match (seat, instance) {
                (Some(seat), share) => self.leave(&target, &mut admitted, seat, share, is_hot),
                (None, Some(instance)) => {
                    self.keep(&target, &mut admitted, instance, bytes, is_hot);
                }
                (None, None) => {
                    self.gone(1);
                    admitted.ended(End::Gone, is_hot);
                }
            }
            tracing::Span::current().record("faas.coldstart", !is_hot);
            target.metrics().handled(&outcome);
            target.started(&self.starts, &event, &outcome);
            return Ok(outcome);
        }
    }

    /// The rungs below what waits, if nothing has become idle meanwhile: a clone, else a cold one.
    async fn climb(
        &self,
        target: &Target,
        admitted: &mut Admitted<F>,
        arrived: Duration,
        begun: Instant,
    ) -> Result<Found<'_, F::Instance>, InvokeFailure> {
        let _making = if target.spec.concurrency > 1 {
            match self.wait_or_make(target, admitted, arrived, begun).await {
                Ok(ready) => return Ok(Found::ready(ready, None, begun.elapsed())),
                Err(making) => making,
            }
        } else {
            None
        };
        // Inits may take seconds: who waits to begin one is in no clone's way, so it has no place yet.
        let counts_on_init = admitted.rung().is_some_and(|rung| rung >= Rung::Level1);
        let permit = if counts_on_init {
            Some(self.cold_starts.acquire(&target.spec.function).await)
        } else {
            None
        };
        let mut place = self.enter(target).await;
        let mut waited = begun.elapsed();
        if let Some(ready) = admitted.look_again(arrived + waited) {
            return Ok(Found::ready(ready, Some(place), waited));
        }
        self.make_room()?;
        let memory = admitted.memory();
        let forked = self.node.fork(Arc::clone(&target.spec), false, memory);
        let seedless = match forked.await {
            Ok(Some(clone)) => {
                let after = arrived + begun.elapsed();
                return Ok(self.found(admitted, clone, place, (waited, after), false));
            }
            Ok(None) => true,
            Err(error) => {
                metered::fell(&target.spec.function, &error);
                false
            }
        };
        let _permit = match permit {
            Some(permit) => permit,
            None => {
                self.gone(1);
                drop(place);
                let permit = self.cold_starts.acquire(&target.spec.function).await;
                place = self.enter(target).await;
                waited = begun.elapsed();
                if let Some(ready) = admitted.look_again(arrived + waited) {
                    return Ok(Found::ready(ready, Some(place), waited));
                }
                self.make_room()?;
                permit
            }
        };
        match self.node.create(Arc::clone(&target.spec)).await {
            Ok(instance) => {
                let after = arrived + begun.elapsed();
                Ok(self.found(admitted, instance, place, (waited, after), seedless))
            }
            Err(failure) => {
                self.gone(1);
                Err(match failure {
                    CreateFailure::Function(failure) => InvokeFailure::Init(failure),
                    CreateFailure::Node(error) => InvokeFailure::Error(InvokeError::Node(error)),
                })
            }
        }
    }

    /// A place of the gate.
    async fn enter(&self, target: &Target) -> Place<'_> {
        let has_idle_processor = || self.node.has_idle_processor();
        self.gate
            .enter(&target.spec.function, has_idle_processor)
            .await
    }

    /// An instance that was made now: for how long the event had waited before that, and after it.
    fn found<'a>(
        &self,
        admitted: &mut Admitted<F>,
        instance: F::Instance,
        place: Place<'a>,
        (waited, after): (Duration, Duration),
        seedless: bool,
    ) -> Found<'a, F::Instance> {
        let rung = rung(self.node.rung(&instance));
        // What an init has made, before the first event adds to it.
        let own_bytes = (rung >= Rung::Level1).then(|| self.node.own_bytes(&instance));
        let (instance, seat) = admitted.made(instance, rung, after, own_bytes.flatten(), seedless);
        Found {
            place: Some(place),
            instance,
            seat,
            bytes: 0,
            waited,
        }
    }

    /// An event of a function whose instances have several waits for one that is being made and has room for it, but once only: what
    /// fails for one fails for all. Otherwise it makes one, for which others may wait until what is given back is dropped.
    async fn wait_or_make(
        &self,
        target: &Target,
        admitted: &mut Admitted<F>,
        arrived: Duration,
        begun: Instant,
    ) -> Result<Ready<F::Instance>, Option<MakingShared<F>>> {
        for may_wait in [true, false] {
            match admitted.need(target.spec.concurrency, may_wait) {
                Some(Needed::Made(done)) => {
                    done.cancelled().await;
                    if let Some(ready) = admitted.look_again(arrived + begun.elapsed()) {
                        return Ok(ready);
                    }
                }
                Some(Needed::Making(making)) => return Err(Some(making)),
                None => return Err(None),
            }
        }
        Err(None)
    }

    /// Counts a new instance, ending the longest idle one if there are too many.
    fn make_room(&self) -> Result<(), InvokeError> {
        let before = self.alive.fetch_add(1, Ordering::Relaxed);
        if before < self.config.max_instances {
            return Ok(());
        }
        let oldest = {
            let mut state = self.lock();
            let now = self.clock.now();
            let ended = state.slots.oldest().map(|(id, is_parked)| {
                let (ended, change) = if is_parked {
                    (state.slots.unpark(id, 1), Change::ParkedGone(1))
                } else {
                    (state.slots.retire_idle(id, 1), Change::IdleGone(1))
                };
                state.core.observe(now, id, change);
                ended
            });
            self.note(&mut state, false);
            ended
        };
        match oldest {
            Some(oldest) => {
                self.retire(oldest);
                Ok(())
            }
            None => {
                self.gone(1);
                let reason = ThrottleReason::ConcurrentInvocationLimitExceeded;
                Err(InvokeError::Throttled(reason))
            }
        }
    }
}
