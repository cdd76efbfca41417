//! What the core knows of one function.

use std::collections::VecDeque;

use crate::action::Action;
use crate::event::FunctionSpec;
use crate::histogram::Histogram;
use crate::policy::Policy;
use crate::rate::{Peak, Rate};
use crate::rung::{Backing, PerRung, Rung};
use crate::seed::{Seed, SeedState};
use crate::time::Time;

/// Actions kept for `explain`.
const HISTORY: usize = 8;

/// An idle instance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Idle {
    pub(crate) since: Time,
    pub(crate) bytes: u64,
    /// The rung that it was started from.
    pub(crate) born: Rung,
}

/// A function's template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Template {
    None,
    /// Asked for; `bytes` are set apart.
    Making {
        backing: Backing,
        bytes: u64,
    },
    Ready {
        backing: Backing,
        bytes: u64,
    },
    /// Serves while its successor is made; `bytes` are those of the old one.
    Changing {
        to: Backing,
        bytes: u64,
    },
}

impl Template {
    pub(crate) fn is_resident(self) -> bool {
        matches!(self, Self::Ready { .. } | Self::Changing { .. })
    }

    pub(crate) fn bytes(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Making { bytes, .. }
            | Self::Ready { bytes, .. }
            | Self::Changing { bytes, .. } => bytes,
        }
    }
}

/// When something was last done, so that it is not undone too soon.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Stamps {
    pub(crate) parked: Option<Time>,
    pub(crate) unparked: Option<Time>,
    pub(crate) template: Option<Time>,
    pub(crate) window: Option<Time>,
}

/// The places in the core's ordered sets.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Keys {
    pub(crate) due: Option<Time>,
    pub(crate) idle_since: Option<Time>,
    pub(crate) candidates: [Option<crate::reclaim::Candidate>; 4],
    /// What it could give up altogether.
    pub(crate) spare_bytes: u64,
    pub(crate) image: Option<(bool, i64)>,
}

#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) spec: FunctionSpec,
    pub(crate) account: u32,
    pub(crate) group: u32,
    /// Whose seed it may start from.
    pub(crate) runtime: Option<u32>,
    /// Its last start passed over its runtime's seed: it cannot use that.
    pub(crate) shuns_runtime: bool,
    pub(crate) added: Time,
    /// Its template was at hand before the node began again.
    pub(crate) is_recalled: bool,
    /// When the last event came; none before the first.
    pub(crate) last_start: Option<Time>,
    pub(crate) rate: Rate,
    pub(crate) gaps: Histogram,
    pub(crate) latency: PerRung<Histogram>,
    /// The one that became idle first is in front.
    pub(crate) idle: VecDeque<Idle>,
    /// Instances at work, or being made for an event.
    pub(crate) busy: u32,
    pub(crate) peak: Peak,
    pub(crate) parked: u32,
    /// Memory of each parked clone, as counted when it was made.
    pub(crate) parked_bytes: u64,
    pub(crate) invocations: u64,
    pub(crate) cold_bytes: Option<u64>,
    pub(crate) level1_bytes: Option<u64>,
    /// What an instance is taken for until one was measured.
    pub(crate) guessed_bytes: Option<u64>,
    pub(crate) clone_bytes: Option<u64>,
    pub(crate) template_bytes: PerBacking,
    pub(crate) seed: Seed,
    /// It waits for its seed to be begun.
    pub(crate) is_queued: bool,
    /// It waits for an idle moment in which its seed can be begun early.
    pub(crate) is_hoping: bool,
    /// Set apart while the seed is being made.
    pub(crate) seed_bytes: u64,
    pub(crate) template: Template,
    /// The template is of an image that was replaced.
    pub(crate) is_stale: bool,
    /// Starts that a template would have served since it went.
    pub(crate) missed: u32,
    pub(crate) window_us: u64,
    pub(crate) stamps: Stamps,
    pub(crate) keys: Keys,
    pub(crate) is_dirty: bool,
    /// Its keys are of before its last change.
    pub(crate) is_unindexed: bool,
    pub(crate) history: VecDeque<Action>,
}

/// Sizes of templates that were made.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PerBacking {
    pub(crate) local: Option<u64>,
    pub(crate) mapped: Option<u64>,
}

impl Function {
    pub(crate) fn new(
        spec: FunctionSpec,
        (account, group): (u32, u32),
        runtime: Option<u32>,
        now: Time,
        policy: &Policy,
    ) -> Self {
        let wanted_at = if spec.seed_at_publish {
            0
        } else {
            policy.seed_after
        };
        Self {
            spec,
            account,
            group,
            runtime,
            shuns_runtime: false,
            added: now,
            is_recalled: false,
            last_start: None,
            rate: Rate::new(policy.rate_fade_us),
            gaps: Histogram::default(),
            latency: PerRung::new(|_| Histogram::default()),
            idle: VecDeque::new(),
            busy: 0,
            peak: Peak::default(),
            parked: 0,
            parked_bytes: 0,
            invocations: 0,
            cold_bytes: None,
            level1_bytes: None,
            guessed_bytes: None,
            clone_bytes: None,
            template_bytes: PerBacking::default(),
            seed: Seed::new(wanted_at),
            is_queued: false,
            is_hoping: false,
            seed_bytes: 0,
            template: Template::None,
            is_stale: false,
            missed: 0,
            window_us: policy.keep_alive_max_us,
            stamps: Stamps::default(),
            keys: Keys::default(),
            is_dirty: false,
            is_unindexed: false,
            history: VecDeque::new(),
        }
    }

