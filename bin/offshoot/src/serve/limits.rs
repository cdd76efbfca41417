//! The daemon's own resource limits.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors wanted: each instance holds about eight, each connection one.
const DESCRIPTORS: u64 = 1 << 20;

/// Raises the limit of open descriptors as far as it goes. Sandboxes get their own, lower limit.
pub(super) fn raise_descriptor_limit() {
    let now = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: Some(DESCRIPTORS),
        maximum: now.maximum.map(|max| max.max(DESCRIPTORS)),
    };
    if setrlimit(Resource::Nofile, wanted).is_ok() {
        return;
    }
    let possible = Rlimit {
        current: now.maximum,
        maximum: now.maximum,
    };
    if setrlimit(Resource::Nofile, possible).is_err() {
        tracing::warn!(limit = ?now.current, "the limit of open files cannot be raised");
    }
}
