//! The same program, started: from the request for a process to its first answer. The shell that puts the socket in its
//! place is part of it, as something has to do that; it takes less than a millisecond.

use std::time::{Duration, Instant};

use super::running::Running;
use super::stage::Stage;
use super::system::{Look, System};

#[derive(Debug)]
pub(super) struct Cold<'a>(&'a Stage<'a>);

impl<'a> Cold<'a> {
    pub(super) fn new(stage: &'a Stage<'a>) -> Self {
        Self(stage)
    }
}

impl System for Cold<'_> {
    fn name(&self) -> &'static str {
        "cold"
    }

    fn rarity(&self) -> u64 {
        10
    }

    fn sample(&mut self, pause: Duration, look: &mut Look<'_>) -> anyhow::Result<Duration> {
        super::rest(pause);
        let begun = Instant::now();
        let mut running = Running::start(self.0.seed, &self.0.ground.workshop)?;
        let answer = running.call(&self.0.request)?;
        let took = begun.elapsed();
        self.0.check(answer)?;
        look(i32::try_from(running.pid())?)?;
        Ok(took)
    }
}
