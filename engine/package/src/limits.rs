//! How much a package may be and how long its unpacking may take.

use serde::{Deserialize, Serialize};

/// Bounds of one package. The defaults are AWS Lambda's quotas where it has one ("Lambda quotas",
/// AWS Lambda Developer Guide), and generous figures of our own where it has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Largest zip, in bytes.
    pub zipped_bytes: u64,
    /// Largest sum of real, inflated file contents, in bytes.
    pub unzipped_bytes: u64,
    /// Most files, symbolic links and directories together, counting directories that no entry
    /// names. It bounds the inodes that a package costs.
    pub entries: u32,
    /// Most components of one path.
    pub depth: u32,
    /// Longest path of an entry, in bytes. A component is bounded by the file system (255 bytes).
    pub name_bytes: u32,
    /// How long the worker may take, in milliseconds of wall time, before it is killed.
    pub timeout_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            zipped_bytes: 52_428_800,
            unzipped_bytes: 262_144_000,
            entries: 100_000,
            depth: 64,
            name_bytes: 1_024,
            timeout_ms: 60_000,
        }
    }
}
