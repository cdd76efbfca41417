//! The porter's latest actions, for people.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use offshoot_decide::{Action, Time};
use serde::Serialize;

/// How many are kept; with their words, some hundred kilobytes.
const KEPT: usize = 1024;

/// An action of the porter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decided {
    /// Counts the actions of this daemon's life, from 1.
    pub number: u64,
    /// When it was decided, in milliseconds since 1970.
    pub at_ms: u64,
    /// The function, and after a colon the version if that is not `$LATEST`; empty for what concerns the whole node.
    pub function: String,
    /// What is done, and how many of it or which.
    pub action: String,
    /// Why, with the figures.
    pub why: String,
}

/// The latest ones.
#[derive(Debug, Default)]
pub(crate) struct Decisions {
    ring: Mutex<Ring>,
}

#[derive(Debug, Default)]
struct Ring {
    count: u64,
    kept: VecDeque<Decided>,
}

impl Decisions {
    pub(crate) fn note(&self, clock: &Clock, action: &Action, function: String) {
        let mut ring = self.lock();
        ring.count += 1;
        let decided = Decided {
            number: ring.count,
            at_ms: clock.unix_ms(action.at),
            function,
            action: action.deed.to_string(),
            why: action.reason.to_string(),
        };
        if ring.kept.len() == KEPT {
            ring.kept.pop_front();
        }
        ring.kept.push_back(decided);
    }

    /// Those with greater numbers, oldest first.
    pub(crate) fn after(&self, number: u64) -> Vec<Decided> {
        let ring = self.lock();
        let newer = ring.kept.iter().rev();
        let mut newer: Vec<_> = newer
            .take_while(|decided| decided.number > number)
            .cloned()
            .collect();
        newer.reverse();
        newer
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The core's time: microseconds since the porter was made.
#[derive(Debug)]
pub(crate) struct Clock {
    origin: Instant,
    origin_ms: u64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            origin: Instant::now(),
            origin_ms: since_1970.map_or(0, |since| since.as_millis() as u64),
        }
    }

    pub(crate) fn now(&self) -> Time {
        Time(self.origin.elapsed().as_micros() as u64)
    }

    /// When a time is; none if that is past the end of all clocks.
    pub(crate) fn instant(&self, time: Time) -> Option<Instant> {
        let since = std::time::Duration::from_micros(time.0);
        self.origin.checked_add(since)
    }

    pub(crate) fn unix_ms(&self, time: Time) -> u64 {
        self.origin_ms.saturating_add(time.0 / 1000)
    }
}

#[cfg(test)]
mod tests {
    use offshoot_decide::{Deed, Reason};

    use super::*;

    #[test]
    fn the_latest_are_kept_and_numbers_go_on() {
        let (decisions, clock) = (Decisions::default(), Clock::new());
        let action = Action {
            at: Time(2_000),
            deed: Deed::SetGhosts { count: 3 },
            reason: Reason::Stale,
        };
        for _ in 0..KEPT + 10 {
            decisions.note(&clock, &action, String::new());
        }
        let all = decisions.after(0);
        assert_eq!((all.len(), all[0].number), (KEPT, 11));
        assert_eq!(all[0].at_ms, clock.origin_ms + 2);
        assert_eq!(all[0].action, "set_ghosts 3");
        let newest = decisions.after(KEPT as u64 + 8);
        let numbers: Vec<u64> = newest.iter().map(|decided| decided.number).collect();
        assert_eq!(numbers, [KEPT as u64 + 9, KEPT as u64 + 10]);
        assert!(decisions.after(KEPT as u64 + 10).is_empty());
    }
}
