//! The durable queue of asynchronous events.
//!
//! States of an event, moved only by the store's writer:
//! ```text
//!   enqueue ──> waiting ──claim──> claimed ──ack──> (gone)
//!                 ^  ^               │  │
//!                 │  └─retry/release─┘  bury
//!                 │                     v
//!                 └──────redrive────── dead ──purge──> (gone)
//! ```
//! Times are milliseconds since the Unix epoch, given by the caller, so that one clock decides.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::watch;

use crate::error::StoreError;

/// Largest payload of one event, in bytes.
pub const MAX_PAYLOAD_BYTES: usize = 16 << 20;

/// What the methods of [`Queue`] return.
pub type QueueFuture<'a, T> = BoxFuture<'a, Result<T, QueueError>>;

/// An accepted asynchronous invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The id answered to the client; unique in the queue, dead letters included, and kept by retries.
    pub request_id: String,
    /// Function name.
    pub function: String,
    /// The qualifier that the client gave, if any.
    pub qualifier: Option<String>,
    /// The version that was resolved when the event was accepted.
    pub version: String,
    /// The ARN that was invoked.
    pub invoked_arn: String,
    /// What the function gets, at most [`MAX_PAYLOAD_BYTES`].
    pub payload: Bytes,
    /// Client context JSON.
    pub client_context: Option<String>,
    /// Trace header of the request.
    pub trace_id: Option<String>,
    /// When it was accepted; a redrive sets it anew.
    pub accepted_at_ms: i64,
    /// Attempts in total before it is given up.
    pub max_attempts: u32,
    /// Age at which it is given up.
    pub max_age_ms: i64,
    /// Not to be claimed before.
    pub visible_at_ms: i64,
}

/// Names one claim of one event. A claim that was given up (retried, released, reclaimed) is stale: it
/// can change nothing any more, even after the event is claimed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClaimId {
    pub(crate) event: i64,
    pub(crate) delivery: i64,
}

/// An event in the hands of the dispatcher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// For ack, retry, defer, release, bury.
    pub id: ClaimId,
    /// The event.
    pub event: Event,
    /// Attempts that were counted before this one.
    pub attempt: u32,
    /// How often it was claimed, this time included; more than `attempt + 1` after infrastructure
    /// failures.
    pub deliveries: u32,
    /// Why the last counted attempt failed.
    pub last_error: Option<String>,
}

/// Names a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeadId(pub i64);

/// A buried event, without its payload (see [`Queue::dead_payload`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// For redrive; also the page position.
    pub id: DeadId,
    /// The id answered to the client.
    pub request_id: String,
    /// Function name.
    pub function: String,
    /// The version that was resolved when the event was accepted.
    pub version: String,
    /// The ARN that was invoked.
    pub invoked_arn: String,
    /// Bytes of payload.
    pub payload_bytes: u64,
    /// When it was accepted.
    pub accepted_at_ms: i64,
    /// When it was buried.
    pub buried_at_ms: i64,
    /// Counted attempts.
    pub attempt: u32,
    /// Why it was buried.
    pub why: String,
    /// Why the last counted attempt failed.
    pub last_error: Option<String>,
}

/// One page of dead letters, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadPage {
    /// The letters.
    pub letters: Vec<DeadLetter>,
    /// Give this to the next call; `None` at the end.
    pub next: Option<DeadId>,
}

/// How many events are in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueDepth {
    /// Waiting, whether visible already or later.
    pub waiting: u64,
    /// In the hands of the dispatcher.
    pub claimed: u64,
    /// Dead letters.
    pub dead: u64,
}

/// A durable queue. Each change is on disk when its call returns.
pub trait Queue: Send + Sync {
    /// Appends events, all or none.
    ///
    /// # Errors
    /// [`QueueError::Duplicate`], [`QueueError::TooLarge`]; [`QueueError::Store`] when the disk failed:
    /// the event then is not promised to anybody.
    fn enqueue(&self, events: Vec<Event>) -> QueueFuture<'_, ()>;

    /// Claims up to `limit` events visible at `now_ms`, oldest visible first. An event whose stored
    /// payload is missing or damaged is buried instead of returned.
    fn claim(&self, limit: u32, now_ms: i64) -> QueueFuture<'_, Vec<Claim>>;

