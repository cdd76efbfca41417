//! The porter itself.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use offshoot_decide::{Core, Decision};
use offshoot_node::{Event, Fri, InstanceSpec, NodeError, Outcome, Reply};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::decisions::{Clock, Decided, Decisions};
use crate::detach::Detach;
use crate::fair::Fair;
use crate::gate::Gate;
use crate::metered::InstanceMetrics;
use crate::policy::PorterConfig;
use crate::slots::Waiting;
use crate::starts::StartBook;
use crate::state::State;
use crate::{Target, ThrottleReason};

/// Why an event was not handled.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// Too many events in flight, too many instances, or too little memory.
    #[error("too many events in flight")]
    Throttled(ThrottleReason),
    /// The node failed.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The daemon is going down and takes no more events.
    #[error("the daemon is shutting down")]
    ShuttingDown,
}

/// Chooses an instance for each event; see the crate's documentation.
pub struct Porter<F: Fri> {
    pub(crate) node: Arc<F>,
    pub(crate) config: PorterConfig,
    pub(crate) clock: Clock,
    state: Mutex<State<F::Instance>>,
    /// Told when there is another template at hand, or one less.
    pub(crate) resident_changed: Arc<Notify>,
    pub(crate) decisions: Decisions,
    /// Instances alive, idle or not.
    pub(crate) alive: AtomicUsize,
    /// Memory of instances that were told to end and have not ended yet.
    freeing_bytes: Arc<AtomicU64>,
    /// Who is let in may start an instance.
    pub(crate) gate: Gate,
    /// For those that are started by an init.
    pub(crate) cold_starts: Fair,
    /// Templates that no event waits for are made one after the other: those of events come between them.
    pub(crate) ahead: Semaphore,
    /// Wakes the driver.
    pub(crate) wake: Notify,
    /// Wakes events that wait for memory.
    pub(crate) room: Notify,
    pub(crate) invocations: TaskTracker,
    /// Ends work for which nobody waits.
    pub(crate) closing: CancellationToken,
    pub(crate) metrics: InstanceMetrics,
    pub(crate) starts: StartBook,
}

