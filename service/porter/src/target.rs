//! What an invocation is aimed at.

use std::sync::{Arc, OnceLock};

use offshoot_node::InstanceSpec;

use crate::metered::FunctionMetrics;

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
        }
    }

    /// Looked up at the first invocation: a function that is never invoked has none.
    pub(crate) fn metrics(&self) -> &FunctionMetrics {
        self.metrics
            .get_or_init(|| FunctionMetrics::of(&self.spec.function))
    }
}