    /// Removes done events; the number removed. Stale claims are passed over.
    fn ack<'a>(&'a self, claims: &'a [ClaimId]) -> QueueFuture<'a, u64>;

    /// Counts an attempt that failed with `error` and makes the event visible at `visible_at_ms`.
    ///
    /// # Errors
    /// [`QueueError::StaleClaim`].
    fn retry<'a>(
        &'a self,
        claim: ClaimId,
        visible_at_ms: i64,
        error: &'a str,
    ) -> QueueFuture<'a, ()>;

    /// Puts an event off to `visible_at_ms` without counting an attempt (throttled, no instance).
    ///
    /// # Errors
    /// [`QueueError::StaleClaim`].
    fn defer(&self, claim: ClaimId, visible_at_ms: i64) -> QueueFuture<'_, ()>;

    /// Gives events back without counting an attempt (shutdown, failure of the infrastructure); the
    /// number given back. They are visible as before.
    fn release<'a>(&'a self, claims: &'a [ClaimId]) -> QueueFuture<'a, u64>;

    /// Moves an event to the dead letters. `failure` is the error of this claim's own run, which is
    /// counted, too; `None` if it did not run.
    ///
    /// # Errors
    /// [`QueueError::StaleClaim`].
    fn bury<'a>(
        &'a self,
        claim: ClaimId,
        now_ms: i64,
        why: &'a str,
        failure: Option<&'a str>,
    ) -> QueueFuture<'a, ()>;

    /// Dead letters of `function` (of all, for `None`) after `page`, at most `limit`.
    fn dead_letters<'a>(
        &'a self,
        function: Option<&'a str>,
        limit: u32,
        page: Option<DeadId>,
    ) -> QueueFuture<'a, DeadPage>;

    /// The payload of a dead letter; `None` when there is no such letter.
    fn dead_payload(&self, id: DeadId) -> QueueFuture<'_, Option<Bytes>>;

    /// Puts dead letters back into the queue: same request id, attempts and age counted from `now_ms`
    /// anew. The number put back.
    fn redrive<'a>(&'a self, ids: &'a [DeadId], now_ms: i64) -> QueueFuture<'a, u64>;

    /// Forgets dead letters of `function` (of all, for `None`) buried before `before_ms`; the number.
    fn purge_dead<'a>(&'a self, function: Option<&'a str>, before_ms: i64) -> QueueFuture<'a, u64>;

    /// Makes every claimed event visible again, no attempt counted; the number. For the start of a
    /// daemon, when every claim is that of a dead one.
    fn reclaim_all(&self) -> QueueFuture<'_, u64>;

    /// When the next waiting event becomes (or became) visible; `None` when none waits.
    fn next_visible_at_ms(&self) -> QueueFuture<'_, Option<i64>>;

    /// How many events are in each state. Costs time in proportion to the answer.
    fn depth(&self) -> QueueFuture<'_, QueueDepth>;

    /// Changes after each commit that made an event wait, so that a dispatcher sleeps until either this
    /// or [`Queue::next_visible_at_ms`].
    fn arrivals(&self) -> watch::Receiver<u64>;
}

/// Why a queue call failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QueueError {
    /// The request id is in the queue or the dead letters already.
    #[error("event {request_id} is queued already")]
    Duplicate {
        /// Which.
        request_id: String,
    },
    /// A field is longer than the queue takes.
    #[error("{field} of {len_bytes} bytes exceeds {max_bytes}")]
    TooLarge {
        /// Which field.
        field: &'static str,
        /// Its length.
        len_bytes: usize,
        /// The most it may have.
        max_bytes: usize,
    },
    /// The claim was given up; whoever holds the event now decides.
    #[error("claim {delivery} of event {event} is stale")]
    StaleClaim {
        /// Number of the event.
        event: i64,
        /// Number of the claim.
        delivery: i64,
    },
    /// A stored payload is not what was enqueued.
    #[error("stored payload of event {event} is damaged")]
    DamagedPayload {
        /// Number of the event.
        event: i64,
    },
    /// The store failed.
    #[error("queue is unavailable")]
    Store(#[from] StoreError),
}
