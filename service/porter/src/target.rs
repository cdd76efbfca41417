//! What an invocation is aimed at.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use offshoot_node::{Event, InstanceSpec, Outcome};

use crate::metered::FunctionMetrics;
use crate::starts::{Chapter, StartBook};

/// One revision of one function version, resolved.
#[derive(Debug)]
pub struct Target {
    /// How an instance of it runs.
    pub spec: Arc<InstanceSpec>,
    /// Changes with each change of code or configuration: instances are never shared between revisions.
    pub revision: Arc<str>,
    /// Concurrency set apart for the function, and its limit at once; shared by all its versions.
    pub reserved_concurrency: Option<u32>,
    metrics: OnceLock<FunctionMetrics>,
    chapter: OnceLock<Arc<Chapter>>,
    /// Events handled.
    handled: AtomicU32,
}

impl Target {
    /// A target; the fields' descriptions hold for the parameters.
    pub fn new(
        spec: Arc<InstanceSpec>,
        revision: Arc<str>,
        reserved_concurrency: Option<u32>,
    ) -> Self {
        Self {
            spec,
            revision,
            reserved_concurrency,
            metrics: OnceLock::new(),
            chapter: OnceLock::new(),
            handled: AtomicU32::new(0),
        }
    }

    /// Counts an event that was handled: how many there have been.
    pub(crate) fn count(&self) -> u32 {
        self.handled.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Looked up at the first invocation: a function that is never invoked has none.
    pub(crate) fn metrics(&self) -> &FunctionMetrics {
        self.metrics
            .get_or_init(|| FunctionMetrics::of(&self.spec.function))
    }

    /// Notes that an event was handled; its function's chapter of the book is looked up at the first one.
    pub(crate) fn started(&self, book: &StartBook, event: &Event, outcome: &Outcome) {
        self.chapter
            .get_or_init(|| book.chapter(&self.spec.function))
            .write(&self.spec, event, outcome);
    }
}
