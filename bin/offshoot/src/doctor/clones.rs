//! What the clone engine uses of the kernel. Functions run without it.

use std::path::Path;

use super::{Row, Verdict};

/// A kernel's version.
type Version = (u32, u32);

/// `PROCMAP_QUERY`.
const QUERIES_MAPPINGS: Version = (6, 11);
/// `UFFD_FEATURE_WP_ASYNC`.
const WATCHES_WRITES: Version = (6, 7);

/// Whether templates can have their pages in the pool.
pub fn can_map() -> bool {
    version_of(&release()).is_some_and(|version| version >= QUERIES_MAPPINGS)
}

fn release() -> String {
    let name = rustix::system::uname();
    name.release().to_string_lossy().into_owned()
}

/// What clones need of the kernel.
pub fn rows() -> Vec<Row> {
    let release = release();
    let version = version_of(&release);
    let since = |least: Version| version.is_some_and(|version| version >= least);
    let ring = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled");
    let ring = ring.map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned());
    vec![
        row(
            "time namespaces",
            Path::new("/proc/self/ns/time").exists(),
            release.clone(),
            "clocks of clones that go on where the seed's stopped",
            "no clones: use Linux 5.6 or newer with CONFIG_TIME_NS",
        ),
        row(
            "io_uring",
            ring != "2",
            format!("io_uring_disabled={ring}"),
            "fork copies at once what every clone writes",
            "clones take a fault for each page that they write: set kernel.io_uring_disabled to 0 or 1",
        ),
        row(
            "PROCMAP_QUERY",
            since(QUERIES_MAPPINGS),
            release.clone(),
            "templates and clones whose memory is mapped from the pool",
            "templates keep memory of their own when it is short: use Linux 6.11 or newer",
        ),
        row(
            "write-protect userfaultfd",
            since(WATCHES_WRITES),
            release,
            "learning which pages clones need (clone --learn)",
            "clones find no page ready: use Linux 6.7 or newer",
        ),
    ]
}

fn row(what: &str, present: bool, found: String, needed_for: &str, without_it: &str) -> Row {
    Row {
        what: what.to_owned(),
        verdict: if present { Verdict::Ok } else { Verdict::Warn },
        found,
        needed_for: needed_for.to_owned(),
        without_it: without_it.to_owned(),
    }
}

/// Of `6.18.44-fc-v657`, 6 and 18.
fn version_of(release: &str) -> Option<Version> {
    let mut numbers = release.split(|byte: char| !byte.is_ascii_digit());
    let mut next = || numbers.next()?.parse().ok();
    Some((next()?, next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_have_two_numbers_that_count() {
        assert_eq!(version_of("6.18.44-fc-v657"), Some((6, 18)));
        assert_eq!(version_of("6.7-rc1"), Some((6, 7)));
        assert_eq!(version_of("linux"), None);
        assert!(version_of("6.9.1") < Some(QUERIES_MAPPINGS));
    }
}
