//! What the systems have in common.

use std::time::Duration;

/// Looks at a process that has answered, by its id.
pub(super) type Look<'a> = dyn FnMut(i32) -> anyhow::Result<()> + 'a;

/// A way to get an answer from a process that did not run before.
pub(super) trait System {
    /// As in the figures.
    fn name(&self) -> &'static str;

    /// What a sample is.
    fn metric(&self) -> &'static str {
        "to_response_us"
    }

    /// Of how many samples of the others it gets one, being slow.
    fn rarity(&self) -> u64 {
        1
    }

    /// Waits for `pause` with all prepared, takes one sample, and lets `look` look before the process is ended. What it
    /// gives is the time until the answer had been read; everything else is outside of it.
    fn sample(&mut self, pause: Duration, look: &mut Look<'_>) -> anyhow::Result<Duration>;
}
