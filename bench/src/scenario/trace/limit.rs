//! How a system is kept within so much memory.
//!
//! The daemon bounds instances by their number (`limits.max_instances`: the one that has been idle for longest goes, then the
//! parked one) and templates by theirs (`seeds.resident`), not by their memory. So the numbers are worked out from sizes that
//! were measured in this run, the same way for every system, and `peak_kb` says what was really used.

/// What things take on this machine, in KiB, in the mean over the functions of the trace.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Sizes {
    /// The daemon before the first event: itself, its nurseries, the pool.
    pub(super) base: f64,
    /// An instance that was started.
    pub(super) started: f64,
    /// A clone.
    pub(super) clone: f64,
    /// A resident template.
    pub(super) template: f64,
}

/// What a daemon may have at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit {
    /// Instances, parked ones included.
    pub(super) instances: u64,
    /// Templates.
    pub(super) resident: u64,
}

impl Limit {
    /// More than any trace needs.
    pub(super) const NONE: Self = Self {
        instances: 100_000,
        resident: 100_000,
    };

    /// Instances that were started, in so much memory.
    pub(super) fn keep_alive(budget_kb: f64, sizes: &Sizes) -> Self {
        Self {
            instances: count(budget_kb - sizes.base, sizes.started),
            resident: 1,
        }
    }

    /// Half of the memory for templates, at most one for each function; the rest for clones.
    pub(super) fn seeds(budget_kb: f64, sizes: &Sizes, functions: u64) -> Self {
        let room = budget_kb - sizes.base;
        let resident = count(room / 2.0, sizes.template).min(functions.max(1));
        let left = room - resident as f64 * sizes.template;
        Self {
            instances: count(left, sizes.clone),
            resident,
        }
    }
}

/// At least one: a system that may have none answers nobody.
fn count(room_kb: f64, each_kb: f64) -> u64 {
    let fits = (room_kb / each_kb.max(1.0)).floor();
    if fits.is_finite() && fits >= 1.0 {
        (fits as u64).min(Limit::NONE.instances)
    } else {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: Sizes = Sizes {
        base: 50_000.0,
        started: 20_000.0,
        clone: 2_000.0,
        template: 15_000.0,
    };

    #[test]
    fn keep_alive_gets_as_many_instances_as_fit_beside_the_daemon() {
        assert_eq!(Limit::keep_alive(1_050_000.0, &SIZES).instances, 50);
        assert_eq!(Limit::keep_alive(1_049_999.0, &SIZES).instances, 49);
    }

    #[test]
    fn templates_get_half_and_clones_what_is_left() {
        let found = Limit::seeds(1_050_000.0, &SIZES, 1000);
        assert_eq!((found.resident, found.instances), (33, 252));
        let few = Limit::seeds(1_050_000.0, &SIZES, 2);
        assert_eq!((few.resident, few.instances), (2, 485));
    }

    #[test]
    fn memory_that_is_too_little_still_answers_one_caller_at_a_time() {
        for budget in [0.0, -1.0, f64::NAN] {
            let found = Limit::seeds(budget, &SIZES, 10);
            assert_eq!((found.resident, found.instances), (1, 1));
            assert_eq!(Limit::keep_alive(budget, &SIZES).instances, 1);
        }
        assert_eq!(
            Limit::keep_alive(1e18, &Sizes::default()),
            Limit {
                instances: 100_000,
                resident: 1
            }
        );
    }
}
