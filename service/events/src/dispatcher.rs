//! Accepting events, and running them until they are done or given up.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use metrics::counter;
use offshoot_state::{Claim, Event, Queue, QueueError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::record::{Condition, LastRun, record};
use crate::{Destination, Ran, Runner};

/// Claims per transaction.
const MAX_CLAIM: u32 = 64;
/// First and longest wait after a throttle or a failure of the node, as on Lambda.
const REFUSED_MIN: Duration = Duration::from_secs(1);
const REFUSED_MAX: Duration = Duration::from_secs(300);
/// After a failure of the store itself.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// How events are run.
#[derive(Debug, Clone)]
pub struct EventsConfig {
    /// Events running at the same time.
    pub parallel: usize,
    /// Wait before each retry; the last one counts for all further ones.
    pub backoff: Vec<Duration>,
}

impl Default for EventsConfig {
    /// One minute, then two, as on Lambda.
    fn default() -> Self {
        Self {
            parallel: 100,
            backoff: vec![Duration::from_secs(60), Duration::from_secs(120)],
        }
    }
}

/// An event that a caller wants run.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// The id that the caller is told.
    pub request_id: String,
    /// Function name.
    pub function: String,
    /// The qualifier that the caller gave.
    pub qualifier: Option<String>,
    /// The version that it means now.
    pub version: String,
    /// The ARN by which the caller named the function.
    pub invoked_arn: String,
    /// The event.
    pub payload: Bytes,
    /// Client context, JSON text.
    pub client_context: Option<String>,
    /// Trace header.
    pub trace_id: Option<String>,
    /// Runs in all.
    pub max_attempts: u32,
    /// Age at which it is given up.
    pub max_age_ms: i64,
}

/// Why an event was not accepted.
#[derive(Debug, thiserror::Error)]
#[error("event {request_id} could not be stored")]
pub struct AcceptError {
    request_id: String,
    #[source]
    source: QueueError,
}

/// The asynchronous half of the platform; see the crate's documentation.
pub struct Events<R> {
    queue: Arc<dyn Queue>,
    runner: R,
    config: EventsConfig,
    slots: Arc<Semaphore>,
    running: TaskTracker,
}

impl<R: Runner> Events<R> {
    /// Events from `queue`, run by `runner`.
    pub fn new(queue: Arc<dyn Queue>, runner: R, config: EventsConfig) -> Arc<Self> {
        let slots = Arc::new(Semaphore::new(config.parallel));
        Arc::new(Self {
            queue,
            runner,
            config,
            slots,
            running: TaskTracker::new(),
        })
    }

    /// Stores an event; it will run at least once if this returns `Ok`.
    pub async fn accept(&self, new: NewEvent) -> Result<(), AcceptError> {
        let request_id = new.request_id.clone();
        let now_ms = now_ms();
        let event = Event {
            request_id: new.request_id,
            function: new.function,
            qualifier: new.qualifier,
            version: new.version,
            invoked_arn: new.invoked_arn,
            payload: new.payload,
            client_context: new.client_context,
            trace_id: new.trace_id,
            accepted_at_ms: now_ms,
            max_attempts: new.max_attempts,
            max_age_ms: new.max_age_ms,
            visible_at_ms: now_ms,
        };
        let stored = self.queue.enqueue(vec![event]).await;
        stored.map_err(|source| AcceptError { request_id, source })
    }

