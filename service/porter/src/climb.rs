//! An event's way down the ladder.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use offshoot_decide::{Event as Change, Rung};
use offshoot_node::{CreateFailure, Fri};

use crate::admit::{Admitted, MakingShared, Needed};
use crate::gate::Place;
use crate::shares::Seat;
use crate::state::{Ready, rung};
use crate::{InvokeError, Porter, Target, ThrottleReason, metered};

/// What the ladder gave.
pub(crate) struct Found<'a, I> {
    /// If it had to wait for one, or is new: until its answer.
    pub(crate) place: Option<Place<'a>>,
    pub(crate) instance: I,
    /// The event's place in it, if it may have others.
    pub(crate) seat: Option<Seat>,
    /// Memory of its own, if it was measured before.
    pub(crate) bytes: u64,
    /// From the beginning of the climb until the rung was chosen.
    pub(crate) waited: Duration,
}

impl<'a, I> Found<'a, I> {
    pub(crate) fn ready(ready: Ready<I>, place: Option<Place<'a>>, waited: Duration) -> Self {
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
pub(crate) enum NoInstance {
    /// The function's init failed: that is its answer.
    Init(offshoot_node::Failure),
    Error(InvokeError),
}

impl From<InvokeError> for NoInstance {
    fn from(error: InvokeError) -> Self {
        Self::Error(error)
    }
}

/// An event at the ladder.
struct Climber<'a, 'e, F: Fri> {
    porter: &'a Porter<F>,
    target: &'e Target,
    admitted: &'e mut Admitted<F>,
    /// How long the event had waited when the climb began.
    arrived: Duration,
    begun: Instant,
}

/// What an event has after it waited at the gate.
enum Entered<'a, I> {
    /// An instance that has become idle meanwhile.
    Ready(Found<'a, I>),
    Room(Room<'a>),
}

/// A place of the gate, and an instance that is counted but not made yet: who makes none takes it off (`gone`).
struct Room<'a> {
    place: Place<'a>,
    /// From the beginning of the climb until it was there.
    waited: Duration,
}

/// What the rung of clones gave.
enum CloneRung<'a, I> {
    Made(Found<'a, I>),
    /// No seed of the function is there, or it failed.
    Missing {
        room: Room<'a>,
        has_no_seed: bool,
    },
}

impl<F: Fri> Porter<F> {
    /// The rungs below what waits, if nothing has become idle meanwhile: a clone, else a cold one.
    pub(crate) async fn climb(
        &self,
        target: &Target,
        admitted: &mut Admitted<F>,
        arrived: Duration,
        begun: Instant,
    ) -> Result<Found<'_, F::Instance>, NoInstance> {
        let event = Climber {
            porter: self,
            target,
            admitted,
            arrived,
            begun,
        };
        event.climb().await
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

impl<'a, F: Fri> Climber<'a, '_, F> {
    async fn climb(mut self) -> Result<Found<'a, F::Instance>, NoInstance> {
        let _making = match self.wait_or_make().await {
            Ok(ready) => return Ok(Found::ready(ready, None, self.begun.elapsed())),
            Err(making) => making,
        };
        let (inits, function) = (&self.porter.cold_starts, &self.target.spec.function);
        // Inits may take seconds: who waits to begin one is in no clone's way, so it has no place yet.
        let mut permit = None;
        if self.counts_on_init() {
            permit = Some(inits.acquire(function).await);
        }
        let room = match self.enter().await? {
            Entered::Ready(found) => return Ok(found),
            Entered::Room(room) => room,
        };
        let (mut room, has_no_seed) = match self.clone_rung(room).await {
            CloneRung::Made(found) => return Ok(found),
            CloneRung::Missing { room, has_no_seed } => (room, has_no_seed),
        };
        let _permit = match permit {
            Some(permit) => permit,
            None => {
                self.porter.gone(1);
                drop(room);
                let permit = inits.acquire(function).await;
                room = match self.enter().await? {
                    Entered::Ready(found) => return Ok(found),
                    Entered::Room(room) => room,
                };
                permit
            }
        };
        self.init_rung(room, has_no_seed).await
    }

    fn counts_on_init(&self) -> bool {
        let rung = self.admitted.rung();
        rung.is_some_and(|rung| rung >= Rung::Level1)
    }

    /// A place of the gate, and with it what has become idle meanwhile, or room for a new instance.
    async fn enter(&mut self) -> Result<Entered<'a, F::Instance>, InvokeError> {
        let porter = self.porter;
        let has_idle_processor = || porter.node.has_idle_processor();
        let function = &self.target.spec.function;
        let place = porter.gate.enter(function, has_idle_processor).await;
        let waited = self.begun.elapsed();
        if let Some(ready) = self.admitted.look_again(self.arrived + waited) {
            return Ok(Entered::Ready(Found::ready(ready, Some(place), waited)));
        }
        porter.make_room()?;
        Ok(Entered::Room(Room { place, waited }))
    }

