//! The porter itself.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use offshoot_node::{Activated, CreateFailure, Event, Fri, NodeError, Outcome, Reply};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::admission::{Admission, Place};
use crate::detach::Detach;
use crate::metered::{self, InstanceMetrics};
use crate::pool::Pool;
use crate::seeding::SeedPolicy;
use crate::starts::StartBook;
use crate::{Target, ThrottleReason};

/// How a porter decides.
#[derive(Debug, Clone)]
pub struct PorterConfig {
    /// Events in flight of all functions together.
    pub account_concurrency: u32,
    /// Instances alive at once, idle ones included.
    pub max_instances: usize,
    /// How long an idle instance is kept.
    pub keep_alive: Duration,
    /// Cold starts at the same time; more would only slow each other down.
    pub cold_starts: usize,
    /// When function versions get seeds.
    pub seeds: SeedPolicy,
}

impl Default for PorterConfig {
    fn default() -> Self {
        let cpus = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            account_concurrency: 1000,
            max_instances: 1000,
            keep_alive: Duration::from_secs(600),
            cold_starts: 4 * cpus,
            seeds: SeedPolicy::default(),
        }
    }
}

/// Why an event was not handled.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// Too many events in flight, or too many instances.
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
#[derive(Debug)]
pub struct Porter<F: Fri> {
    pub(crate) node: Arc<F>,
    pub(crate) config: PorterConfig,
    admission: Arc<Admission>,
    pool: Mutex<Pool<F::Instance>>,
    /// Clones that wait for their first event.
    pub(crate) parked: Mutex<Pool<F::Instance>>,
    /// Instances alive, idle or not.
    alive: AtomicUsize,
    cold_starts: Semaphore,
    became_idle: Notify,
    pub(crate) invocations: TaskTracker,
    /// Ends work for which nobody waits.
    pub(crate) closing: CancellationToken,
    metrics: InstanceMetrics,
    pub(crate) starts: StartBook,
}

impl<F: Fri> Porter<F> {
    /// A porter for `node`. The metrics recorder must be installed: metrics are looked up here.
    pub fn new(node: Arc<F>, config: PorterConfig) -> Arc<Self> {
        Arc::new(Self {
            node,
            admission: Admission::new(config.account_concurrency),
            pool: Mutex::default(),
            parked: Mutex::default(),
            alive: AtomicUsize::new(0),
            cold_starts: Semaphore::new(config.cold_starts),
            became_idle: Notify::new(),
            invocations: TaskTracker::new(),
            closing: CancellationToken::new(),
            metrics: InstanceMetrics::new(),
            starts: StartBook::default(),
            config,
        })
    }

    /// Has an event handled. The work goes on when the caller drops the future: a function is not stopped
    /// because its caller has gone.
    pub async fn invoke(
        self: &Arc<Self>,
        target: Arc<Target>,
        event: Event,
        reply: Reply,
    ) -> Result<Outcome, InvokeError> {
        if self.invocations.is_closed() {
            return Err(InvokeError::ShuttingDown);
        }
        let place = self.admit(&target)?;
        let span = tracing::info_span!(
            "invocation",
            faas.name = &*target.spec.function,
            faas.invocation_id = &*event.request_id,
            faas.coldstart = tracing::field::Empty,
        );
        let porter = Arc::clone(self);
        let handled = async move { porter.handle(target, event, reply, place).await };
        Detach::new(self.invocations.track_future(handled.instrument(span))).await
    }

    /// Ends the idle instances of a function that has changed or gone, in the background; those at work end when
    /// they are done.
    /// Of seeds only those of `version`, or all of them without one.
    pub fn retire_function(&self, function: &Arc<str>, version: Option<Arc<str>>) {
        self.admission.forget(function);
        if version.is_none() {
            self.starts.forget(function);
        }
        let idle = self.lock().take_function(function);
        self.retire(idle);
        let parked = self.lock_parked().take_function(function);
        self.retire(parked);
        let (node, function) = (Arc::clone(&self.node), Arc::clone(function));
        self.invocations
            .spawn(async move { node.forget_seeds(function, version).await });
    }

