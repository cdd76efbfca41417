//! What a group may use, and what it has counted.

use rustix::fs::OFlags;

use super::Version;
use super::group::{Group, read};
use super::statistics::{file_bytes, read_statistics};
use super::tree::Branch;
use crate::error::CgroupError;

/// The memory that stands for one CPU, in MiB, as in AWS Lambda ("At 1,769 MB, a function has the
/// equivalent of one vCPU", AWS Lambda Developer Guide, "Configure Lambda function memory").
const MIB_PER_CPU: u64 = 1769;
/// Processes and threads of a sandbox together, as in AWS Lambda's quotas.
const MAX_PIDS: u32 = 1024;
/// The charge of an empty group that is taken for nothing, in bytes: the kernel's counters lag by up to 64 pages for
/// each CPU (`MEMCG_CHARGE_BATCH`), and it frees a namespace's memory a little after its last process.
const NO_CHARGE_BYTES: u64 = 1 << 20;
/// Page cache that an empty group keeps for its next program, in bytes at most, and at most half of its limit: of files that
/// its processes were the first to read. The kernel takes it back when the group, or anybody, needs the memory. Given
/// back, it would have to be read again by whoever needs the files next (docs/design/sandbox.md, Page cache).
const MOST_KEPT_CACHE_BYTES: u64 = 64 << 20;

/// What an empty group still shows of those who were in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trace {
    /// A process is in it.
    Process,
    /// The kernel counts, for good, that it killed a process for lack of memory.
    OomKill,
    /// Memory that is still charged.
    Charge,
}

impl Group {
    /// Sets what is the same for all and ever.
    pub(super) fn limit_for_good(&self, branch: &Branch) -> Result<(), CgroupError> {
        if branch.version == Version::V2 && branch.has_memory {
            self.write_if_there(branch, "memory.swap.max", "0")?;
            self.write(branch, "memory.oom.group", "1")?;
        }
        if branch.has_pids {
            self.write(branch, "pids.max", &MAX_PIDS.to_string())?;
        }
        Ok(())
    }

    /// Sets the memory limit, in bytes, and the share of the CPUs that goes with it; `from` is the limit so far.
    pub(crate) fn set_memory(&self, from: Option<u64>, to: u64) -> Result<(), CgroupError> {
        for branch in self.branches() {
            match branch.version {
                Version::V1 => self.set_memory_v1(branch, from, to)?,
                Version::V2 => self.set_memory_v2(branch, to)?,
            }
        }
        Ok(())
    }

    fn set_memory_v1(
        &self,
        branch: &Branch,
        from: Option<u64>,
        to: u64,
    ) -> Result<(), CgroupError> {
        let bytes = to.to_string();
        if branch.has_memory {
            let memory = || self.write(branch, "memory.limit_in_bytes", &bytes);
            let with_swap = || self.write_if_there(branch, "memory.memsw.limit_in_bytes", &bytes);
            // The limit of memory and swap together is never below that of memory.
            if from.is_some_and(|from| from < to) {
                with_swap()?;
                memory()?;
            } else {
                memory()?;
                with_swap()?;
            }
        }
        if branch.has_cpu {
            let shares = (1024 * (to >> 20) / MIB_PER_CPU).clamp(2, 262_144);
            self.write(branch, "cpu.shares", &shares.to_string())?;
        }
        Ok(())
    }

    fn set_memory_v2(&self, branch: &Branch, to: u64) -> Result<(), CgroupError> {
        if branch.has_memory {
            self.write(branch, "memory.max", &to.to_string())?;
        }
        if branch.has_cpu {
            let weight = (100 * (to >> 20) / MIB_PER_CPU).clamp(1, 10_000);
            self.write(branch, "cpu.weight", &weight.to_string())?;
        }
        Ok(())
    }

