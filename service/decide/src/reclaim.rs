//! What to give up first when memory is short.
//!
//! The order, cheapest first:
//! 1. what leaves its function a rung inside its target, or has none to lose, before what does not;
//! 2. idle instances, then parked clones, then `Local` templates (they become `Mapped`), then templates
//!    altogether (the image stays);
//! 3. by cost: how much longer a start takes without it, times the expected starts, by the bytes that it frees.
//!
//! Rates fade with time, all by the same factor, so the order of costs that was computed when a function changed
//! stays right until it changes again ([`Rate::order`](crate::rate::Rate::order)): no function is looked at
//! without a cause.

use std::collections::BTreeSet;

use crate::event::FunctionId;
use crate::function::{Function, Template};
use crate::policy::Policy;
use crate::rung::{Backing, Rung};

/// What kind of thing is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    Idle,
    Parked,
    ToMapped,
    Drop,
}

impl Class {
    pub(crate) const ALL: [Self; 4] = [Self::Idle, Self::Parked, Self::ToMapped, Self::Drop];
}

/// One thing that could be given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) function: FunctionId,
    pub(crate) class: Class,
    pub(crate) keeps_slo: bool,
    pub(crate) saved_us: u64,
    pub(crate) bytes: u64,
    /// The logarithm of the cost, in millionths.
    order: i64,
}

/// All candidates, ordered.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    /// By whether the target breaks, then by class.
    sets: [[BTreeSet<(i64, FunctionId)>; 4]; 2],
}

/// Which candidates will do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// The function that memory is needed for loses nothing.
    pub(crate) spare: Option<FunctionId>,
    /// Memory must be free now: a template that is replaced gives nothing back before its successor is there.
    pub(crate) is_urgent: bool,
    /// Functions may lose their last rung inside their target.
    pub(crate) may_break: bool,
}

impl Candidates {
    pub(crate) fn insert(&mut self, candidate: &Candidate) {
        self.set(candidate)
            .insert((candidate.order, candidate.function));
    }

    pub(crate) fn remove(&mut self, candidate: &Candidate) {
        self.set(candidate)
            .remove(&(candidate.order, candidate.function));
    }

    /// The cheapest: its function and class.
    pub(crate) fn first(&self, wanted: Wanted) -> Option<(FunctionId, Class)> {
        let breaks = if wanted.may_break { 2 } else { 1 };
        let classes = self.sets[..breaks]
            .iter()
            .flat_map(|sets| Class::ALL.iter().zip(sets));
        classes
            .filter(|(class, _)| !(wanted.is_urgent && **class == Class::ToMapped))
            .find_map(|(class, set)| {
                let mut functions = set.iter().map(|(_, function)| *function);
                let found = functions.find(|function| Some(*function) != wanted.spare)?;
                Some((found, *class))
            })
    }

    fn set(&mut self, candidate: &Candidate) -> &mut BTreeSet<(i64, FunctionId)> {
        &mut self.sets[usize::from(!candidate.keeps_slo)][candidate.class as usize]
    }
}

/// What a function could give up, one of each class.
pub(crate) fn candidates(
    id: FunctionId,
    function: &Function,
    level1: bool,
    policy: &Policy,
) -> [Option<Candidate>; 4] {
    Class::ALL.map(|class| candidate(id, function, class, level1, policy))
}

fn candidate(
    id: FunctionId,
    function: &Function,
    class: Class,
    level1: bool,
    policy: &Policy,
) -> Option<Candidate> {
    let loss = loss(function, class, level1, policy)?;
    let is_inside = |rung| function.is_inside(rung, policy);
    let keeps_slo = is_inside(loss.after) || !is_inside(function.rung(level1));
    let cost = function.rate.order() + (loss.saved_us as f64 + 1.0).ln()
        - (loss.bytes as f64 + 1.0).ln()
        - f64::from(loss.alike).ln();
    Some(Candidate {
        function: id,
        class,
        keeps_slo,
        saved_us: loss.saved_us,
        bytes: loss.bytes,
        order: (cost * 1e6) as i64,
    })
}

/// What giving something up would mean.
struct Loss {
    bytes: u64,
    /// How much longer starts take that would have used it.
    saved_us: u64,
    /// The best rung afterwards.
    after: Rung,
    /// Others of its kind and function share the starts with it.
    alike: u32,
}

fn loss(function: &Function, class: Class, level1: bool, policy: &Policy) -> Option<Loss> {
    let (idle, parked) = (function.idle.len(), function.parked);
    let resident = function.template.is_resident();
    let median = |rung| function.latency_us(rung, 50, policy);
    let longer = |from, to| median(to).saturating_sub(median(from));
    let after = |idle, parked, template| function.best_rung(idle, parked, template, level1);
    Some(match class {
        Class::Idle => Loss {
            bytes: function.idle.front()?.bytes,
            saved_us: longer(Rung::Hot, after(0, parked, resident)),
            after: after(idle - 1, parked, resident),
            alike: idle as u32,
        },
        Class::Parked => Loss {
            bytes: function.parked_bytes,
            saved_us: longer(Rung::Parked, after(0, 0, resident)),
            after: after(idle, parked.checked_sub(1)?, resident),
            alike: parked,
        },
        Class::ToMapped if !policy.may_map => return None,
        Class::ToMapped => match function.template {
            Template::Ready {
                backing: Backing::Local,
                bytes,
            } => Loss {
                bytes: match bytes.checked_sub(function.template_size(Backing::Mapped, policy)) {
                    None | Some(0) => return None,
                    Some(saved_bytes) => saved_bytes,
                },
                saved_us: median(Rung::Clone) / 4,
                after: function.rung(level1),
                alike: 1,
            },
            _ => return None,
        },
        Class::Drop => match function.template {
            Template::Ready { bytes, .. } => Loss {
                bytes,
                saved_us: longer(Rung::Clone, after(0, 0, false)),
                after: after(idle, parked, false),
                alike: 1,
            },
            _ => return None,
        },
    })
}
