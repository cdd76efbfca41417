//! What all sandboxes of a launcher use of the memory, and what they may.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};

use super::Version;
use super::group::number;
use super::statistics::{file_bytes, read_statistics};
use super::tree::{Branch, Tree};

/// A limit above this is none: v1 writes the greatest number of pages.
const NO_LIMIT: u64 = 1 << 62;

/// Memory of all sandboxes together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemoryUse {
    /// What they use, clones with what they were born with, but for the page cache of files, which the kernel takes back when
    /// it wants to.
    pub used_bytes: u64,
    /// The least limit of the groups above them, if any has one.
    pub limit_bytes: Option<u64>,
}

impl Tree {
    /// Memory of all sandboxes together: four system calls, and two for each group above. `None` if the kernel does not
    /// tell.
    pub(crate) fn memory(&self) -> Option<MemoryUse> {
        let branch = self.branches.iter().find(|branch| branch.has_memory)?;
        let (usage, below, limit) = names(branch.version);
        let used = number(&open(&branch.path.join(usage))?)?;
        let statistics = open(&branch.path.join("memory.stat"))?;
        let reclaimable = file_bytes(&read_statistics(&statistics)?, below);
        Some(MemoryUse {
            used_bytes: used.saturating_sub(reclaimable),
            limit_bytes: least_limit(branch, limit),
        })
    }
}

/// The files of usage and limit, and how the names of statistics begin that count the groups below, too.
fn names(version: Version) -> (&'static str, &'static str, &'static str) {
    match version {
        Version::V1 => ("memory.usage_in_bytes", "total_", "memory.limit_in_bytes"),
        Version::V2 => ("memory.current", "", "memory.max"),
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
