//! What a function's first instance will use, when none of its was measured yet.

use crate::function::Function;
use crate::rung::Rung;

/// Parts of a whole.
const WHOLE: u64 = 1 << 10;
/// A newly measured function counts for one part in so many.
const WEIGHT: u64 = 4;

/// The part of their memory limit that functions turn out to use, in the mean: limits are set generously, as they buy
/// processor time, too. Until functions were measured, all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FirstSizes {
    part: u64,
}

impl Default for FirstSizes {
    fn default() -> Self {
        Self { part: WHOLE }
    }
}

impl FirstSizes {
    /// What an instance of a function with that limit is taken for.
    pub(crate) fn guess(self, limit_bytes: u64) -> u64 {
        (limit_bytes / WHOLE).saturating_mul(self.part)
    }

    /// Learns of the first instance of a function that was measured. Clones share their memory, and say nothing.
    pub(crate) fn learn(&mut self, function: &Function, born: Rung, bytes: u64) {
        let is_first = function.cold_bytes.is_none() && !born.is_clone() && bytes > 0;
        let limit = function.spec.memory_bytes.filter(|limit| *limit >= WHOLE);
        if let Some(limit) = limit.filter(|_| is_first) {
            let part = (bytes / (limit / WHOLE)).min(WHOLE);
            self.part = (self.part * (WEIGHT - 1) + part) / WEIGHT;
        }
    }
}
