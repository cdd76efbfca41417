//! How many ghost sandboxes are kept ready.

use crate::policy::Policy;
use crate::rate::Rate;
use crate::time::{SECOND_US, Time};

/// How fast a sandbox that was taken is forgotten.
const FADE_US: u64 = 10 * SECOND_US;

/// Twice what is taken while one is made, and at least the policy's minimum. The target rises at once and falls
/// after the hysteresis, in steps.
#[derive(Debug)]
pub(crate) struct Ghosts {
    takes: Rate,
    target: u32,
    /// Since when fewer would do.
    changed: Time,
}

impl Ghosts {
    pub(crate) fn new() -> Self {
        Self {
            takes: Rate::new(FADE_US),
            target: 0,
            changed: Time(0),
        }
    }

    pub(crate) fn taken(&mut self, now: Time) {
        self.takes.record(now);
    }

    pub(crate) fn per_second(&self, now: Time) -> f64 {
        self.takes.per_second(now)
    }

    pub(crate) fn target(&self) -> u32 {
        self.target
    }

    /// The new target, if it has changed.
    pub(crate) fn review(&mut self, now: Time, is_pressed: bool, policy: &Policy) -> Option<u32> {
        let wanted = self.wanted(now, is_pressed, policy);
        let may_fall = is_pressed || now.since(self.changed) >= policy.hysteresis_us;
        // Small falls are not worth the work.
        let falls = wanted < self.target && wanted <= self.target - self.target / 4;
        if wanted > self.target || falls && may_fall {
            self.target = wanted;
            self.changed = now;
            return Some(wanted);
        }
        None
    }

    /// When fewer may do.
    pub(crate) fn due(&self, policy: &Policy) -> Option<Time> {
        (self.target > policy.ghosts.0).then(|| self.changed.after(policy.hysteresis_us))
    }

    /// Another look was taken and nothing changed: the next one in a while.
    pub(crate) fn postpone(&mut self, now: Time, policy: &Policy) {
        if self.due(policy).is_some_and(|due| due <= now) {
            self.changed = now;
        }
    }

    fn wanted(&self, now: Time, is_pressed: bool, policy: &Policy) -> u32 {
        let (least, most) = policy.ghosts;
        if is_pressed {
            return least;
        }
        let while_one_is_made =
            self.takes.per_second(now) * policy.ghost_refill_us as f64 / SECOND_US as f64;
        ((2.0 * while_one_is_made).ceil() as u32).clamp(least, most.max(least))
    }
}
