//! What an invocation is aimed at.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use offshoot_node::{Event, InstanceSpec, Outcome};

use crate::metered::FunctionMetrics;
use crate::starts::{Chapter, StartBook};

/// So many first instances of a version are measured, ...
const FIRST_MEASURED: u32 = 4;
/// ... and later each of so many: sizes change little, and measuring costs a system call.
const MEASURED_EACH: u32 = 16;

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
    /// Instances that have handled their first event.
    births: AtomicU32,
    chapter: OnceLock<Arc<Chapter>>,
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
            births: AtomicU32::new(0),
            chapter: OnceLock::new(),
        }
    }

    /// Counts an instance that has handled its first event: whether it is one of those that are measured.
    pub(crate) fn measures(&self) -> bool {
        let births = self.births.fetch_add(1, Ordering::Relaxed);
        births < FIRST_MEASURED || births.is_multiple_of(MEASURED_EACH)
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