    /// Makes an empty group as if it were new but for page cache, as far as that can be done; says what cannot. `limit` is its
    /// memory limit.
    ///
    /// A group that is to be used again must not have been killed by `cgroup.kill`: where the kernel has `kill_seq`
    /// (seen on Linux 6.18), a process that is cloned into such a group from another one is killed at once, because the
    /// number is compared with that of its parent's group (`cgroup_css_set_fork`).
    pub(crate) fn reset(&self, limit: Option<u64>) -> Result<Result<(), Trace>, CgroupError> {
        for branch in self.branches() {
            let processes = self.open_file(branch, "cgroup.procs", OFlags::RDONLY)?;
            if read(&processes).is_none_or(|text| !text.is_empty()) {
                return Ok(Err(Trace::Process));
            }
        }
        for branch in self.branches().iter().filter(|branch| branch.has_memory) {
            let usage = match branch.version {
                Version::V1 => "memory.usage_in_bytes",
                Version::V2 => "memory.current",
            };
            if self.count_oom_kills(branch)? > 0 {
                return Ok(Err(Trace::OomKill));
            }
            if self.count(branch, usage, "")? > NO_CHARGE_BYTES {
                let most = limit
                    .map_or(u64::MAX, |limit| limit / 2)
                    .min(MOST_KEPT_CACHE_BYTES);
                let mut cached = self.cached_bytes(branch)?;
                if cached > most {
                    self.trim_cache(branch, limit, (cached, most))?;
                    cached = self.cached_bytes(branch)?;
                }
                if self.count(branch, usage, "")? > cached + NO_CHARGE_BYTES {
                    return Ok(Err(Trace::Charge));
                }
            }
            if branch.version == Version::V1 {
                self.write(branch, "memory.max_usage_in_bytes", "0")?;
                self.write(branch, "memory.failcnt", "0")?;
            }
        }
        Ok(Ok(()))
    }

    /// How many processes the kernel killed for lack of memory.
    pub(crate) fn oom_kills(&self) -> u64 {
        let counts = self.branches().iter().filter(|branch| branch.has_memory);
        counts
            .filter_map(|branch| self.count_oom_kills(branch).ok())
            .sum()
    }

    fn count_oom_kills(&self, branch: &Branch) -> Result<u64, CgroupError> {
        let name = match branch.version {
            Version::V1 => "memory.oom_control",
            Version::V2 => "memory.events",
        };
        self.count(branch, name, "oom_kill ")
    }

    /// The page cache that is charged to the group: of files, not of what is in a tmpfs.
    fn cached_bytes(&self, branch: &Branch) -> Result<u64, CgroupError> {
        let text = self.open_file(branch, "memory.stat", OFlags::RDONLY);
        let text = text.map(|file| read_statistics(&file).unwrap_or_default())?;
        Ok(file_bytes(&text, ""))
    }

    /// Gives back the page cache that has not been used for the longest time.
    fn trim_cache(
        &self,
        branch: &Branch,
        limit: Option<u64>,
        (from, to): (u64, u64),
    ) -> Result<(), CgroupError> {
        match branch.version {
            // A limit that is set has the kernel reclaim what is above it, or fails.
            Version::V1 => {
                let name = "memory.limit_in_bytes";
                let _ = self.write(branch, name, &to.to_string());
                let before = limit.map_or_else(|| "-1".to_owned(), |limit| limit.to_string());
                self.write(branch, name, &before)
            }
            // Fails if it cannot be as much (`memory.reclaim`, Linux 5.19).
            Version::V2 => {
                let _ = self.write(branch, "memory.reclaim", &(from - to).to_string());
                Ok(())
            }
        }
    }

    /// The number behind a word at the beginning of a line of one of the group's files.
    fn count(&self, branch: &Branch, name: &str, word: &str) -> Result<u64, CgroupError> {
        let file = self.open_file(branch, name, OFlags::RDONLY)?;
        let text = read(&file).unwrap_or_default();
        let found = text.lines().find_map(|line| line.strip_prefix(word));
        Ok(found
            .and_then(|count| count.trim().parse().ok())
            .unwrap_or(0))
    }
}
