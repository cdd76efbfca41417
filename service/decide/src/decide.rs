//! One decision: what has changed, what is due, and what memory demands.

use crate::action::{Action, Deed, Reason};
use crate::core::Core;
use crate::event::{FunctionId, SeedOf};
use crate::function::{Function, Template};
use crate::pressure::Pressure;
use crate::reclaim::{self, Class, Wanted};
use crate::review::Review;
use crate::rung::Backing;
use crate::runtime::Runtime;
use crate::time::{SECOND_US, Time};

impl Core {
    /// What to do now, in this order. Everything in it counts as done, but templates and seeds, which are
    /// reported when they are there.
    ///
    /// Looks at functions that have changed, at those of which something is due, and at as many as memory demands;
    /// never at all of them. If more than `reviews_at_once` have changed, [`Core::next_due`] is now.
    pub fn decide(&mut self, now: Time) -> Vec<Action> {
        let mut out = Vec::new();
        self.announce_cap(now, &mut out);
        self.review_changed(now, &mut out);
        self.review_due(now, &mut out);
        self.review_runtimes(now, &mut out);
        self.fulfil_hopes(now);
        self.begin_seeds(now, &mut out);
        self.reclaim_surplus(now, &mut out);
        self.drop_images(now, &mut out);
        self.review_ghosts(now, &mut out);
        out
    }

    /// Gives things up, cheapest first, until no more than `goal_bytes` are used; false if that cannot be had.
    /// At most `most` of them.
    pub(crate) fn reclaim(
        &mut self,
        now: Time,
        goal_bytes: u64,
        wanted: Wanted,
        most: usize,
        out: &mut Vec<Action>,
    ) -> bool {
        let mut pending_bytes = 0;
        for _ in 0..most {
            let used_bytes = self.memory.used_bytes().saturating_sub(pending_bytes);
            if used_bytes <= goal_bytes {
                return true;
            }
            let Some((id, class)) = self.candidates.first(wanted) else {
                return false;
            };
            let given_up = self.with_review(now, id, out, |review, function| {
                give_up(review, function, class, goal_bytes)
            });
            pending_bytes += given_up.unwrap_or(0);
        }
        self.memory.used_bytes() <= goal_bytes
    }

    fn announce_cap(&mut self, now: Time, out: &mut Vec<Action>) {
        let level = self.memory.update(&self.policy);
        let caps = self.policy.keep_alive_caps_us;
        let cap_us = match level {
            Pressure::None => None,
            level => Some(caps[level as usize - 1]),
        };
        if cap_us != self.cap_us {
            self.cap_us = cap_us;
            let deed = Deed::SetKeepAliveCap { cap_us };
            out.push(Self::node_action(now, deed, self.memory.reason()));
        }
    }

    fn review_changed(&mut self, now: Time, out: &mut Vec<Action>) {
        let count = self.dirty.len().min(self.policy.reviews_at_once.max(1));
        let changed: Vec<FunctionId> = self.dirty.drain(..count).collect();
        self.dirty_since = (!self.dirty.is_empty()).then_some(Time(0));
        if self.dirty.is_empty() {
            self.unindexed.clear();
        }
        for id in changed {
            if let Some(function) = self.get_mut(id) {
                function.is_dirty = false;
            }
            self.review(now, id, out);
        }
    }

    fn review_due(&mut self, now: Time, out: &mut Vec<Action>) {
        while let Some((due, id)) = self.due.first().copied() {
            if due > now {
                break;
            }
            self.review(now, id, out);
        }
        let Some(cap_us) = self.cap_us else { return };
        while let Some((since, id)) = self.idle_since.first().copied() {
            if now.since(since) < cap_us {
                break;
            }
            self.review(now, id, out);
        }
    }

    fn review(&mut self, now: Time, id: FunctionId, out: &mut Vec<Action>) {
        self.with_review(now, id, out, |review, function| {
            review.run(function);
            review.rotate_seed(function);
        });
        self.drop_unused_image(now, id, out);
        self.queue_seed(id);
    }

    fn queue_seed(&mut self, id: FunctionId) {
        let Some(Some(function)) = self.functions.get_mut(id.0 as usize) else {
            return;
        };
        if function.seed.is_wanted(function.invocations) && !function.is_queued {
            function.is_queued = true;
            self.seed_queue.push_back(id);
        } else if function.seed.is_welcome(function.invocations, &self.policy)
            && !(function.is_hoping || function.is_queued)
        {
            function.is_hoping = true;
            self.hoping.push_back(id);
            self.hopes_due.get_or_insert(Time(0));
        }
    }

