//! Who runs events.

use std::future::Future;

use bytes::Bytes;
use offshoot_state::Event;

use crate::Policy;

/// What came of running an event once.
#[derive(Debug, Clone)]
pub enum Ran {
    /// The function answered.
    Succeeded {
        /// Its answer.
        response: Bytes,
        /// The version that ran.
        executed_version: String,
    },
    /// The function failed: counts as an attempt.
    Failed {
        /// Lambda's `errorType`.
        error_type: String,
        /// The error object.
        response: Bytes,
        /// The version that ran.
        executed_version: String,
    },
    /// Throttled, or the node failed: does not count.
    Refused {
        /// Why.
        why: String,
    },
    /// There is no such function any more.
    Gone,
}

/// Runs events; the daemon's is the way through catalog and porter.
pub trait Runner: Send + Sync + 'static {
    /// Runs the event once.
    fn run(&self, event: &Event) -> impl Future<Output = Ran> + Send;

    /// How the event's function wants its events treated, as of now.
    fn policy(&self, event: &Event) -> Policy;
}
