//! Asynchronous invocations: accepted once, run at least once.
//!
//! 1. [`Events::accept`] returns when the event is on disk; only then is 202 answered.
//! 2. [`Events::run`] claims visible events and has the [`Runner`] handle them, many at a time.
//! 3. A function error is retried with back-off, [`Policy::max_attempts`] times in all, under the same request id;
//!    a throttle or a failure of the node is put off without counting, until the event is too old
//!    (AWS Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous invocation").
//! 4. An event that is given up goes to its on-failure destination, or else to the dead letters.
//!
//! What callers must ensure: [`Events::run`] is started once, after `Queue::reclaim_all`. Idle cost: none; the
//! loop sleeps until an event arrives or becomes visible.

mod dispatcher;
mod policy;
mod record;
mod runner;

pub use dispatcher::{AcceptError, Events, EventsConfig, NewEvent};
pub use policy::{Destination, Policy};
pub use runner::{Ran, Runner};