    /// Whether it had a template before the node began again, and has not been called since.
    pub(crate) fn only_recalled(&self) -> bool {
        self.is_recalled && self.last_start.is_none()
    }

    /// The best rung if `without` is not there; `level1` tells whether the runtime has a seed.
    pub(crate) fn best_rung(&self, idle: usize, parked: u32, template: bool, level1: bool) -> Rung {
        match () {
            () if idle > 0 => Rung::Hot,
            () if parked > 0 => Rung::Parked,
            () if template => Rung::Clone,
            () if matches!(self.seed.state, SeedState::Ready { .. }) => Rung::Restore,
            () if level1 => Rung::Level1,
            () => Rung::Cold,
        }
    }

    pub(crate) fn rung(&self, level1: bool) -> Rung {
        self.best_rung(
            self.idle.len(),
            self.parked,
            self.template.is_resident(),
            level1,
        )
    }

    /// A percentile of a rung's latency: measured, or assumed.
    pub(crate) fn latency_us(&self, rung: Rung, percent: u32, policy: &Policy) -> u64 {
        let measured = self.latency.get(rung).percentile_us(percent);
        measured.unwrap_or(*policy.assumed_us.get(rung))
    }

    /// Whether starts from a rung are what the function asks for.
    pub(crate) fn is_inside(&self, rung: Rung, policy: &Policy) -> bool {
        self.latency_us(rung, 99, policy) <= self.spec.slo.p99_us
    }

    /// What an instance started from a rung will take; nothing more if it is there already. A template that is made for it
    /// has its pages where `backing` says.
    pub(crate) fn needed_bytes(&self, rung: Rung, backing: Backing, policy: &Policy) -> u64 {
        match rung {
            Rung::Hot | Rung::Parked => 0,
            Rung::Clone => self.clone_size(policy),
            // A template that is on its way was counted when it was begun.
            Rung::Restore if self.template != Template::None => self.clone_size(policy),
            Rung::Restore => self.clone_size(policy) + self.template_size(backing, policy),
            Rung::Level1 | Rung::Cold => self.init_size(rung == Rung::Level1, policy),
        }
    }

    /// Memory of an instance that runs the function's init, and of the making of its seed; `level1` tells whether it begins in
    /// a clone of the runtime's seed, which shares pages with that.
    pub(crate) fn init_size(&self, level1: bool, policy: &Policy) -> u64 {
        let of_clone = self.level1_bytes.filter(|_| level1);
        let known = of_clone.or(self.cold_bytes).or(self.guessed_bytes);
        known.unwrap_or(policy.assumed_cold_bytes)
    }

    pub(crate) fn clone_size(&self, policy: &Policy) -> u64 {
        self.clone_bytes.unwrap_or(policy.assumed_clone_bytes)
    }

    pub(crate) fn template_size(&self, backing: Backing, policy: &Policy) -> u64 {
        // It is at least as large as what its image stores, which may be a difference only.
        let image_bytes = self.seed.image_bytes().unwrap_or(0);
        let assumed = policy.assumed_template_bytes.max(image_bytes);
        match backing {
            Backing::Local => self.template_bytes.local.unwrap_or(assumed),
            // What a mapped one saves is not known before one was made: a quarter is what Python takes.
            Backing::Mapped => self
                .template_bytes
                .mapped
                .unwrap_or(self.template_bytes.local.unwrap_or(assumed) / 4),
        }
    }

    /// What it could give up: all that waits, and its template.
    pub(crate) fn spare_bytes(&self) -> u64 {
        let idle: u64 = self.idle.iter().map(|idle| idle.bytes).sum();
        let template = match self.template {
            Template::Ready { bytes, .. } => bytes,
            _ => 0,
        };
        idle + self.parked_bytes * u64::from(self.parked) + template
    }

    pub(crate) fn remember(&mut self, action: Action) {
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(action);
    }

    /// Learns how large instances become; new ones count a quarter.
    pub(crate) fn learn_bytes(&mut self, rung: Rung, bytes: u64) {
        let known = match rung {
            Rung::Level1 => &mut self.level1_bytes,
            rung if rung.is_clone() => &mut self.clone_bytes,
            _ => &mut self.cold_bytes,
        };
        *known = Some(known.map_or(bytes, |known| known - known / 4 + bytes / 4));
    }
}