impl<F: Fri> fmt::Debug for Porter<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Porter")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl<F: Fri> Porter<F> {
    /// A porter for `node`. The metrics recorder must be installed: metrics are looked up here.
    pub fn new(node: Arc<F>, config: PorterConfig) -> Arc<Self> {
        let state = State::new(Core::new(config.policy()));
        let porter = Self {
            node,
            clock: Clock::new(),
            resident_changed: state.resident.changed(),
            state: Mutex::new(state),
            decisions: Decisions::default(),
            alive: AtomicUsize::new(0),
            freeing_bytes: Arc::default(),
            gate: Gate::new(config.processors),
            ahead: Semaphore::new(1),
            cold_starts: Fair::new(config.cold_starts),
            wake: Notify::new(),
            room: Notify::new(),
            invocations: TaskTracker::new(),
            closing: CancellationToken::new(),
            metrics: InstanceMetrics::new(),
            starts: StartBook::default(),
            config,
        };
        porter.read_machine();
        Arc::new(porter)
    }

    /// Has an event handled. The work goes on when the caller drops the future: a function is not stopped
    /// because its caller has gone.
    ///
    /// # Errors
    /// [`InvokeError`]; the event was not handled then.
    pub async fn invoke(
        self: &Arc<Self>,
        target: Arc<Target>,
        event: Event,
        reply: Reply,
    ) -> Result<Outcome, InvokeError> {
        if self.invocations.is_closed() {
            return Err(InvokeError::ShuttingDown);
        }
        let admitted = self.admit(&target, event.queued).await?;
        let span = tracing::info_span!(
            "invocation",
            faas.name = &*target.spec.function,
            faas.invocation_id = &*event.request_id,
            faas.coldstart = tracing::field::Empty,
        );
        let porter = Arc::clone(self);
        let handled = async move { porter.handle(target, event, reply, admitted).await };
        Detach::new(self.invocations.track_future(handled.instrument(span))).await
    }

    /// Ends everything of a function's version that has changed or gone, or of all its versions, in the background;
    /// instances at work end when they are done. A seed that serves `now` as well, which is what the version has become, stays.
    pub fn retire_function(
        &self,
        function: &Arc<str>,
        version: Option<Arc<str>>,
        now: Option<Arc<InstanceSpec>>,
    ) {
        if version.is_none() {
            self.starts.forget(function);
        }
        let gone = {
            let mut state = self.lock();
            let gone = state.slots.remove(function, version.as_deref());
            for (id, _) in &gone {
                state.core.remove(*id);
                state.shares.forget(*id);
                state.resident.remove(*id);
            }
            self.note(&mut state, false);
            gone
        };
        for (_, slot) in gone {
            self.retire(slot.idle.into_iter().chain(slot.parked).collect());
            slot.waiting.into_iter().for_each(|done| done(false));
        }
        let (node, function) = (Arc::clone(&self.node), Arc::clone(function));
        self.invocations
            .spawn(async move { node.forget_seeds(function, version, now).await });
    }

    /// Takes no more events, waits until those in flight are handled or `limit` is over, and ends all idle
    /// instances. True if nothing was left in flight.
    pub async fn drain(&self, limit: Duration) -> bool {
        self.invocations.close();
        self.closing.cancel();
        let drained = tokio::time::timeout(limit, self.invocations.wait())
            .await
            .is_ok();
        let all = self.lock().slots.take_all();
        self.retire(all);
        let _ = tokio::time::timeout(limit, self.invocations.wait()).await;
        drained
    }

    /// Instances alive: idle, and at work, parked or being made.
    pub fn instances(&self) -> (usize, usize) {
        let idle = self.lock().slots.idle();
        (
            idle,
            self.alive.load(Ordering::Relaxed).saturating_sub(idle),
        )
    }

    /// The latest actions with numbers greater than `number`, oldest first.
    pub fn decisions(&self, number: u64) -> Vec<Decided> {
        self.decisions.after(number)
    }

    /// The state of a function's ladder and the figures that it is decided by; none if no event of it came in this
    /// daemon's life. A version follows its function's name after a colon.
    pub fn explain(&self, name: &str) -> Option<Decision> {
        let (function, label) = name.split_once(':').unwrap_or((name, "$LATEST"));
        let state = self.lock();
        let id = state.slots.labelled(function, label)?;
        state.core.explain(self.clock.now(), id)
    }

    /// Ends instances in the background: nobody waits for extensions to end or for the kernel to tidy up, but
    /// [`Porter::drain`].
    pub(crate) fn retire(&self, instances: Vec<Waiting<F::Instance>>) {
        for waiting in instances {
            self.end(waiting.instance, waiting.bytes);
        }
    }

    pub(crate) fn end(&self, instance: F::Instance, bytes: u64) {
        self.gone(1);
        let (node, freeing) = (Arc::clone(&self.node), Arc::clone(&self.freeing_bytes));
        freeing.fetch_add(bytes, Ordering::Relaxed);
        self.invocations.spawn(async move {
            node.retire(instance).await;
            freeing.fetch_sub(bytes, Ordering::Relaxed);
        });
    }

    /// Memory of instances that were told to end and have not ended yet, in bytes.
    pub(crate) fn freeing_bytes(&self) -> u64 {
        self.freeing_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn gone(&self, count: usize) {
        self.alive.fetch_sub(count, Ordering::Relaxed);
    }

    /// Counts a new instance, unless there are too many.
    pub(crate) fn count_one(&self) -> bool {
        let before = self.alive.fetch_add(1, Ordering::Relaxed);
        let has_room = before < self.config.max_instances;
        if !has_room {
            self.gone(1);
        }
        has_room
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State<F::Instance>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
