//! What an invocation is aimed at.

use std::sync::Arc;

use offshoot_node::InstanceSpec;

/// One revision of one function version, resolved.
#[derive(Debug)]
pub struct Target {
    /// How an instance of it runs.
    pub spec: Arc<InstanceSpec>,
    /// Changes with each change of code or configuration: instances are never shared between revisions.
    pub revision: Arc<str>,
    /// Concurrency set apart for the function, and its limit at once; shared by all its versions.
    pub reserved_concurrency: Option<u32>,
}