    async fn clone_rung(&mut self, room: Room<'a>) -> CloneRung<'a, F::Instance> {
        let spec = &self.target.spec;
        let memory = self.admitted.memory();
        let forked = self.porter.node.fork(Arc::clone(spec), false, memory).await;
        let has_no_seed = match forked {
            Ok(Some(clone)) => return CloneRung::Made(self.found(clone, room, false)),
            Ok(None) => true,
            Err(error) => {
                metered::fell(&spec.function, &error);
                false
            }
        };
        CloneRung::Missing { room, has_no_seed }
    }

    async fn init_rung(
        &mut self,
        room: Room<'a>,
        has_no_seed: bool,
    ) -> Result<Found<'a, F::Instance>, NoInstance> {
        let spec = Arc::clone(&self.target.spec);
        match self.porter.node.create(spec).await {
            Ok(instance) => Ok(self.found(instance, room, has_no_seed)),
            Err(failure) => {
                self.porter.gone(1);
                Err(match failure {
                    CreateFailure::Function(failure) => NoInstance::Init(failure),
                    CreateFailure::Node(error) => NoInstance::Error(InvokeError::Node(error)),
                })
            }
        }
    }

    /// An instance that was made now.
    fn found(
        &mut self,
        instance: F::Instance,
        room: Room<'a>,
        has_no_seed: bool,
    ) -> Found<'a, F::Instance> {
        let after = self.arrived + self.begun.elapsed();
        let node = &self.porter.node;
        let rung = rung(node.rung(&instance));
        // What an init has made, before the first event adds to it.
        let own_bytes = (rung >= Rung::Level1).then(|| node.own_bytes(&instance));
        let (instance, seat) =
            self.admitted
                .made(instance, rung, after, own_bytes.flatten(), has_no_seed);
        Found {
            place: Some(room.place),
            instance,
            seat,
            bytes: 0,
            waited: room.waited,
        }
    }

    /// An event of a function whose instances have several waits for one that is being made and has room for it, but once only: what
    /// fails for one fails for all. Otherwise it makes one, for which others may wait until what is given back is dropped.
    async fn wait_or_make(&mut self) -> Result<Ready<F::Instance>, Option<MakingShared<F>>> {
        let concurrency = self.target.spec.concurrency;
        if concurrency <= 1 {
            return Err(None);
        }
        for may_wait in [true, false] {
            match self.admitted.need(concurrency, may_wait) {
                Some(Needed::Made(done)) => {
                    done.cancelled().await;
                    let waited = self.arrived + self.begun.elapsed();
                    if let Some(ready) = self.admitted.look_again(waited) {
                        return Ok(ready);
                    }
                }
                Some(Needed::Making(making)) => return Err(Some(making)),
                None => return Err(None),
            }
        }
        Err(None)
    }
}
