//! The floor: a process that was never frozen, and is asked the same after the same pause as a parked clone.

use std::time::{Duration, Instant};

use super::running::Running;
use super::stage::Stage;
use super::system::{Look, System};
use super::templates::PARKED;

/// A seed that runs. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Hot<'a> {
    stage: &'a Stage<'a>,
    running: Running,
}

impl<'a> Hot<'a> {
    pub(super) fn start(stage: &'a Stage<'a>) -> anyhow::Result<Self> {
        let ground = stage.ground;
        let mut running = Running::start(stage.seed, &ground.workshop)?;
        running.train(stage.seed, ground.quick)?;
        Ok(Self { stage, running })
    }
}

impl System for Hot<'_> {
    fn name(&self) -> &'static str {
        "hot"
    }

    fn sample(&mut self, pause: Duration, _: &mut Look<'_>) -> anyhow::Result<Duration> {
        super::rest(pause.max(PARKED));
        let begun = Instant::now();
        let answer = self.running.call(&self.stage.request)?;
        let took = begun.elapsed();
        self.stage.check(answer)?;
        Ok(took)
    }
}