    /// Runs events until `stop`, then waits for those that are running.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut arrivals = self.queue.arrivals();
        loop {
            arrivals.mark_unchanged();
            let first = tokio::select! {
                () = stop.cancelled() => break,
                slot = Arc::clone(&self.slots).acquire_owned() => slot,
            };
            let Ok(first) = first else { break };
            if self.claim_and_start(first).await {
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => break,
                changed = arrivals.changed() => if changed.is_err() { break },
                () = self.until_visible() => {}
            }
        }
        self.running.close();
        self.running.wait().await;
    }

    /// Starts what is visible, as far as there are slots; false if nothing was.
    async fn claim_and_start(self: &Arc<Self>, first: OwnedSemaphorePermit) -> bool {
        let mut slots = vec![first];
        while slots.len() < MAX_CLAIM as usize {
            match Arc::clone(&self.slots).try_acquire_owned() {
                Ok(slot) => slots.push(slot),
                Err(_) => break,
            }
        }
        let claims = match self.queue.claim(slots.len() as u32, now_ms()).await {
            Ok(claims) => claims,
            Err(error) => {
                tracing::error!(%error, "events cannot be claimed");
                tokio::time::sleep(STORE_PAUSE).await;
                return true;
            }
        };
        let any = !claims.is_empty();
        for (claim, slot) in claims.into_iter().zip(slots) {
            let events = Arc::clone(self);
            self.running.spawn(async move {
                let _slot = slot;
                let request_id = claim.event.request_id.clone();
                if let Err(error) = events.handle(claim).await {
                    tracing::error!(request_id, %error, "an event's end could not be stored; it will run again");
                }
            });
        }
        any
    }

    async fn until_visible(&self) {
        match self.queue.next_visible_at_ms().await {
            Ok(Some(at_ms)) => {
                let wait_ms = u64::try_from(at_ms - now_ms()).unwrap_or(0);
                tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            }
            Ok(None) => std::future::pending().await,
            Err(error) => {
                tracing::error!(%error, "the queue cannot be read");
                tokio::time::sleep(STORE_PAUSE).await;
            }
        }
    }

    /// Runs one claimed event once and stores what comes of it.
    async fn handle(&self, claim: Claim) -> Result<(), QueueError> {
        let event = &claim.event;
        if now_ms() - event.accepted_at_ms > event.max_age_ms {
            return self
                .give_up(&claim, Condition::EventAgeExceeded, None)
                .await;
        }
        match self.runner.run(event).await {
            Ran::Succeeded {
                response,
                executed_version,
            } => {
                let last = LastRun {
                    response,
                    executed_version,
                    failed: false,
                };
                self.succeed(&claim, last).await
            }
            Ran::Failed {
                error_type,
                response,
                executed_version,
            } => {
                let last = LastRun {
                    response,
                    executed_version,
                    failed: true,
                };
                self.failed(&claim, &error_type, last).await
            }
            Ran::Refused { why } => self.put_off(&claim, &why).await,
            Ran::Gone => {
                self.queue
                    .bury(claim.id, now_ms(), "the function was deleted", None)
                    .await
            }
        }
    }

    async fn succeed(&self, claim: &Claim, last: LastRun) -> Result<(), QueueError> {
        if let Some(destination) = self.runner.policy(&claim.event).on_success {
            let runs = claim.attempt + 1;
            self.send(
                &destination,
                record(&claim.event, Condition::Success, runs, Some(&last)),
            )
            .await?;
        }
        self.queue.ack(&[claim.id]).await?;
        counter!("offshoot_events_total", "end" => "succeeded").increment(1);
        Ok(())
    }

    async fn failed(
        &self,
        claim: &Claim,
        error_type: &str,
        last: LastRun,
    ) -> Result<(), QueueError> {
        let runs = claim.attempt + 1;
        if runs >= claim.event.max_attempts {
            return self
                .give_up(claim, Condition::RetriesExhausted, Some((error_type, last)))
                .await;
        }
        let backoff = self
            .config
            .backoff
            .get(claim.attempt as usize)
            .or(self.config.backoff.last());
        let visible_at_ms = now_ms() + backoff.map_or(0, |wait| wait.as_millis() as i64);
        counter!("offshoot_events_total", "end" => "retried").increment(1);
        self.queue.retry(claim.id, visible_at_ms, error_type).await
    }

    /// Exponential back-off, no attempt counted.
    async fn put_off(&self, claim: &Claim, why: &str) -> Result<(), QueueError> {
        let refusals = claim.deliveries.saturating_sub(claim.attempt + 1).min(16);
        let wait = (REFUSED_MIN * 2u32.pow(refusals)).min(REFUSED_MAX);
        tracing::warn!(
            request_id = claim.event.request_id,
            why,
            ?wait,
            "an event is put off"
        );
        self.queue
            .defer(claim.id, now_ms() + wait.as_millis() as i64)
            .await
    }

    /// Ends an event that will not run again; `last` is the run of this claim, with its error type.
    async fn give_up(
        &self,
        claim: &Claim,
        condition: Condition,
        last: Option<(&str, LastRun)>,
    ) -> Result<(), QueueError> {
        let runs = claim.attempt + u32::from(last.is_some());
        let (failure, last) = last.unzip();
        counter!("offshoot_events_total", "end" => condition.name()).increment(1);
        match self.runner.policy(&claim.event).on_failure {
            Some(destination) => {
                self.send(
                    &destination,
                    record(&claim.event, condition, runs, last.as_ref()),
                )
                .await?;
                self.queue.ack(&[claim.id]).await?;
                Ok(())
            }
            None => {
                self.queue
                    .bury(claim.id, now_ms(), condition.name(), failure)
                    .await
            }
        }
    }

    /// Queues a record for its destination. It comes before the event's own end, so that a crash between
    /// the two repeats the record instead of losing it.
    async fn send(&self, destination: &Destination, record: Bytes) -> Result<(), QueueError> {
        let now_ms = now_ms();
        let policy = crate::Policy::default();
        let event = Event {
            request_id: uuid::Uuid::new_v4().to_string(),
            function: destination.function.clone(),
            qualifier: destination.qualifier.clone(),
            version: destination
                .qualifier
                .clone()
                .unwrap_or_else(|| "$LATEST".to_owned()),
            invoked_arn: destination.arn.clone(),
            payload: record,
            client_context: None,
            trace_id: None,
            accepted_at_ms: now_ms,
            max_attempts: policy.max_attempts,
            max_age_ms: policy.max_age_ms,
            visible_at_ms: now_ms,
        };
        self.queue.enqueue(vec![event]).await
    }
}

fn now_ms() -> i64 {
    Utc::now().timestamp_millis()
}
