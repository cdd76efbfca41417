//! What the core is told, beside the course of invocations.

use std::sync::Arc;

use serde::Serialize;

use crate::policy::Slo;
use crate::rung::Backing;

/// A function version that the core decides about. Never used again after its function was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct FunctionId(pub(crate) u32);

/// What is known of a function version from its definition.
#[derive(Debug, Clone, Serialize)]
pub struct FunctionSpec {
    /// For people only.
    pub name: Arc<str>,
    /// Whose share of the concurrency its events take.
    pub account: Arc<str>,
    /// Whose level-1 seed it may start from, by a name that all functions have that may; none if it starts from none.
    pub runtime: Option<Arc<str>>,
    /// What its starts should take.
    pub slo: Slo,
    /// The function of which it is a version: all of them share its reserved concurrency.
    pub group: Arc<str>,
    /// Events in flight that are set apart for the group, and its limit; what was said last holds.
    pub reserved_concurrency: Option<u32>,
    /// What an instance may use at most. Until one was measured, it is taken for as great a part of it as others turned
    /// out to use, at first for all of it, so that functions that start for the first time do not exceed the node's
    /// memory. None: the policy's assumption.
    pub memory_bytes: Option<u64>,
    /// Its seed is made as soon as it is added, not after some invocations.
    pub seed_at_publish: bool,
}

/// Whose seed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SeedOf {
    /// Level 2: a function version's, with user code initialised.
    Function(FunctionId),
    /// Level 1: a runtime's.
    Runtime(Arc<str>),
}

/// Something that happened to a function outside an invocation. What an action asks for counts as done when
/// it is decided, but for templates and seeds, which take time and are reported when they are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// So many idle instances ended by themselves, the oldest ones.
    IdleGone(u32),
    /// So many parked clones ended by themselves, or could not be made.
    ParkedGone(u32),
    /// So many parked clones are there, or on their way, that the core does not count.
    ParkedMore(u32),
    /// A template is there, be it asked for or made by a start from the image.
    TemplateReady {
        /// Where its pages live.
        backing: Backing,
        /// Memory that is its own.
        bytes: u64,
    },
    /// The template ended, or could not be made.
    TemplateGone,
    /// The seed's image has gone by itself. It is made again after as many invocations as at first.
    SeedGone,
}

/// What the node's memory reads.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct NodeReading {
    /// What instances, templates and parked clones may use together, in bytes.
    pub limit_bytes: u64,
    /// What they use, in bytes.
    pub used_bytes: u64,
    /// How much of it is of instances, clones and templates that were told to end and have not ended yet.
    pub freeing_bytes: u64,
    /// PSI memory `some avg10`, in percent.
    pub psi_some: f64,
    /// PSI memory `full avg10`, in percent.
    pub psi_full: f64,
    /// Whether processors have time to spare: what nobody waits for may be done now.
    pub is_idle: bool,
}
