//! The daemon's own resource limits.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors wanted: each instance holds half a dozen, each connection one.
const DESCRIPTORS: u64 = 1 << 20;
/// Of an instance with its caller's connection, measured: 2,400 clones in 16,959, and some of a daemon's own.
const OF_INSTANCE: u64 = 8;

/// Raises the limit of open descriptors as far as it goes, and tells if that is not enough for so many instances. Sandboxes get
/// their own, lower limit.
pub(super) fn raise_descriptor_limit(instances: u32) {
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
    // If that fails, the limit is what it was.
    let _ = setrlimit(Resource::Nofile, possible);
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(DESCRIPTORS);
    let enough_for = limit / OF_INSTANCE;
    if enough_for < u64::from(instances) {
        tracing::warn!(
            limit,
            enough_for,
            instances,
            "open files are limited to fewer than `limits.max_instances` need: raise the hard limit (`ulimit -Hn`, `LimitNOFILE=` of \
             systemd), or lower that"
        );
    }
}