    /// Ends instances that have been idle for too long, for ever. Sleeps exactly until the next one is due.
    pub async fn keep_alive(&self) {
        loop {
            let (keep_alive, parked_for) = (self.config.keep_alive, self.config.seeds.parked_for);
            let idle = self.lock().oldest_since();
            let parked = self.lock_parked().oldest_since();
            let idle = idle.map(|since| since + keep_alive);
            let due = idle
                .into_iter()
                .chain(parked.map(|since| since + parked_for))
                .min();
            match due {
                None => self.became_idle.notified().await,
                // Of the two kinds, the one that comes later may be due first.
                Some(due) => tokio::select! {
                    () = tokio::time::sleep_until(due.into()) => {}
                    () = self.became_idle.notified() => continue,
                },
            }
            let now = Instant::now();
            let expired = self.lock().take_expired(now, keep_alive);
            self.retire(expired);
            let expired = self.lock_parked().take_expired(now, parked_for);
            self.retire(expired);
        }
    }

    /// Takes no more events, waits until those in flight are handled or `limit` is over, and ends all idle
    /// instances. True if nothing was left in flight.
    pub async fn drain(&self, limit: Duration) -> bool {
        self.invocations.close();
        self.closing.cancel();
        let drained = tokio::time::timeout(limit, self.invocations.wait())
            .await
            .is_ok();
        let idle = self.lock().take_all();
        self.retire(idle);
        let parked = self.lock_parked().take_all();
        self.retire(parked);
        let _ = tokio::time::timeout(limit, self.invocations.wait()).await;
        drained
    }

    /// Instances alive: idle, and at work or being made.
    pub fn instances(&self) -> (usize, usize) {
        let idle = self.lock().len();
        (
            idle,
            self.alive.load(Ordering::Relaxed).saturating_sub(idle),
        )
    }

    fn admit(&self, target: &Target) -> Result<Place, InvokeError> {
        let function = &target.spec.function;
        self.admission
            .admit(function, target.reserved_concurrency)
            .map_err(|reason| {
                metered::throttled(function, reason);
                InvokeError::Throttled(reason)
            })
    }

