//! What the pool has done, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Why a part of a sandbox was made anew, or the whole given up, at repurposing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The network namespace did not read like an unused one.
    NetworkUsed,
    /// It has a link to the outside.
    NetworkLink,
    /// The kernel killed a process in it for lack of memory, which its group goes on counting.
    OutOfMemory,
    /// Memory stayed charged to its group.
    MemoryCharged,
    /// A process was in its group that was not in its PID namespace.
    NotEmpty,
    /// There were ghosts enough.
    PoolFull,
    /// It could not be repurposed; the log says why.
    Failed,
}

impl Reason {
    /// All of them, in the order of [`PoolStats::recreations`].
    pub const ALL: [Self; 7] = [
        Self::NetworkUsed,
        Self::NetworkLink,
        Self::OutOfMemory,
        Self::MemoryCharged,
        Self::NotEmpty,
        Self::PoolFull,
        Self::Failed,
    ];

    /// The name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::NetworkUsed => "network_used",
            Self::NetworkLink => "network_link",
            Self::OutOfMemory => "out_of_memory",
            Self::MemoryCharged => "memory_charged",
            Self::NotEmpty => "not_empty",
            Self::PoolFull => "pool_full",
            Self::Failed => "failed",
        }
    }
}

/// Counters since the start.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    takes: Timed,
    misses: AtomicU64,
    repurposed: Timed,
    recreations: [AtomicU64; Reason::ALL.len()],
}

/// How often something was done, and how long that took in all.
#[derive(Debug, Default)]
struct Timed {
    count: AtomicU64,
    total_us: AtomicU64,
}

impl Timed {
    fn add(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.count.fetch_add(1, Ordering::Relaxed);
        self.total_us.fetch_add(us, Ordering::Relaxed);
    }

    fn read(&self) -> (u64, u64) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (read(&self.count), read(&self.total_us))
    }
}

impl Stats {
    pub(crate) fn taken(&self, took: Duration) {
        self.takes.add(took);
    }

    pub(crate) fn missed(&self) {
        self.misses.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn repurposed(&self, took: Duration) {
        self.repurposed.add(took);
    }

    pub(crate) fn recreated(&self, reason: Reason) {
        self.recreations[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self, ghosts: usize) -> PoolStats {
        let (takes, take_us) = self.takes.read();
        let (repurposed, repurpose_us) = self.repurposed.read();
        let count = |reason: Reason| self.recreations[reason as usize].load(Ordering::Relaxed);
        PoolStats {
            ghosts,
            takes,
            take_us,
            misses: self.misses.load(Ordering::Relaxed),
            repurposed,
            repurpose_us,
            recreations: Reason::ALL.map(|reason| (reason, count(reason))),
        }
    }
}

/// What the pool has and has done since the start.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Ghosts that wait.
    pub ghosts: usize,
    /// How many were taken.
    pub takes: u64,
    /// How long taking took, all together.
    pub take_us: u64,
    /// How often there was none, and a sandbox was made while its function waited.
    pub misses: u64,
    /// How many sandboxes were made ghosts again.
    pub repurposed: u64,
    /// How long that took, all together, from the kill to the ghost.
    pub repurpose_us: u64,
    /// How often a part, or the whole, was made anew instead.
    pub recreations: [(Reason, u64); Reason::ALL.len()],
}
