//! A spinner on a terminal, nothing elsewhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// A step that takes a while; it vanishes when it ends.
#[derive(Debug)]
pub struct Step {
    bar: Option<ProgressBar>,
    begun: Instant,
}

impl Step {
    pub(super) fn start(text: &str, shown: bool) -> Self {
        let bar = shown.then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
                bar.set_style(style);
            }
            bar.set_message(text.to_owned());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self {
            bar,
            begun: Instant::now(),
        }
    }

    /// Ends the step and gives how long it took.
    pub fn end(self) -> Duration {
        self.begun.elapsed()
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
