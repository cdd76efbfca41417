//! How fast nurseries may follow each other.

use std::time::Duration;

/// Before the second restart in a row; each further pause is twice as long.
const FIRST: Duration = Duration::from_millis(10);
/// No pause is longer.
const LONGEST: Duration = Duration::from_secs(5);
/// A nursery that was not missed for so long begins a new row.
const LONG_LIFE: Duration = Duration::from_secs(60);

/// Restarts in a row, each of which must be a little farther from the last start.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// From the last start to the next one, at least.
    distance: Duration,
}

impl Pace {
    /// How long to wait before the next start, `since` the last one. The first of a row is at once.
    pub(super) fn pause(&mut self, since: Duration) -> Duration {
        if since >= LONG_LIFE {
            self.distance = Duration::ZERO;
        }
        let pause = self.distance.saturating_sub(since);
        self.distance = (self.distance * 2).clamp(FIRST, LONGEST);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut pace = Pace::default();
        let pauses: Vec<u128> = (0..12)
            .map(|_| pace.pause(Duration::ZERO).as_millis())
            .collect();
        let expected = [0, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5000, 5000];
        assert_eq!(pauses, expected);
    }

    #[test]
    fn time_that_has_passed_counts() {
        let mut pace = Pace::default();
        let mut after_ms = |since| pace.pause(Duration::from_millis(since)).as_millis();
        assert_eq!(
            [after_ms(0), after_ms(4), after_ms(20), after_ms(39)],
            [0, 6, 0, 1]
        );
    }

    #[test]
    fn long_life_begins_a_new_row() {
        let mut pace = Pace::default();
        for _ in 0..20 {
            pace.pause(Duration::ZERO);
        }
        assert_eq!(
            pace.pause(LONG_LIFE - Duration::from_nanos(1)),
            Duration::ZERO
        );
        assert_eq!(pace.pause(Duration::ZERO), LONGEST);
        assert_eq!(pace.pause(LONG_LIFE), Duration::ZERO);
        assert_eq!(pace.pause(Duration::ZERO), FIRST);
    }
}
