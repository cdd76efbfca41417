//! What an operator may set, and what a function may ask for.

use serde::Serialize;

use crate::rung::{PerRung, Rung};
use crate::time::{HOUR_US, MINUTE_US, SECOND_US};

const MB: u64 = 1 << 20;

/// What a function's starts should take: from the arrival of an event until the instance has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Slo {
    /// Median, in microseconds.
    pub p50_us: u64,
    /// 99th percentile, in microseconds. A rung whose own p99 is above it is outside the target.
    pub p99_us: u64,
}

impl Default for Slo {
    /// 5 ms and 50 ms: a clone is inside, a cold interpreter is not.
    fn default() -> Self {
        Self {
            p50_us: 5_000,
            p99_us: 50_000,
        }
    }
}

/// How the core decides. All spans are in microseconds; percents are of the memory limit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Policy {
    /// The longest keep-alive window, which is also that of functions whose gaps are not known yet.
    pub keep_alive_max_us: u64,
    /// The shortest keep-alive window without memory pressure.
    pub keep_alive_min_us: u64,
    /// Gaps between calls that must have been seen before they set the window.
    pub gaps_needed: u32,
    /// The cap on all windows under slight, high and critical pressure.
    pub keep_alive_caps_us: [u64; 3],
    /// How fast a call's weight in its function's expected rate fades.
    pub rate_fade_us: u64,
    /// An action is not undone within this span, unless memory pressure demands it.
    pub hysteresis_us: u64,
    /// Changes wait this long, so that a busy node decides about many at once.
    pub coalesce_us: u64,
    /// Functions looked at by one `decide`, at most; the rest follows at once.
    pub reviews_at_once: usize,

    /// A seed of a function is made after this many invocations, unless it was made at publication.
    pub seed_after: u64,
    /// After so many already, while the processors have time to spare and memory is not short; `u64::MAX`: never.
    pub seed_early_after: u64,
    /// While a seed waits for such a moment, it is looked for this often.
    pub early_look_us: u64,
    /// Seeds of functions that are made at the same time, at most.
    pub seeds_at_once: usize,
    /// A runtime's seed is made after this many cold starts of its functions.
    pub level1_after: u64,
    /// A seed is made anew after this many clones: they share its address layout.
    pub rotate_after_clones: u64,
    /// A seed that is in use is made anew after this span.
    pub rotate_after_us: u64,
    /// A seed's image that nobody used for this long is dropped.
    pub seed_idle_us: u64,
    /// A template that nobody used for this long is dropped; its image stays.
    pub template_idle_us: u64,
    /// Room for images.
    pub disk_budget_bytes: u64,

    /// Whether templates can be mapped from the pool; else all are local.
    pub may_map: bool,

    /// Parked clones of a function that has a template and is used, at least, unless memory is short.
    pub parked_min: u32,
    /// Parked clones of one function, at most.
    pub parked_max: u32,
    /// A parked clone of a function that was not called for this long is ended.
    pub parked_idle_us: u64,

    /// Ghost sandboxes kept ready, at least and at most.
    pub ghosts: (u32, u32),
    /// How long it takes to make a ghost sandbox when others are made too.
    pub ghost_refill_us: u64,

    /// Above this percentage, memory is reclaimed ...
    pub reclaim_above_percent: u64,
    /// ... until it is below this one.
    pub reclaim_to_percent: u64,
    /// Percentages at which slight, high and critical pressure begins. Each ends `pressure_margin_percent` lower.
    pub pressure_percent: [u64; 3],
    /// See `pressure_percent`.
    pub pressure_margin_percent: u64,
    /// PSI memory `some avg10` at which high pressure begins; it ends at half of it.
    pub psi_some: f64,
    /// PSI memory `full avg10` at which critical pressure begins; it ends at half of it.
    pub psi_full: f64,

    /// Events in flight of all functions together.
    pub concurrency: u32,
    /// One part in so many of the concurrency is kept for accounts below their share.
    pub fair_headroom: u32,

    /// Start latencies taken for granted until they were measured.
    pub assumed_us: PerRung<u64>,
    /// Memory of an instance that was started cold, until one has ended.
    pub assumed_cold_bytes: u64,
    /// Memory that a clone does not share, until one has ended.
    pub assumed_clone_bytes: u64,
    /// Memory of a template, until one was made.
    pub assumed_template_bytes: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            keep_alive_max_us: 10 * MINUTE_US,
            keep_alive_min_us: 10 * SECOND_US,
            gaps_needed: 8,
            keep_alive_caps_us: [MINUTE_US, 10 * SECOND_US, SECOND_US],
            rate_fade_us: 5 * MINUTE_US,
            hysteresis_us: MINUTE_US,
            coalesce_us: SECOND_US / 10,
            reviews_at_once: 1024,
            seed_after: 16,
            seed_early_after: u64::MAX,
            early_look_us: 10 * SECOND_US,
            seeds_at_once: 4,
            level1_after: 1,
            rotate_after_clones: 10_000,
            rotate_after_us: 24 * HOUR_US,
            seed_idle_us: 7 * 24 * HOUR_US,
            template_idle_us: HOUR_US,
            disk_budget_bytes: 20 << 30,
            may_map: true,
            parked_min: 0,
            parked_max: 4,
            parked_idle_us: MINUTE_US,
            ghosts: (2, 64),
            ghost_refill_us: SECOND_US,
            reclaim_above_percent: 90,
            reclaim_to_percent: 85,
            pressure_percent: [75, 85, 95],
            pressure_margin_percent: 5,
            psi_some: 10.0,
            psi_full: 5.0,
            concurrency: 1000,
            fair_headroom: 8,
            assumed_us: PerRung::new(|rung| match rung {
                Rung::Hot => 200,
                Rung::Parked => 300,
                Rung::Clone => 1_500,
                Rung::Restore => 20_000,
                Rung::Level1 => 150_000,
                Rung::Cold => 400_000,
            }),
            assumed_cold_bytes: 64 * MB,
            assumed_clone_bytes: 2 * MB,
            assumed_template_bytes: 16 * MB,
        }
    }
}
