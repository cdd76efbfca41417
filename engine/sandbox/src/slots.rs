//! Small numbers that are unique among live things: uids, address pairs.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Numbers from 0 up to a limit.
#[derive(Debug)]
pub(crate) struct Slots {
    limit: u32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    never_used: u32,
    returned: VecDeque<u32>,
}

/// A number that is ours until dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    number: u32,
    slots: Arc<Slots>,
}

impl Slots {
    pub(crate) fn new(limit: u32) -> Arc<Self> {
        Arc::new(Self {
            limit,
            state: Mutex::default(),
        })
    }

    pub(crate) fn limit(&self) -> u32 {
        self.limit
    }

    /// The number that was returned longest ago, or one never used; `None` when all are in use.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Slot> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let number = if let Some(number) = state.returned.pop_front() {
            number
        } else if state.never_used < self.limit {
            state.never_used += 1;
            state.never_used - 1
        } else {
            return None;
        };
        Some(Slot {
            number,
            slots: Arc::clone(self),
        })
    }
}

impl Slot {
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Keeps the number from ever being used again: something that bears it could not be removed.
    pub(crate) fn quarantine(self) {
        std::mem::forget(self);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self
            .slots
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        state.returned.push_back(self.number);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn live_numbers_are_distinct_and_end_at_the_limit() {
        let slots = Slots::new(3);
        let taken: Vec<Slot> = (0..3).map(|_| slots.take().unwrap()).collect();
        let numbers: Vec<u32> = taken.iter().map(Slot::number).collect();
        assert_eq!(numbers, [0, 1, 2]);
        assert!(slots.take().is_none());
    }

    #[test]
    fn returned_number_is_used_again_but_a_quarantined_one_is_not() {
        let slots = Slots::new(2);
        let (first, second) = (slots.take().unwrap(), slots.take().unwrap());
        first.quarantine();
        drop(second);
        assert_eq!(slots.take().unwrap().number(), 1);
        let _held = slots.take().unwrap();
        assert!(slots.take().is_none());
    }
}
