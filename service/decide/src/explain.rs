//! What was decided about a function, and by which figures.

use serde::Serialize;

use crate::action::Action;
use crate::core::Core;
use crate::event::{FunctionId, FunctionSpec};
use crate::function::{Function, Template};
use crate::pressure::Pressure;
use crate::rung::{Backing, Rung};
use crate::seed::SeedState;
use crate::time::Time;

/// The state of a function's ladder. Spans are in microseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs, reason = "figures named by what they are")]
pub struct Decision {
    pub at: Time,
    pub name: String,
    pub account: String,
    /// The rung that the next event starts from.
    pub next_rung: Rung,
    /// Whether that rung is inside the target.
    pub is_inside: bool,
    pub target_p50_us: u64,
    pub target_p99_us: u64,
    pub invocations: u64,
    pub expected_per_second: f64,
    pub gaps: Gaps,
    /// Keep-alive: the function's own window, and the cap on all under pressure.
    pub window_us: u64,
    pub cap_us: Option<u64>,
    pub idle: u32,
    pub idle_bytes: u64,
    pub busy: u32,
    /// The most instances at work at once of late.
    pub peak: u32,
    pub parked: u32,
    pub seed: SeedState,
    /// Clones since the seed was made.
    pub seed_clones: u64,
    pub template: TemplateState,
    /// The seed of its runtime; none if it starts from none.
    pub runtime_seed: Option<SeedState>,
    /// Rungs that were measured or are assumed, best first.
    pub rungs: Vec<RungFigures>,
    pub pressure: Pressure,
    pub used_bytes: u64,
    pub limit_bytes: u64,
    /// When the function will be looked at if nothing happens.
    pub due: Option<Time>,
    /// The last actions, oldest first.
    pub actions: Vec<Action>,
}

/// Gaps between calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "figures named by what they are")]
pub struct Gaps {
    pub samples: u32,
    pub p50_us: Option<u64>,
    pub p99_us: Option<u64>,
}

/// A template, or where it is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
#[allow(missing_docs, reason = "figures named by what they are")]
pub enum TemplateState {
    /// There is none.
    None,
    /// It is being made.
    Making { backing: Backing },
    /// Clones come from it.
    Resident { backing: Backing, bytes: u64 },
    /// Clones come from it until another one is there.
    Replacing { by: Backing, bytes: u64 },
}

/// Start latency of one rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "figures named by what they are")]
pub struct RungFigures {
    pub rung: Rung,
    /// How many starts were measured; 0 means that the figures are the policy's assumption.
    pub samples: u32,
    pub p50_us: u64,
    pub p99_us: u64,
    pub is_inside: bool,
}

impl Core {
    /// What a function was told about; none once it was removed.
    pub fn spec(&self, id: FunctionId) -> Option<&FunctionSpec> {
        self.get(id).map(|function| &function.spec)
    }

    /// How many ghost sandboxes should be ready.
    pub fn ghost_target(&self) -> u32 {
        self.ghosts.target()
    }

    /// Bytes that the core counts as used: the last reading, and what it decided since.
    pub fn used_bytes(&self) -> u64 {
        self.memory.used_bytes()
    }

    /// The state of a function's ladder at `now`; none once it was removed.
    pub fn explain(&self, now: Time, id: FunctionId) -> Option<Decision> {
        let function = self.get(id)?;
        let next_rung = function.rung(self.has_level1(function));
        let percentile = |percent| function.gaps.percentile_us(percent);
        Some(Decision {
            at: now,
            name: function.spec.name.to_string(),
            account: function.spec.account.to_string(),
            next_rung,
            is_inside: function.is_inside(next_rung, &self.policy),
            target_p50_us: function.spec.slo.p50_us,
            target_p99_us: function.spec.slo.p99_us,
            invocations: function.invocations,
            expected_per_second: function.rate.per_second(now),
            gaps: Gaps {
                samples: function.gaps.samples(),
                p50_us: percentile(50),
                p99_us: percentile(99),
            },
            window_us: function.window_us,
            cap_us: self.cap_us,
            idle: function.idle.len() as u32,
            idle_bytes: function.idle.iter().map(|idle| idle.bytes).sum(),
            busy: function.busy,
            peak: function.peak.value(now, self.policy.rate_fade_us).round() as u32,
            parked: function.parked,
            seed: function.seed.state,
            seed_clones: function.seed.clones,
            template: template(function),
            runtime_seed: self.runtime_of(function).map(|runtime| runtime.seed.state),
            rungs: self.rungs(function),
            pressure: self.memory.level(),
            used_bytes: self.memory.used_bytes(),
            limit_bytes: self.memory.limit_bytes(),
            due: function.keys.due,
            actions: function.history.iter().cloned().collect(),
        })
    }

    fn rungs(&self, function: &Function) -> Vec<RungFigures> {
        let figures = |rung| RungFigures {
            rung,
            samples: function.latency.get(rung).samples(),
            p50_us: function.latency_us(rung, 50, &self.policy),
            p99_us: function.latency_us(rung, 99, &self.policy),
            is_inside: function.is_inside(rung, &self.policy),
        };
        Rung::ALL.map(figures).to_vec()
    }
}

fn template(function: &Function) -> TemplateState {
    match function.template {
        Template::None => TemplateState::None,
        Template::Making { backing, .. } => TemplateState::Making { backing },
        Template::Ready { backing, bytes } => TemplateState::Resident { backing, bytes },
        Template::Changing { to, bytes } => TemplateState::Replacing { by: to, bytes },
    }
}
