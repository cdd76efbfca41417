//! An event's way down the ladder, and its instance's way back.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use offshoot_decide::{End, Event as Change, FunctionId, Rung};
use offshoot_node::{Activated, CreateFailure, Event, Fri, Outcome, Reply};

use crate::admit::Admitted;
use crate::state::{Ready, rung};
use crate::{InvokeError, Porter, Target, ThrottleReason, metered};

/// What the ladder gave.
struct Found<I> {
    instance: I,
    /// Memory of its own, if it was measured before.
    bytes: u64,
    /// From the beginning of the climb until the rung was chosen.
    waited: Duration,
}

impl<I> Found<I> {
    fn ready(ready: Ready<I>, waited: Duration) -> Self {
        Self {
            instance: ready.waiting.instance,
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
                Some(ready) => Ok(Found::ready(ready, Duration::ZERO)),
                None => self.climb(&target, &mut admitted, arrived, begun).await,
            };
            event.queued = arrived + begun.elapsed();
            let Found {
                instance,
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
            if activated.undelivered {
                // The rung failed before the handler saw the event: the next one may have it.
                self.gone(1);
                continue;
            }
            let Activated {
                outcome, instance, ..
            } = activated;
            let is_hot = !outcome.rung.is_first();
            // The place is free before the caller can hear the answer and come again.
            match instance {
                Some(instance) => self.keep(&target, &mut admitted, instance, bytes, is_hot),
                None => {
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
    ) -> Result<Found<F::Instance>, InvokeFailure> {
        let _permit = self
            .cold_starts
            .acquire()
            .await
            .map_err(|_| InvokeError::ShuttingDown)?;
        let waited = begun.elapsed();
        if let Some(ready) = admitted.look_again(arrived + waited) {
            return Ok(Found::ready(ready, waited));
        }
        self.make_room()?;
        let (made, seedless) = self.make(target).await;
        match made {
            Ok(instance) => {
                let rung = rung(self.node.rung(&instance));
                // What an init has made, before the first event adds to it.
                let own_bytes = (rung >= Rung::Level1).then(|| self.node.own_bytes(&instance));
                admitted.made(
                    rung,
                    arrived + begun.elapsed(),
                    own_bytes.flatten(),
                    seedless,
                );
                Ok(Found {
                    instance,
                    bytes: 0,
                    waited,
                })
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

    /// A clone, else an instance from nothing; and whether there is no seed.
    async fn make(&self, target: &Target) -> (Result<F::Instance, CreateFailure>, bool) {
        let mut seedless = false;
        match self.node.fork(Arc::clone(&target.spec), false).await {
            Ok(Some(clone)) => return (Ok(clone), false),
            Ok(None) => seedless = true,
            Err(error) => metered::fell(&target.spec.function, &error),
        }
        (self.node.create(Arc::clone(&target.spec)).await, seedless)
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

    /// Ends the event, and keeps its instance or ends it.
    fn keep(
        &self,
        target: &Target,
        admitted: &mut Admitted<F>,
        instance: F::Instance,
        bytes: u64,
        is_hot: bool,
    ) {
        let measured = match is_hot {
            true => None,
            false => target.measures().then(|| self.node.own_bytes(&instance)),
        };
        let born = admitted.rung().unwrap_or(Rung::Cold);
        let Some(ticket) = admitted.take_ticket() else {
            return;
        };
        let id: FunctionId = ticket.function();
        let (kept, bytes, idle) = {
            let mut state = self.lock();
            let now = self.clock.now();
            let bytes = match is_hot {
                true => bytes,
                false => state.size(id, born, measured.flatten()),
            };
            let private_bytes = bytes;
            // Early destroy (AFaaS §4.1): clones are cheap, idle instances are not.
            let kept = if self.config.keep_alive.is_zero() {
                let end = match private_bytes {
                    0 => End::Gone,
                    private_bytes => End::Retired { private_bytes },
                };
                state.core.ended(now, ticket, end);
                Err(instance)
            } else {
                state.core.ended(now, ticket, End::Idle { private_bytes });
                state.slots.put_idle(id, instance, bytes)
            };
            self.note(&mut state, !is_hot);
            (kept, bytes, state.slots.idle())
        };
        if let Err(instance) = kept {
            // In the background: the caller's answer does not wait for the kernel to tidy up.
            self.end(instance, bytes);
        }
        let alive = self.alive.load(Ordering::Relaxed);
        self.metrics.set(idle, alive.saturating_sub(idle));
    }
}
