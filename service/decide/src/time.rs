//! Instants that are passed in. The crate has no clock.

use serde::Serialize;

/// Microseconds since an origin that the caller chooses, once for all calls. A time before one that was passed
/// in earlier counts as that one did: spans never become negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
pub struct Time(pub u64);

/// Microseconds in a second.
pub const SECOND_US: u64 = 1_000_000;
/// Microseconds in a minute.
pub const MINUTE_US: u64 = 60 * SECOND_US;
/// Microseconds in an hour.
pub const HOUR_US: u64 = 60 * MINUTE_US;

impl Time {
    /// The time `span_us` later.
    #[must_use]
    pub fn after(self, span_us: u64) -> Self {
        Self(self.0.saturating_add(span_us))
    }

    /// Microseconds from `earlier` until this time, 0 if it is not earlier.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}
