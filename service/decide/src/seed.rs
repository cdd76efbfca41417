//! Seeds: when one is made, made anew, and dropped.
//!
//! ```text
//! Absent ──begin──> Making ──ready──> Ready ──rotate──> Ready, renewing ──ready──> Ready
//!    ^                │                 │                       └──failed──> Ready
//!    └──── failed ────┘                 └──drop──> Absent
//! ```

use serde::Serialize;

use crate::action::Reason;
use crate::policy::Policy;
use crate::time::Time;

/// Failures after which the wait for the next attempt doubles no more.
const MOST_DOUBLINGS: u32 = 10;

/// A seed's image, or where it is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
#[allow(missing_docs, reason = "the fields are named by what they are")]
pub enum SeedState {
    /// There is none.
    Absent,
    /// It is being made.
    Making,
    /// It is on disk.
    Ready {
        image_bytes: u64,
        made: Time,
        renewing: bool,
    },
}

/// A seed, and what its fate is decided by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seed {
    pub(crate) state: SeedState,
    /// Clones since it was made.
    pub(crate) clones: u64,
    /// Invocations at which it is made, or made anew after a failure to rotate.
    wanted_at: u64,
    failures: u32,
}

impl Seed {
    pub(crate) fn new(wanted_at: u64) -> Self {
        Self {
            state: SeedState::Absent,
            clones: 0,
            wanted_at,
            failures: 0,
        }
    }

    pub(crate) fn image_bytes(&self) -> Option<u64> {
        match self.state {
            SeedState::Ready { image_bytes, .. } => Some(image_bytes),
            _ => None,
        }
    }

    /// Whether it should be made after so many invocations.
    pub(crate) fn is_wanted(&self, invocations: u64) -> bool {
        self.state == SeedState::Absent && invocations >= self.wanted_at
    }

    /// It is wanted as soon as so many invocations have ended.
    pub(crate) fn want(&mut self, invocations: u64) {
        self.wanted_at = self.wanted_at.min(invocations);
    }

    /// Whether it could be made early. One that has failed waits as long as it must.
    pub(crate) fn is_welcome(&self, invocations: u64, policy: &Policy) -> bool {
        self.state == SeedState::Absent
            && self.failures == 0
            && invocations >= policy.seed_early_after
    }

    pub(crate) fn begin(&mut self) {
        self.state = SeedState::Making;
    }

    pub(crate) fn ready(&mut self, now: Time, image_bytes: u64) {
        self.state = SeedState::Ready {
            image_bytes,
            made: now,
            renewing: false,
        };
        self.clones = 0;
        self.failures = 0;
    }

    /// Its size has become known.
    pub(crate) fn resize(&mut self, bytes: u64) {
        if let SeedState::Ready { image_bytes, .. } = &mut self.state {
            *image_bytes = bytes;
        }
    }

    /// The next attempt waits for as many invocations as the first one did, then twice as many, and so on.
    pub(crate) fn failed(&mut self, invocations: u64, seed_after: u64) {
        let wait = seed_after.max(1) << self.failures.min(MOST_DOUBLINGS);
        self.failures = self.failures.saturating_add(1);
        self.wanted_at = invocations.saturating_add(wait);
        match &mut self.state {
            SeedState::Ready { renewing, .. } => *renewing = false,
            state => *state = SeedState::Absent,
        }
    }

    /// Dropped because nobody needs it: made again after as many invocations as at first.
    pub(crate) fn drop_image(&mut self, invocations: u64, seed_after: u64) {
        self.state = SeedState::Absent;
        self.wanted_at = invocations.saturating_add(seed_after);
        self.clones = 0;
    }

    /// Why it should be made anew now, if it should. A seed without clones gives nothing away: it stays.
    pub(crate) fn rotation(&self, now: Time, invocations: u64, policy: &Policy) -> Option<Reason> {
        let SeedState::Ready {
            made,
            renewing: false,
            ..
        } = self.state
        else {
            return None;
        };
        if self.clones == 0 || self.failures > 0 && invocations < self.wanted_at {
            return None;
        }
        let age_us = now.since(made);
        if self.clones >= policy.rotate_after_clones {
            let after = policy.rotate_after_clones;
            return Some(Reason::Clones {
                count: self.clones,
                after,
            });
        }
        let after_us = policy.rotate_after_us;
        (age_us >= after_us).then_some(Reason::Age { age_us, after_us })
    }

    pub(crate) fn begin_rotation(&mut self) {
        if let SeedState::Ready { renewing, .. } = &mut self.state {
            *renewing = true;
        }
    }

    /// When its age calls for another look.
    pub(crate) fn due(&self, policy: &Policy) -> Option<Time> {
        match self.state {
            SeedState::Ready {
                made,
                renewing: false,
                ..
            } if self.clones > 0 && self.failures == 0 => Some(made.after(policy.rotate_after_us)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_wait_longer_each_time() {
        let mut seed = Seed::new(16);
        assert!(!seed.is_wanted(15) && seed.is_wanted(16));
        seed.begin();
        assert!(!seed.is_wanted(1000));
        seed.failed(16, 16);
        assert!(!seed.is_wanted(31) && seed.is_wanted(32));
        seed.begin();
        seed.failed(32, 16);
        assert!(!seed.is_wanted(63) && seed.is_wanted(64));
    }

    #[test]
    fn a_failed_rotation_keeps_the_old_image() {
        let policy = Policy {
            rotate_after_clones: 2,
            ..Policy::default()
        };
        let mut seed = Seed::new(0);
        seed.begin();
        seed.ready(Time(0), 7);
        seed.clones = 2;
        assert!(seed.rotation(Time(1), 2, &policy).is_some());
        seed.begin_rotation();
        assert_eq!(seed.rotation(Time(1), 2, &policy), None);
        seed.failed(2, 16);
        assert_eq!(seed.image_bytes(), Some(7));
        assert_eq!(seed.rotation(Time(1), 17, &policy), None);
        assert!(seed.rotation(Time(1), 18, &policy).is_some());
    }
}
