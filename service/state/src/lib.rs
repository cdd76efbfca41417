//! Durable state of one daemon: control-plane documents, the queue of asynchronous events, blobs.
//!
//! Callers see three seams: [`Registry`], [`Queue`] and [`Blobs`]. Behind them is one directory
//! ([`StateDir`]) with an SQLite database and files; a cluster puts PostgreSQL and an S3-compatible
//! store behind the same seams.
//!
//! 1. [`StateDir::open`] takes the lock of the directory, checks the database and brings its schema
//!    up to date.
//! 2. Every write goes through one writer task with one connection. It takes what is waiting, up to
//!    64 calls, into one transaction, so that concurrent callers share one `fsync`.
//! 3. A call that returned `Ok` is on disk (`synchronous=FULL`).
//! 4. Reads use a few read-only connections and never wait for the writer (WAL).
//!
//! Callers must still: call [`Queue::reclaim_all`] once at start, before the first claim; run inside a
//! tokio runtime; call [`StateDir::close`] for a tidy end (a crash instead loses nothing).
//!
//! Cost: a durable write is one `fsync`; reads some 50 µs through the connection's thread, so hot data
//! belongs in memory. An idle state directory causes no wake-ups: no timers, no polling.
//! Figures: `docs/design/state.md`; tables: `docs/format/state.md`.

mod blobs;
mod error;
mod lock;
mod queue;
mod registry;
mod sqlite;
mod state_dir;

pub use blobs::{BlobError, Blobs};
pub use error::StoreError;
pub use queue::{
    Claim, ClaimId, DeadId, DeadLetter, DeadPage, Event, MAX_PAYLOAD_BYTES, Queue, QueueDepth,
    QueueError, QueueFuture,
};
pub use registry::{
    Change, Document, MAX_DOCUMENT_BYTES, MAX_KEY_BYTES, Registry, RegistryError, RegistryFuture,
    Rev,
};
pub use sqlite::{SqliteQueue, SqliteRegistry};
pub use state_dir::{OpenError, StateDir};
