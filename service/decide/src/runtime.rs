//! Runtimes and their level-1 seeds, from which functions start that have none of their own.

use std::sync::Arc;

use crate::core::Core;
use crate::event::FunctionId;
use crate::function::Function;
use crate::policy::Policy;
use crate::seed::{Seed, SeedState};
use crate::time::Time;

/// A runtime and its level-1 seed.
#[derive(Debug)]
pub(crate) struct Runtime {
    pub(crate) name: Arc<str>,
    pub(crate) seed: Seed,
    /// Starts of functions that had no seed of their own.
    pub(crate) starts: u64,
    /// Memory was short when its seed should have been made anew: not before this.
    pub(crate) not_before: Option<Time>,
}

impl Runtime {
    /// When the age of its seed calls for another look.
    pub(crate) fn due(&self, policy: &Policy) -> Option<Time> {
        let due = self.seed.due(policy)?;
        Some(self.not_before.map_or(due, |least| due.max(least)))
    }
}

impl Core {
    /// What is known of a runtime's seed that comes and goes by itself: the size of its image, or none if there is none. Its
    /// functions are looked at again if that is news.
    pub fn observe_runtime(&mut self, now: Time, name: &Arc<str>, image_bytes: Option<u64>) {
        let number = self.runtime(name);
        let runtime = &mut self.runtimes[number as usize];
        match (runtime.seed.image_bytes(), image_bytes) {
            (None, Some(bytes)) => runtime.seed.ready(now, bytes),
            (Some(_), None) => {
                let after = self.policy.level1_after;
                runtime.seed.drop_image(runtime.starts, after);
            }
            // A size of 0 is one that is not known.
            (Some(_), Some(bytes)) if bytes > 0 => return runtime.seed.resize(bytes),
            _ => return,
        }
        self.touch_runtime(now, number);
    }

    /// Marks all functions of a runtime as changed.
    pub(crate) fn touch_runtime(&mut self, now: Time, number: u32) {
        let functions = self.functions.iter().enumerate();
        let is_of_it = |function: &Option<Function>| {
            function
                .as_ref()
                .is_some_and(|function| function.runtime == Some(number))
        };
        let ids: Vec<FunctionId> = functions
            .filter(|(_, function)| is_of_it(function))
            .map(|(id, _)| FunctionId(id as u32))
            .collect();
        ids.into_iter().for_each(|id| self.touch(now, id));
    }

    /// The runtime whose seed a function may start from.
    pub(crate) fn runtime_of(&self, function: &Function) -> Option<&Runtime> {
        Some(&self.runtimes[function.runtime? as usize])
    }

    /// Whether a function can start from its runtime's seed now.
    pub(crate) fn has_level1(&self, function: &Function) -> bool {
        let is_ready = |it: &Runtime| matches!(it.seed.state, SeedState::Ready { .. });
        !function.shuns_runtime && self.runtime_of(function).is_some_and(is_ready)
    }

    /// The number of a runtime, which becomes known by it.
    pub(crate) fn runtime(&mut self, name: &Arc<str>) -> u32 {
        let next = self.runtimes.len() as u32;
        let number = *self.runtime_numbers.entry(Arc::clone(name)).or_insert(next);
        if number == next {
            let seed = Seed::new(self.policy.level1_after);
            self.runtimes.push(Runtime {
                name: Arc::clone(name),
                seed,
                starts: 0,
                not_before: None,
            });
        }
        number
    }
}
