//! What all sandboxes of a launcher use of the memory, and what they may.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};

use super::tree::{Branch, Tree};
use super::{Version, group};

/// A limit above this is none: v1 writes the greatest number of pages.
const NO_LIMIT: u64 = 1 << 62;
/// The statistics of a group are a few kilobytes.
const MOST_STATISTICS_BYTES: usize = 16 << 10;

/// Memory of all sandboxes together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemoryUse {
    /// What they use, clones with what they were born with, but for files that were read and are not in use, which the kernel
    /// takes back when it wants to.
    pub used_bytes: u64,
    /// The least limit of the groups above them, if any has one.
    pub limit_bytes: Option<u64>,
}

impl Tree {
    /// Memory of all sandboxes together: four system calls, and two for each group above. `None` if the kernel does not
    /// tell.
    pub(crate) fn memory(&self) -> Option<MemoryUse> {
        let branch = self.branches.iter().find(|branch| branch.has_memory)?;
        let (usage, inactive, limit) = names(branch.version);
        let used = number(&open(&branch.path.join(usage))?)?;
        let statistics = open(&branch.path.join("memory.stat"))?;
        let reclaimable = statistic(&read_all(&statistics)?, inactive).unwrap_or(0);
        Some(MemoryUse {
            used_bytes: used.saturating_sub(reclaimable),
            limit_bytes: least_limit(branch, limit),
        })
    }
}

/// The files of usage and limit, and the name of the statistic of files not in use.
fn names(version: Version) -> (&'static str, &'static str, &'static str) {
    match version {
        Version::V1 => (
            "memory.usage_in_bytes",
            "total_inactive_file",
            "memory.limit_in_bytes",
        ),
        Version::V2 => ("memory.current", "inactive_file", "memory.max"),
    }
}

fn least_limit(branch: &Branch, name: &str) -> Option<u64> {
    let limits = branch
        .path
        .ancestors()
        .map_while(|path| open(&path.join(name)).as_ref().map(number));
    limits.flatten().filter(|limit| *limit < NO_LIMIT).min()
}

fn open(path: &Path) -> Option<OwnedFd> {
    rustix::fs::openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()
}

fn number(file: &OwnedFd) -> Option<u64> {
    group::read(file)?.trim().parse().ok()
}

fn read_all(file: &OwnedFd) -> Option<String> {
    let mut text = vec![0; MOST_STATISTICS_BYTES];
    let len = rustix::io::pread(file, &mut text, 0).ok()?;
    text.truncate(len);
    String::from_utf8(text).ok()
}

fn statistic(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.strip_prefix(' ')?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistic_is_found_by_its_whole_name() {
        let text = "cache 7\ninactive_file 5\ntotal_inactive_file 12\n";
        assert_eq!(statistic(text, "total_inactive_file"), Some(12));
        assert_eq!(statistic(text, "inactive_file"), Some(5));
        assert_eq!(statistic(text, "inactive"), None);
        assert_eq!(statistic(text, "absent"), None);
    }
}
