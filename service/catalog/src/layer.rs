//! Layers.

use std::collections::BTreeMap;
use std::sync::Arc;

use offshoot_state::Rev;
use serde::{Deserialize, Serialize};

use crate::settings::{Architecture, Runtime};
use crate::version::CodeRef;

/// A layer. Immutable: a change makes another one.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Name.
    pub name: Arc<str>,
    /// ARN without version.
    pub arn: Arc<str>,
    /// Versions by number. Empty when all were deleted; their numbers are not used again.
    pub versions: BTreeMap<u64, Arc<LayerVersion>>,
    /// The number of the next version.
    pub next_version: u64,
    /// The document that this was read from or written to.
    pub(crate) rev: Option<Rev>,
}

/// One version of a layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerVersion {
    /// Number, from 1.
    pub version: u64,
    /// Text for people.
    pub description: String,
    /// Licence text or id.
    pub license: Option<String>,
    /// Runtimes that it says it works with; empty is all.
    pub runtimes: Vec<Runtime>,
    /// Architectures that it says it works with; empty is all.
    pub architectures: Vec<Architecture>,
    /// Its content.
    pub code: CodeRef,
    /// Creation, in milliseconds since the Unix epoch.
    pub created_ms: i64,
}