    /// In an idle moment, seeds that may be made early are wanted now, as many as can be begun.
    fn fulfil_hopes(&mut self, now: Time) {
        if self.hopes_due.is_none_or(|due| due > now) {
            return;
        }
        let free = self.policy.seeds_at_once.max(1);
        let busy = self.seeds_in_making.len() + self.seed_queue.len();
        let begun = if self.memory.is_idle() {
            free.saturating_sub(busy).min(self.hoping.len())
        } else {
            0
        };
        for id in self.hoping.drain(..begun).collect::<Vec<_>>() {
            let Some(function) = self.get_mut(id) else {
                continue;
            };
            function.is_hoping = false;
            function.seed.want(function.invocations);
            self.queue_seed(id);
        }
        // The end of a seed that is being made is an occasion to look again.
        let again = now.after(self.policy.early_look_us);
        let waits = !self.hoping.is_empty() && self.seeds_in_making.is_empty() && begun == 0;
        self.hopes_due = waits.then_some(again);
    }

    /// Begins the seeds that are wanted, a few at a time.
    fn begin_seeds(&mut self, now: Time, out: &mut Vec<Action>) {
        while self.seeds_in_making.len() < self.policy.seeds_at_once.max(1)
            && self.memory.level() < Pressure::Critical
        {
            let Some(id) = self.seed_queue.front().copied() else {
                return;
            };
            if !self.begin_seed(now, id, out) {
                return;
            }
            self.seed_queue.pop_front();
            if let Some(function) = self.get_mut(id) {
                function.is_queued = false;
            }
        }
    }

    /// Begins a function's seed if memory can be had without harm to others; false if it must wait.
    fn begin_seed(&mut self, now: Time, id: FunctionId, out: &mut Vec<Action>) -> bool {
        self.guess_size(id);
        let wanting = self.get(id).filter(|it| it.seed.is_wanted(it.invocations));
        let Some(function) = wanting else { return true };
        let needed = function.init_size(self.has_level1(function), &self.policy);
        let limit = self.memory.limit_bytes();
        let wanted = Wanted {
            spare: Some(id),
            is_urgent: true,
            may_break: false,
        };
        let fits = self.memory.fits(needed)
            || needed <= limit
                && self.can_spare(id, limit - needed)
                && self.reclaim(now, limit - needed, wanted, usize::MAX, out);
        if !fits {
            return false;
        }
        let after = self.policy.seed_after;
        self.seeds_in_making.insert(id);
        self.with_review(now, id, out, |review, function| {
            let count = function.invocations;
            let reason = match function.spec.seed_at_publish {
                true => Reason::Published,
                false if count < after => Reason::Spare { count, after },
                false => Reason::Invocations { count, after },
            };
            review.memory.take(needed);
            function.seed_bytes = needed;
            function.seed.begin();
            review.act(
                function,
                Deed::MakeSeed {
                    seed: SeedOf::Function(id),
                },
                reason,
            );
        });
        true
    }

    fn drop_unused_image(&mut self, now: Time, id: FunctionId, out: &mut Vec<Action>) {
        let Some(function) = self.get(id) else { return };
        let since_us = now.since(function.last_start.unwrap_or(function.added));
        let after_us = self.policy.seed_idle_us;
        if may_drop(function) && since_us >= after_us {
            self.drop_image(now, id, Reason::Unused { since_us, after_us }, out);
        }
    }

    fn drop_image(&mut self, now: Time, id: FunctionId, reason: Reason, out: &mut Vec<Action>) {
        let after = self.policy.seed_after;
        let dropped = self.with_review(now, id, out, |review, function| {
            let bytes = function.seed.image_bytes().unwrap_or(0);
            if function.template != Template::None {
                review.drop_template(function, reason.clone());
            }
            function.seed.drop_image(function.invocations, after);
            review.act(function, Deed::DropSeed { function: id }, reason);
            bytes
        });
        self.image_bytes -= dropped.unwrap_or(0);
    }

