//! What the operator has configured, in the core's terms.

use std::time::Duration;

use offshoot_decide::{Policy, SECOND_US};

/// Parked clones of one function that bursts may ask for, if any are wanted.
const PARKED_FOR_BURSTS: u32 = 4;
/// The shortest keep-alive window without memory pressure.
const SHORTEST_WINDOW_US: u64 = 10 * SECOND_US;

/// How a porter decides.
#[derive(Debug, Clone)]
pub struct PorterConfig {
    /// Events in flight of all functions together.
    pub account_concurrency: u32,
    /// Instances alive at once, idle ones included.
    pub max_instances: usize,
    /// How long an idle instance is kept at most; with 0, it ends with its event.
    pub keep_alive: Duration,
    /// Processors: more starts are not under way at once while all of these are busy.
    pub processors: usize,
    /// Inits that run at the same time, at most.
    pub cold_starts: usize,
    /// When function versions get seeds.
    pub seeds: SeedPolicy,
}

/// When function versions get seeds, and what is kept of them.
#[derive(Debug, Clone, Copy)]
pub struct SeedPolicy {
    /// How many events of a version are handled before its seed is made, at most; with 0, none is made.
    pub after_events: u32,
    /// How many, if processors and memory are free; none: never earlier.
    pub idle_after: Option<u32>,
    /// Whether templates may have their pages in the pool when memory is short, instead of memory of their own.
    pub mapped: bool,
    /// How many clones of a version with a seed are kept parked while it is used, at least; with 0, none is.
    pub parked: u32,
    /// How long one of them waits for an event.
    pub parked_for: Duration,
    /// A seed is made anew after so many clones.
    pub rotate_clones: u64,
    /// A seed that has clones is made anew after so long.
    pub rotate_after: Duration,
}

impl Default for PorterConfig {
    fn default() -> Self {
        let cpus = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            account_concurrency: 1000,
            max_instances: 1000,
            keep_alive: Duration::from_secs(600),
            processors: cpus,
            cold_starts: 4 * cpus,
            seeds: SeedPolicy::default(),
        }
    }
}

impl Default for SeedPolicy {
    fn default() -> Self {
        Self {
            after_events: 16,
            idle_after: Some(1),
            mapped: true,
            parked: 1,
            parked_for: Duration::from_secs(600),
            rotate_clones: 10_000,
            rotate_after: Duration::from_secs(24 * 3600),
        }
    }
}

impl PorterConfig {
    /// The core's policy.
    pub(crate) fn policy(&self) -> Policy {
        let seeds = self.seeds;
        let us = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let keep_alive_us = us(self.keep_alive);
        let after = |events: u32| match seeds.after_events {
            0 => u64::MAX,
            _ => u64::from(events),
        };
        Policy {
            keep_alive_max_us: keep_alive_us,
            // Without seeds the next start is a cold one: only pressure makes a window shorter then.
            keep_alive_min_us: match seeds.after_events {
                0 => keep_alive_us,
                _ => keep_alive_us.min(SHORTEST_WINDOW_US),
            },
            seed_after: after(seeds.after_events),
            seed_early_after: seeds.idle_after.map_or(u64::MAX, after),
            // A runtime's seed is the node's own affair.
            level1_after: u64::MAX,
            rotate_after_clones: seeds.rotate_clones,
            rotate_after_us: us(seeds.rotate_after),
            // The node bounds what its images take: it knows them all.
            disk_budget_bytes: u64::MAX,
            may_map: seeds.mapped,
            parked_min: seeds.parked,
            parked_max: match seeds.parked {
                0 => 0,
                parked => parked.max(PARKED_FOR_BURSTS),
            },
            parked_idle_us: us(seeds.parked_for),
            // The node keeps as many as it was told when it began.
            ghosts: (0, 0),
            concurrency: self.account_concurrency,
            ..Policy::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_seed_is_wanted_when_they_are_switched_off() {
        let seeds = SeedPolicy {
            after_events: 0,
            ..SeedPolicy::default()
        };
        let config = PorterConfig {
            seeds,
            ..PorterConfig::default()
        };
        let policy = config.policy();
        assert_eq!(policy.seed_after, u64::MAX);
        assert_eq!(policy.keep_alive_min_us, policy.keep_alive_max_us);
        assert_eq!(policy.seed_early_after, u64::MAX);
        assert_eq!(PorterConfig::default().policy().seed_after, 16);
    }

    #[test]
    fn a_short_keep_alive_is_not_made_longer() {
        let config = PorterConfig {
            keep_alive: Duration::from_secs(2),
            ..PorterConfig::default()
        };
        let policy = config.policy();
        assert_eq!(
            (policy.keep_alive_min_us, policy.keep_alive_max_us),
            (2_000_000, 2_000_000)
        );
    }
}
