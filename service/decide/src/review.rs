//! What one function needs, looked at when it has changed or something of it is due.

use crate::action::{Action, Deed, Reason};
use crate::event::FunctionId;
use crate::function::{Function, Template};
use crate::policy::Policy;
use crate::pressure::{Memory, Pressure};
use crate::rung::{Backing, Rung};
use crate::time::Time;

/// What a review may use, and where its actions go.
pub(crate) struct Review<'a> {
    pub(crate) now: Time,
    pub(crate) id: FunctionId,
    pub(crate) policy: &'a Policy,
    pub(crate) memory: &'a mut Memory,
    pub(crate) level: Pressure,
    pub(crate) cap_us: Option<u64>,
    pub(crate) level1: bool,
    pub(crate) out: &'a mut Vec<Action>,
}

impl Review<'_> {
    /// Everything but seeds, which may need memory of others.
    pub(crate) fn run(&mut self, function: &mut Function) {
        self.window(function);
        self.idle(function);
        self.parked(function);
        self.template(function);
    }

    /// When the function must be looked at again, if nothing happens until then; seeds aside.
    pub(crate) fn due(&self, function: &Function) -> Option<Time> {
        let policy = self.policy;
        let last = function.last_start.unwrap_or(function.added);
        let idle = function
            .idle
            .front()
            .map(|idle| idle.since.after(function.window_us));
        let settled =
            |stamp: Option<Time>| stamp.map_or(Time(0), |at| at.after(policy.hysteresis_us));
        let parked = (function.parked > 0).then(|| {
            last.after(policy.parked_idle_us)
                .max(settled(function.stamps.parked))
        });
        let template = match function.template {
            Template::Ready { .. } => Some(
                last.after(policy.template_idle_us)
                    .max(settled(function.stamps.template)),
            ),
            Template::None if function.missed > 0 => function
                .stamps
                .template
                .map(|at| at.after(policy.hysteresis_us)),
            _ => None,
        };
        // What memory pressure has put off is looked at when the function is called, not by the clock.
        let template = template.filter(|due| *due > self.now);
        idle.into_iter().chain(parked).chain(template).min()
    }

    pub(crate) fn act(&mut self, function: &mut Function, deed: Deed, reason: Reason) {
        let action = Action {
            at: self.now,
            deed,
            reason,
        };
        function.remember(action.clone());
        self.out.push(action);
    }

    fn is_settled(&self, stamp: Option<Time>) -> bool {
        stamp.is_none_or(|at| self.now.since(at) >= self.policy.hysteresis_us)
    }

    /// The keep-alive window: as long as 99 of 100 gaps between calls.
    fn window(&mut self, function: &mut Function) {
        let samples = function.gaps.samples();
        let percentile = |percent| function.gaps.percentile_us(percent).unwrap_or(0);
        let (p50_us, p99_us) = (percentile(50), percentile(99));
        if samples < self.policy.gaps_needed || !self.is_settled(function.stamps.window) {
            return;
        }
        let window_us = self.window_us(function, p50_us, p99_us);
        let change_us = window_us.abs_diff(function.window_us);
        if change_us > function.window_us / 4 {
            function.window_us = window_us;
            function.stamps.window = Some(self.now);
            let deed = Deed::SetKeepAlive {
                function: self.id,
                window_us,
            };
            self.act(
                function,
                deed,
                Reason::Gaps {
                    samples,
                    p50_us,
                    p99_us,
                },
            );
        }
    }

    fn window_us(&self, function: &Function, p50_us: u64, p99_us: u64) -> u64 {
        let (least, most) = (self.policy.keep_alive_min_us, self.policy.keep_alive_max_us);
        let next = function.best_rung(0, 0, function.template.is_resident(), self.level1);
        // Most calls come after any window: waiting for them is wasted, if a start costs little.
        if p50_us > most && function.is_inside(next, self.policy) {
            return least;
        }
        p99_us.clamp(least, most.max(least))
    }

    fn idle(&mut self, function: &mut Function) {
        let window_us = function.window_us;
        let allowed_us = self.cap_us.map_or(window_us, |cap| cap.min(window_us));
        let (mut count, mut bytes, mut longest_us) = (0, 0, 0);
        while let Some(idle) = function.idle.front() {
            let idle_us = self.now.since(idle.since);
            if idle_us < allowed_us {
                break;
            }
            longest_us = idle_us.max(longest_us);
            bytes += idle.bytes;
            count += 1;
            function.idle.pop_front();
        }
        if count > 0 {
            self.memory.free(bytes);
            let reason = Reason::Idle {
                idle_us: longest_us,
                window_us,
                cap_us: self.cap_us,
            };
            self.act(
                function,
                Deed::RetireIdle {
                    function: self.id,
                    count,
                },
                reason,
            );
        }
    }

    fn parked(&mut self, function: &mut Function) {
        if function.only_recalled() {
            return;
        }
        let unused_us = self
            .now
            .since(function.last_start.unwrap_or(function.added));
        if unused_us >= self.policy.parked_idle_us {
            if !self.is_settled(function.stamps.parked) {
                return;
            }
            let after_us = self.policy.parked_idle_us;
            let reason = Reason::Unused {
                since_us: unused_us,
                after_us,
            };
            self.unpark(function, function.parked, reason);
            return;
        }
        let (target, reason) = self.parked_target(function);
        if target > function.parked && self.is_settled(function.stamps.unparked) {
            let size = function.clone_size(self.policy);
            let room = (1..=target - function.parked).rev().find(|count| {
                self.memory
                    .fits_easily(size * u64::from(*count), self.policy)
            });
            if let Some(count) = room {
                self.park(function, count, size, reason);
            }
        } else if target < function.parked && self.is_settled(function.stamps.parked) {
            self.unpark(function, function.parked - target, reason);
        }
    }

    /// How many clones should wait: as many as a burst of late needed beyond what is there, and at least one if
    /// a clone made on demand misses the median target.
    fn parked_target(&self, function: &Function) -> (u32, Reason) {
        let peak = function
            .peak
            .value(self.now, self.policy.rate_fade_us)
            .round() as u32;
        let ready = function.idle.len() as u32 + function.busy;
        let clone_p50_us = function.latency_us(Rung::Clone, 50, self.policy);
        let target_p50_us = function.spec.slo.p50_us;
        let is_slow = clone_p50_us > target_p50_us;
        let burst = peak.saturating_sub(ready);
        let target = match self.level {
            Pressure::None if function.template.is_resident() => {
                burst.max(u32::from(is_slow)).max(self.policy.parked_min)
            }
            // Neither more nor fewer: under pressure they go by cost, and without a template they may be the
            // best rung that is left.
            _ => function.parked,
        };
        let parked = function.parked;
        let reason = Reason::Demand {
            peak,
            ready,
            parked,
            clone_p50_us,
            target_p50_us,
        };
        (target.min(self.policy.parked_max), reason)
    }

    fn park(&mut self, function: &mut Function, count: u32, size: u64, reason: Reason) {
        let held = function.parked_bytes * u64::from(function.parked);
        function.parked += count;
        function.parked_bytes = (held + size * u64::from(count)) / u64::from(function.parked);
        function.stamps.parked = Some(self.now);
        self.memory.take(size * u64::from(count));
        self.act(
            function,
            Deed::Park {
                function: self.id,
                count,
            },
            reason,
        );
    }

    pub(crate) fn unpark(&mut self, function: &mut Function, count: u32, reason: Reason) {
        if count == 0 {
            return;
        }
        function.parked -= count;
        function.stamps.unparked = Some(self.now);
        self.memory.free(function.parked_bytes * u64::from(count));
        self.act(
            function,
            Deed::Unpark {
                function: self.id,
                count,
            },
            reason,
        );
    }

    fn template(&mut self, function: &mut Function) {
        let unused_us = self
            .now
            .since(function.last_start.unwrap_or(function.added));
        let after_us = self.policy.template_idle_us;
        match function.template {
            Template::Ready { backing, .. } if function.is_stale => {
                self.unpark(function, function.parked, Reason::Stale);
                self.replace_template(function, backing, Reason::Stale);
            }
            Template::Ready { .. } if unused_us >= after_us => {
                if !self.is_settled(function.stamps.template) {
                    return;
                }
                self.drop_template(
                    function,
                    Reason::Unused {
                        since_us: unused_us,
                        after_us,
                    },
                );
            }
            Template::Ready {
                backing: Backing::Mapped,
                ..
            } => self.promote(function),
            Template::None if function.missed > 0 => self.make_template(function),
            _ => {}
        }
    }

    fn make_template(&mut self, function: &mut Function) {
        let may = function.seed.image_bytes().is_some() && self.level == Pressure::None;
        if !may || !self.is_settled(function.stamps.template) {
            return;
        }
        let sizes = [Backing::Local, Backing::Mapped]
            .map(|backing| (backing, function.template_size(backing, self.policy)));
        let fits = |bytes| self.memory.fits_easily(bytes, self.policy);
        let may = |backing| match backing {
            Backing::Local => !(function.only_recalled() && self.policy.may_map),
            Backing::Mapped => self.policy.may_map,
        };
        let found = sizes
            .into_iter()
            .find(|(backing, bytes)| may(*backing) && fits(*bytes));
        let Some((backing, bytes)) = found else {
            return;
        };
        let reason = Reason::Wanted {
            only_recalled: function.only_recalled(),
            used_bytes: self.memory.used_bytes(),
            needed_bytes: bytes,
            limit_bytes: self.memory.limit_bytes(),
        };
        self.memory.take(bytes);
        function.template = Template::Making { backing, bytes };
        function.stamps.template = Some(self.now);
        self.act(
            function,
            Deed::MakeTemplate {
                function: self.id,
                backing,
            },
            reason,
        );
    }

    /// A mapped template whose clones are too slow becomes a local one.
    fn promote(&mut self, function: &mut Function) {
        let clone_p99_us = function.latency_us(Rung::Clone, 99, self.policy);
        let target_p99_us = function.spec.slo.p99_us;
        let size = function.template_size(Backing::Local, self.policy);
        let may = self.level == Pressure::None && self.is_settled(function.stamps.template);
        if clone_p99_us > target_p99_us && may && self.memory.fits_easily(size, self.policy) {
            let reason = Reason::TooSlow {
                clone_p99_us,
                target_p99_us,
            };
            self.replace_template(function, Backing::Local, reason);
        }
    }

    pub(crate) fn replace_template(
        &mut self,
        function: &mut Function,
        backing: Backing,
        reason: Reason,
    ) {
        function.is_stale = false;
        function.stamps.template = Some(self.now);
        function.template = Template::Changing {
            to: backing,
            bytes: function.template.bytes(),
        };
        self.act(
            function,
            Deed::ReplaceTemplate {
                function: self.id,
                backing,
            },
            reason,
        );
    }

    pub(crate) fn drop_template(&mut self, function: &mut Function, reason: Reason) {
        self.memory.free(function.template.bytes());
        function.template = Template::None;
        function.is_stale = false;
        function.is_recalled = false;
        function.missed = 0;
        function.stamps.template = Some(self.now);
        self.act(function, Deed::DropTemplate { function: self.id }, reason);
    }
}
