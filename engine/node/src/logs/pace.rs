//! How fast a function may log.
//!
//! More than two segments is not kept in any case, but each line costs the daemon's time, which belongs to all functions.
//! So what is over a rate has to wait, in the function's own pipe: a leaky bucket, of which only the time is kept at
//! which it will have run dry.

use std::time::{Duration, Instant};

/// What all instances of a function may log for long, in bytes of the log a second. More would be thrown away within two
/// seconds, and each closed segment keeps a worker for some milliseconds (the kernel frees the one before it).
const BYTES_PER_S: u64 = 4 << 20;
/// What may come at once: a function that prints much once ends in its time.
const BURST_BYTES: u64 = 64 << 20;

/// What a function has logged of late.
#[derive(Debug, Default)]
pub(super) struct Pace {
    dry_at: Option<Instant>,
}

impl Pace {
    /// Counts bytes that are logged now; gives how long to wait before there are more.
    pub(super) fn spend(&mut self, bytes: usize, now: Instant) -> Duration {
        let dry_at = self.dry_at.map_or(now, |at| at.max(now)) + time_of(bytes as u64);
        self.dry_at = Some(dry_at);
        (dry_at - now).saturating_sub(time_of(BURST_BYTES))
    }
}

fn time_of(bytes: u64) -> Duration {
    Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / BYTES_PER_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn burst_is_free_and_what_is_beyond_it_waits_as_long_as_the_rate_wants() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        assert_eq!(pace.spend(64 * MIB, now), Duration::ZERO);
        assert_eq!(pace.spend(8 * MIB, now), Duration::from_secs(2));
        // Whoever waits so long has no debt, and may go on at the rate.
        let later = now + Duration::from_secs(2);
        assert_eq!(pace.spend(MIB, later), Duration::from_millis(250));
    }

    #[test]
    fn idle_time_earns_one_burst_and_no_more() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        pace.spend(64 * MIB, now);
        let much_later = now + Duration::from_secs(60);
        assert_eq!(pace.spend(64 * MIB, much_later), Duration::ZERO);
        assert_eq!(pace.spend(MIB, much_later), Duration::from_millis(250));
    }
}
