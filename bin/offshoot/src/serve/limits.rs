//! The daemon's own resource limits.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors wanted: each instance holds about a dozen, each connection one.
const DESCRIPTORS: u64 = 1 << 20;
/// Of an instance with its caller's connection, measured: 1,524 clones in 20,000.
const OF_INSTANCE: u64 = 13;

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
    let reached = match setrlimit(Resource::Nofile, possible) {
        Ok(()) => now.maximum,
        Err(_) => now.current,
    };
    let limit = reached.unwrap_or(DESCRIPTORS);
    tracing::warn!(
        limit,
        instances = limit / OF_INSTANCE,
        "the limit of open files cannot be raised further, which bounds the instances: raise the hard limit (`ulimit -Hn`, \
         `LimitNOFILE=` of systemd)"
    );
}
