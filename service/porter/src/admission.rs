//! Concurrency: how many events a function, and all functions together, may have in flight.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Why an invocation is refused; Lambda's `Reason` of a 429.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThrottleReason {
    /// The account's unreserved concurrency is in use.
    ConcurrentInvocationLimitExceeded,
    /// The function's reserved concurrency is in use.
    ReservedFunctionConcurrentInvocationLimitExceeded,
}

/// Counts the events in flight.
#[derive(Debug)]
pub(crate) struct Admission {
    account_limit: u32,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// In flight of functions without a reservation.
    unreserved: u32,
    /// In flight and reserved, of functions with a reservation that has been seen.
    reserved: HashMap<Arc<str>, Reserved>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Reserved {
    in_flight: u32,
    limit: u32,
}

/// A place in the count; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    admission: Arc<Admission>,
    /// The function, if it has a reservation.
    reserved: Option<Arc<str>>,
}

impl Admission {
    pub(crate) fn new(account_limit: u32) -> Arc<Self> {
        Arc::new(Self {
            account_limit,
            counts: Mutex::default(),
        })
    }

    /// Takes a place for one event of `function`.
    pub(crate) fn admit(
        self: &Arc<Self>,
        function: &Arc<str>,
        reservation: Option<u32>,
    ) -> Result<Place, ThrottleReason> {
        let mut counts = self.lock();
        let Some(limit) = reservation else {
            counts
                .reserved
                .retain(|name, reserved| name != function || reserved.in_flight > 0);
            let set_apart: u32 = counts
                .reserved
                .values()
                .map(|reserved| reserved.limit)
                .sum();
            if counts.unreserved >= self.account_limit.saturating_sub(set_apart) {
                return Err(ThrottleReason::ConcurrentInvocationLimitExceeded);
            }
            counts.unreserved += 1;
            return Ok(Place {
                admission: Arc::clone(self),
                reserved: None,
            });
        };
        let reserved = counts.reserved.entry(Arc::clone(function)).or_default();
        reserved.limit = limit;
        if reserved.in_flight >= limit {
            return Err(ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded);
        }
        reserved.in_flight += 1;
        Ok(Place {
            admission: Arc::clone(self),
            reserved: Some(Arc::clone(function)),
        })
    }

    /// Forgets the reservation of a deleted function.
    pub(crate) fn forget(&self, function: &str) {
        if let Some(reserved) = self.lock().reserved.get_mut(function) {
            reserved.limit = 0;
        }
    }

    fn release(&self, reserved: Option<&Arc<str>>) {
        let mut counts = self.lock();
        match reserved.and_then(|function| counts.reserved.get_mut(function)) {
            Some(reserved) => reserved.in_flight = reserved.in_flight.saturating_sub(1),
            None => counts.unreserved = counts.unreserved.saturating_sub(1),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.admission.release(self.reserved.as_ref());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_reservation_is_the_functions_limit_and_taken_from_the_others() {
        let admission = Admission::new(3);
        let (one, two): (Arc<str>, Arc<str>) = ("one".into(), "two".into());
        let held = [
            admission.admit(&one, Some(2)).unwrap(),
            admission.admit(&one, Some(2)).unwrap(),
        ];
        let refused = admission.admit(&one, Some(2)).unwrap_err();
        assert_eq!(
            refused,
            ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded
        );
        let other = admission.admit(&two, None).unwrap();
        let refused = admission.admit(&two, None).unwrap_err();
        assert_eq!(refused, ThrottleReason::ConcurrentInvocationLimitExceeded);
        drop((held, other));
        assert!(admission.admit(&one, Some(2)).is_ok());
        assert!(admission.admit(&two, None).is_ok());
    }

    #[test]
    fn a_reservation_of_zero_refuses_everything() {
        let admission = Admission::new(3);
        assert!(admission.admit(&"f".into(), Some(0)).is_err());
    }
}