    async fn handle(
        self: &Arc<Self>,
        target: Arc<Target>,
        mut event: Event,
        reply: Reply,
        place: Place,
    ) -> Result<Outcome, InvokeError> {
        let arrived = event.queued;
        loop {
            let begun = Instant::now();
            let found = self.climb(&target).await;
            event.queued = arrived + begun.elapsed();
            let Found {
                instance,
                generation,
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
            // The place is free before the caller can hear the answer and come again.
            drop(place);
            match instance {
                Some(instance) => self.keep(&target, generation, instance),
                None => self.gone(1),
            }
            tracing::Span::current().record("faas.coldstart", outcome.rung.is_first());
            target.metrics().handled(&outcome);
            target.started(&self.starts, &event, &outcome);
            self.after(&target, outcome.rung);
            return Ok(outcome);
        }
    }

    /// The ladder: a hot instance, a parked clone, a clone, else a cold one.
    async fn climb(&self, target: &Target) -> Result<Found<F::Instance>, InvokeFailure> {
        let begun = Instant::now();
        let found = |(instance, generation)| Found {
            instance,
            generation,
            waited: begun.elapsed(),
        };
        if let Some(ready) = self.take_ready(target) {
            return Ok(found(ready));
        }
        let _permit = self
            .cold_starts
            .acquire()
            .await
            .map_err(|_| InvokeError::ShuttingDown)?;
        // One may have become idle meanwhile.
        if let Some(ready) = self.take_ready(target) {
            return Ok(found(ready));
        }
        self.make_room()?;
        let generation = self.lock().generation(&target.spec.function);
        let waited = begun.elapsed();
        match self.make(target).await {
            Ok(instance) => Ok(Found {
                instance,
                generation,
                waited,
            }),
            Err(failure) => {
                self.gone(1);
                Err(match failure {
                    CreateFailure::Function(failure) => InvokeFailure::Init(failure),
                    CreateFailure::Node(error) => InvokeFailure::Error(InvokeError::Node(error)),
                })
            }
        }
    }

    /// A clone, else an instance from nothing.
    async fn make(&self, target: &Target) -> Result<F::Instance, CreateFailure> {
        match self.node.fork(Arc::clone(&target.spec), false).await {
            Ok(Some(clone)) => return Ok(clone),
            Ok(None) => {}
            Err(error) => metered::fell(&target.spec.function, &error),
        }
        self.node.create(Arc::clone(&target.spec)).await
    }

    /// An idle instance, else a parked one.
    fn take_ready(&self, target: &Target) -> Option<(F::Instance, u64)> {
        let hot = self.take_living(&self.pool, target);
        hot.or_else(|| self.take_living(&self.parked, target))
    }

    /// An instance of a pool that is still alive; dead ones that come up are retired.
    fn take_living(
        &self,
        pool: &Mutex<Pool<F::Instance>>,
        target: &Target,
    ) -> Option<(F::Instance, u64)> {
        loop {
            let (instance, generation) = {
                let mut pool = lock(pool);
                let instance = pool.take(&target.spec.function, &target.revision)?;
                (instance, pool.generation(&target.spec.function))
            };
            if self.node.is_alive(&instance) {
                return Some((instance, generation));
            }
            self.retire(vec![instance]);
        }
    }

    /// Counts a new instance, ending the longest idle one if there are too many.
    fn make_room(&self) -> Result<(), InvokeError> {
        let before = self.alive.fetch_add(1, Ordering::Relaxed);
        if before < self.config.max_instances {
            return Ok(());
        }
        let oldest = self.lock().take_oldest();
        let oldest = oldest.or_else(|| self.lock_parked().take_oldest());
        match oldest {
            Some(instance) => {
                self.retire(vec![instance]);
                Ok(())
            }
            None => {
                self.gone(1);
                Err(InvokeError::Throttled(
                    ThrottleReason::ConcurrentInvocationLimitExceeded,
                ))
            }
        }
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

    fn keep(&self, target: &Target, generation: u64, instance: F::Instance) {
        // Early destroy (AFaaS §4.1): clones are cheap, idle instances are not.
        if self.config.keep_alive.is_zero() {
            return self.retire(vec![instance]);
        }
        let (kept, idle) = {
            let mut pool = self.lock();
            let kept = pool.put(
                &target.spec.function,
                &target.revision,
                generation,
                instance,
            );
            (kept, pool.len())
        };
        match kept {
            Ok(()) if idle == 1 => self.became_idle.notify_one(),
            Ok(()) => {}
            Err(stale) => {
                // In the background: the caller's answer does not wait for the kernel to tidy up.
                self.retire(vec![stale]);
            }
        }
        self.metrics.set(
            idle,
            self.alive.load(Ordering::Relaxed).saturating_sub(idle),
        );
    }

    /// Ends instances in the background: nobody waits for extensions to end or for the kernel to tidy up, but
    /// [`Porter::drain`].
    pub(crate) fn retire(&self, instances: Vec<F::Instance>) {
        self.gone(instances.len());
        for instance in instances {
            let node = Arc::clone(&self.node);
            self.invocations
                .spawn(async move { node.retire(instance).await });
        }
    }

    pub(crate) fn gone(&self, count: usize) {
        self.alive.fetch_sub(count, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Pool<F::Instance>> {
        lock(&self.pool)
    }

    pub(crate) fn lock_parked(&self) -> MutexGuard<'_, Pool<F::Instance>> {
        lock(&self.parked)
    }

    pub(crate) fn wake_keep_alive(&self) {
        self.became_idle.notify_one();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the ladder gave.
struct Found<I> {
    instance: I,
    /// Of its function, when the instance was made or taken.
    generation: u64,
    /// From the beginning of the climb until the rung was chosen.
    waited: Duration,
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
