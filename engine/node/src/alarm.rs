//! The clock that ends an event's time.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// An instance's timer. It stays registered between events: moving a pending timer to a later time is one atomic
/// store (tokio's `Sleep::reset`), while a new one that is due before all others makes tokio write to its eventfd and
/// wait twice, two system calls too many for each event. The price is one idle wake-up at most, a time-out after an
/// instance's last event.
#[derive(Debug, Default)]
pub(crate) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// The timer, which fires after `delay`; to be given back.
    pub(crate) fn set(&mut self, delay: Duration) -> Pin<Box<Sleep>> {
        let due = Instant::now() + delay;
        match self.0.take() {
            Some(mut timer) => {
                timer.as_mut().reset(due);
                timer
            }
            None => Box::pin(tokio::time::sleep_until(due)),
        }
    }

    /// Takes the timer back.
    pub(crate) fn keep(&mut self, timer: Pin<Box<Sleep>>) {
        self.0 = Some(timer);
    }
}
