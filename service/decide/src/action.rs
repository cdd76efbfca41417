//! What the core asks for, and why.

use serde::Serialize;

use crate::event::{FunctionId, SeedOf};
use crate::pressure::Pressure;
use crate::rung::Backing;
use crate::time::Time;

/// Something to do, and the figures it was decided by.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Action {
    /// When it was decided.
    pub at: Time,
    /// What to do.
    pub deed: Deed,
    /// Why.
    pub reason: Reason,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(
    missing_docs,
    reason = "the fields are the function, and how many or which"
)]
pub enum Deed {
    /// End the instances that have been idle for longest.
    RetireIdle { function: FunctionId, count: u32 },
    /// Make clones ahead.
    Park { function: FunctionId, count: u32 },
    /// End parked clones.
    Unpark { function: FunctionId, count: u32 },
    /// Make the image a template; answered by `TemplateReady` or `TemplateGone`.
    MakeTemplate {
        function: FunctionId,
        backing: Backing,
    },
    /// Replace the template by one of the present image; the old one serves until then. Answered as `MakeTemplate` is.
    ReplaceTemplate {
        function: FunctionId,
        backing: Backing,
    },
    /// End the template; the image stays.
    DropTemplate { function: FunctionId },
    /// Make a seed's image; answered by `Core::seed_ready` or `Core::seed_failed`.
    MakeSeed { seed: SeedOf },
    /// Make a seed's image anew; the old one serves until the new one is ready.
    RotateSeed { seed: SeedOf },
    /// Delete the image of a function's seed, and its template.
    DropSeed { function: FunctionId },
    /// Keep so many ghost sandboxes ready.
    SetGhosts { count: u32 },
    /// A function's own keep-alive window has changed. The core keeps it itself: for people.
    SetKeepAlive {
        function: FunctionId,
        window_us: u64,
    },
    /// The cap on all keep-alive windows has changed. The core keeps it itself: for people.
    SetKeepAliveCap { cap_us: Option<u64> },
}

impl Deed {
    /// The function that it concerns, if it is one.
    pub fn function(&self) -> Option<FunctionId> {
        match self {
            Self::RetireIdle { function, .. }
            | Self::Park { function, .. }
            | Self::Unpark { function, .. }
            | Self::MakeTemplate { function, .. }
            | Self::ReplaceTemplate { function, .. }
            | Self::DropTemplate { function }
            | Self::MakeSeed {
                seed: SeedOf::Function(function),
            }
            | Self::RotateSeed {
                seed: SeedOf::Function(function),
            }
            | Self::DropSeed { function }
            | Self::SetKeepAlive { function, .. } => Some(*function),
            _ => None,
        }
    }
}

/// Why, with the figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the fields are figures named by what they are")]
pub enum Reason {
    /// Idle for longer than its window, or the cap under pressure, allows.
    Idle {
        idle_us: u64,
        window_us: u64,
        cap_us: Option<u64>,
    },
    /// Memory is needed, and this was the cheapest: what its loss costs a second is `saved_us` times `per_second`.
    Memory {
        used_bytes: u64,
        goal_bytes: u64,
        freed_bytes: u64,
        saved_us: u64,
        per_second: f64,
        keeps_slo: bool,
    },
    /// Not used for so long.
    Unused { since_us: u64, after_us: u64 },
    /// More events at once were seen than instances are ready, or fewer.
    Demand {
        peak: u32,
        ready: u32,
        parked: u32,
        clone_p50_us: u64,
        target_p50_us: u64,
    },
    /// Starts fell to a lower rung since the template was dropped, or it was at hand before the node began again; and there is
    /// room.
    Wanted {
        only_recalled: bool,
        used_bytes: u64,
        needed_bytes: u64,
        limit_bytes: u64,
    },
    /// The seed was made anew, and this was made of the old one.
    Stale,
    /// Clones are slower than the target.
    TooSlow {
        clone_p99_us: u64,
        target_p99_us: u64,
    },
    /// So many invocations have ended.
    Invocations { count: u64, after: u64 },
    /// So many invocations have ended: fewer than it takes, but there is time and memory to spare.
    Spare { count: u64, after: u64 },
    /// The version asks for its seed at publication.
    Published,
    /// So many functions of the runtime start without it.
    ColdStarts { count: u64 },
    /// So many clones share the seed's address layout.
    Clones { count: u64, after: u64 },
    /// The seed is so old.
    Age { age_us: u64, after_us: u64 },
    /// Images take more than they may.
    Disk { used_bytes: u64, budget_bytes: u64 },
    /// The gaps between its calls.
    Gaps {
        samples: u32,
        p50_us: u64,
        p99_us: u64,
    },
    /// The node's memory pressure.
    Pressure {
        level: Pressure,
        used_bytes: u64,
        limit_bytes: u64,
        psi_some: f64,
        psi_full: f64,
    },
    /// So many sandboxes are taken a second.
    Takes { per_second: f64, refill_us: u64 },
}
