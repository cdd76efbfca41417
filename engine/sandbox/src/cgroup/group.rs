//! One sandbox's group: its directories, limits and counters.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::tree::Branch;
use super::{Version, failed};
use crate::error::CgroupError;

/// Page cache that a group gives back before it goes, in bytes, at most. So much is read again in a millisecond.
const MOST_CACHE_BYTES: u64 = 1 << 20;

/// A sandbox's directories. Removed only by [`Group::remove`].
#[derive(Debug)]
pub(crate) struct Group {
    id: String,
    branches: Vec<Arc<Branch>>,
}

/// The descriptors through which a group is entered.
#[derive(Debug)]
pub(crate) struct GroupFds {
    /// The v2 directory, for `CLONE_INTO_CGROUP`.
    pub(crate) unified: OwnedFd,
    /// The `tasks` files of the v1 hierarchies, into which a process writes itself.
    pub(crate) attach: Vec<OwnedFd>,
}

/// The counter of a group's highest use of memory. It is read after each event, and so stays open.
#[derive(Debug)]
pub(crate) struct Peak {
    counter: Option<OwnedFd>,
    /// What it begins with: page cache that the group has kept.
    kept_bytes: u64,
}

impl Group {
    pub(super) fn create(branches: &[Arc<Branch>], id: &str) -> Result<Self, CgroupError> {
        let mut group = Self {
            id: id.to_owned(),
            branches: Vec::with_capacity(branches.len()),
        };
        for branch in branches {
            let made = rustix::fs::mkdirat(&branch.directory, id, Mode::from_raw_mode(0o755))
                .map_err(failed("make", &branch.path.join(id)));
            let limited = made.and_then(|()| {
                group.branches.push(Arc::clone(branch));
                group.limit_for_good(branch)
            });
            if let Err(error) = limited {
                let _ = group.try_remove();
                return Err(error);
            }
        }
        Ok(group)
    }

    /// Opens what the launcher and init need.
    pub(crate) fn open(&self) -> Result<(GroupFds, Peak), CgroupError> {
        let path_only = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut unified = None;
        let mut attach = Vec::new();
        let mut peak = None;
        for branch in &self.branches {
            match branch.version {
                Version::V2 => unified = Some(self.open_file(branch, "", path_only)?),
                Version::V1 => attach.push(self.open_file(branch, "tasks", OFlags::WRONLY)?),
            }
            if branch.has_memory {
                let name = match branch.version {
                    Version::V1 => "memory.max_usage_in_bytes",
                    // Exists since Linux 5.19 only.
                    Version::V2 => "memory.peak",
                };
                peak = self.open_file(branch, name, OFlags::RDONLY).ok();
            }
        }
        let unified = unified.ok_or(CgroupError::Missing { what: "cgroup2" })?;
        // On v2 the counter cannot be reset, so what it says now is no beginning.
        let is_v1 = |branch: &Arc<Branch>| branch.has_memory && branch.version == Version::V1;
        let kept = peak.as_ref().filter(|_| self.branches.iter().any(is_v1));
        let peak = Peak {
            kept_bytes: kept.and_then(number).unwrap_or(0),
            counter: peak,
        };
        Ok((GroupFds { unified, attach }, peak))
    }

    pub(super) fn branches(&self) -> &[Arc<Branch>] {
        &self.branches
    }

    pub(super) fn open_file(
        &self,
        branch: &Branch,
        name: &str,
        flags: OFlags,
    ) -> Result<OwnedFd, CgroupError> {
        let relative = format!("{}/{name}", self.id);
        rustix::fs::openat(
            &branch.directory,
            &relative,
            flags | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .map_err(failed("open", &branch.path.join(&relative)))
    }

    pub(super) fn write(
        &self,
        branch: &Branch,
        name: &str,
        value: &str,
    ) -> Result<(), CgroupError> {
        let file = self.open_file(branch, name, OFlags::WRONLY)?;
        rustix::io::write(&file, value.as_bytes())
            .map_err(failed("write", &branch.path.join(&self.id).join(name)))?;
        Ok(())
    }

    /// Swap accounting may be switched off (`swapaccount=0`); then there is nothing to limit.
    pub(super) fn write_if_there(
        &self,
        branch: &Branch,
        name: &str,
        value: &str,
    ) -> Result<(), CgroupError> {
        match self.write(branch, name, value) {
            Err(CgroupError::Io { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                Ok(())
            }
            other => other,
        }
    }

    /// Kills every process in it (`cgroup.kill`, Linux 5.14).
    pub(crate) fn kill(&self) -> Result<(), CgroupError> {
        for branch in self
            .branches
            .iter()
            .filter(|branch| branch.version == Version::V2)
        {
            self.write(branch, "cgroup.kill", "1")?;
        }
        Ok(())
    }

    /// A removed v1 group lives on in the kernel as long as the page cache that its processes were the first to read
    /// (`Documentation/admin-guide/cgroup-v1/memory.rst`, 4.1 and 5.1). A few pages are not worth a group, so they are
    /// given back; what is worth more stays cached, and keeps its group until the kernel reclaims it.
    fn give_back_cache(&self, branch: &Branch) {
        if branch.version != Version::V1 || !branch.has_memory {
            return;
        }
        let usage = self.open_file(branch, "memory.usage_in_bytes", OFlags::RDONLY);
        let bytes = usage.ok().and_then(|file| read(&file));
        let bytes = bytes.and_then(|text| text.trim().parse::<u64>().ok());
        if bytes.is_some_and(|bytes| bytes > 0 && bytes <= MOST_CACHE_BYTES) {
            // Fails while there are processes; then it is tried again with the removal.
            let _ = self.write(branch, "memory.force_empty", "1");
        }
    }

    /// Removes the directories once; those that are gone already are fine, `EBUSY` means that a
    /// process has not quite ended.
    pub(crate) fn try_remove(&self) -> Result<(), CgroupError> {
        let mut result = Ok(());
        for branch in &self.branches {
            self.give_back_cache(branch);
            match rustix::fs::unlinkat(&branch.directory, self.id.as_str(), AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => result = Err(failed("remove", &branch.path.join(&self.id))(errno)),
            }
        }
        result
    }
}

impl Peak {
    /// The most memory that was in use at once, in bytes, of a group with a limit; without what the group had kept, unless
    /// it has reached its limit: then the kernel has taken some of that back.
    pub(crate) fn bytes(&self, limit_bytes: Option<u64>) -> Option<u64> {
        let most = number(self.counter.as_ref()?)?;
        let is_below = limit_bytes.is_none_or(|limit| most < limit / 16 * 15);
        Some(most.saturating_sub(if is_below { self.kept_bytes } else { 0 }))
    }
}

pub(super) fn number(file: &OwnedFd) -> Option<u64> {
    read(file)?.trim().parse().ok()
}

pub(super) fn read(file: &OwnedFd) -> Option<String> {
    let mut buffer = [0; 256];
    let len = rustix::io::pread(file.as_fd(), &mut buffer, 0).ok()?;
    String::from_utf8(buffer[..len].to_vec()).ok()
}