    fn review_runtimes(&mut self, now: Time, out: &mut Vec<Action>) {
        let level = self.memory.level();
        let is_due = |it: &Runtime| it.due(&self.policy).is_some_and(|due| due <= now);
        let due = self.runtimes.iter().zip(0..).filter(|(it, _)| is_due(it));
        let due: Vec<u32> = due.map(|(_, number)| number).collect();
        let changed = std::mem::take(&mut self.dirty_runtimes);
        for number in changed.into_iter().chain(due) {
            let runtime = &mut self.runtimes[number as usize];
            let seed = SeedOf::Runtime(runtime.name.clone());
            let (deed, reason) = if runtime.seed.is_wanted(runtime.starts) {
                if level == Pressure::Critical {
                    continue;
                }
                runtime.seed.begin();
                (
                    Deed::MakeSeed { seed },
                    Reason::ColdStarts {
                        count: runtime.starts,
                    },
                )
            } else if let Some(reason) = runtime.seed.rotation(now, runtime.starts, &self.policy) {
                if level >= Pressure::High {
                    let later = self.policy.hysteresis_us.max(SECOND_US);
                    runtime.not_before = Some(now.after(later));
                    continue;
                }
                runtime.not_before = None;
                runtime.seed.begin_rotation();
                (Deed::RotateSeed { seed }, reason)
            } else {
                continue;
            };
            out.push(Self::node_action(now, deed, reason));
        }
    }

    fn reclaim_surplus(&mut self, now: Time, out: &mut Vec<Action>) {
        let Some(goal) = self.memory.goal_bytes(&self.policy) else {
            return;
        };
        let wanted = Wanted {
            spare: None,
            is_urgent: false,
            may_break: true,
        };
        self.reclaim(now, goal, wanted, self.policy.reviews_at_once.max(1), out);
        self.memory.forgive();
    }

    /// Images above the budget go: first those without a template, of these the least used.
    fn drop_images(&mut self, now: Time, out: &mut Vec<Action>) {
        let budget_bytes = self.policy.disk_budget_bytes;
        while self.image_bytes > budget_bytes {
            let mut images = self.images.iter().map(|(_, _, id)| *id);
            let found = images.find(|id| self.get(*id).is_some_and(may_drop));
            let Some(id) = found else { break };
            let reason = Reason::Disk {
                used_bytes: self.image_bytes,
                budget_bytes,
            };
            self.drop_image(now, id, reason, out);
        }
    }

    fn review_ghosts(&mut self, now: Time, out: &mut Vec<Action>) {
        let is_pressed = self.is_pressed();
        if let Some(count) = self.ghosts.review(now, is_pressed, &self.policy) {
            let per_second = self.ghosts.per_second(now);
            let reason = Reason::Takes {
                per_second,
                refill_us: self.policy.ghost_refill_us,
            };
            out.push(Self::node_action(now, Deed::SetGhosts { count }, reason));
        }
        self.ghosts.postpone(now, &self.policy);
    }
}

impl Review<'_> {
    fn rotate_seed(&mut self, function: &mut Function) {
        let Some(reason) = function
            .seed
            .rotation(self.now, function.invocations, self.policy)
        else {
            return;
        };
        let needed = function.init_size(self.level1, self.policy);
        if self.level >= Pressure::High || !self.memory.fits(needed) {
            return;
        }
        self.memory.take(needed);
        function.seed_bytes = needed;
        function.seed.begin_rotation();
        self.act(
            function,
            Deed::RotateSeed {
                seed: SeedOf::Function(self.id),
            },
            reason,
        );
    }
}

/// Whether the image can go: nothing is being made of it.
fn may_drop(function: &Function) -> bool {
    let is_still = matches!(function.template, Template::None | Template::Ready { .. });
    is_still && function.seed.image_bytes().is_some()
}

/// Gives up one thing of a class. Bytes that are free only later are returned; others are counted as free.
fn give_up(review: &mut Review<'_>, function: &mut Function, class: Class, goal_bytes: u64) -> u64 {
    let offers = reclaim::candidates(review.id, function, review.level1, review.policy);
    let Some(offer) = offers
        .into_iter()
        .flatten()
        .find(|offer| offer.class == class)
    else {
        return 0;
    };
    let reason = Reason::Memory {
        used_bytes: review.memory.used_bytes(),
        goal_bytes,
        freed_bytes: offer.bytes,
        saved_us: offer.saved_us,
        per_second: function.rate.per_second(review.now),
        keeps_slo: offer.keeps_slo,
    };
    match class {
        Class::Idle => {
            function.idle.pop_front();
            review.memory.free(offer.bytes);
            review.act(
                function,
                Deed::RetireIdle {
                    function: review.id,
                    count: 1,
                },
                reason,
            );
        }
        Class::Parked => review.unpark(function, 1, reason),
        Class::ToMapped => {
            review.replace_template(function, Backing::Mapped, reason);
            return offer.bytes;
        }
        Class::Drop => review.drop_template(function, reason),
    }
    0
}
