//! A clone without a resident template: from the request for a template, through that for a clone, to its answer.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use offshoot_clone::{Memory, Nursery, Recipe};

use super::end;
use super::line;
use super::stage::Stage;
use super::system::{Look, System};

/// The image is open, and has been checked and compiled before; nothing is copied from it.
#[derive(Debug)]
pub(super) struct Restore<'a> {
    stage: &'a Stage<'a>,
    images: Vec<OwnedFd>,
    nursery: Nursery,
    /// Of the first template.
    recipe: Option<Arc<Recipe>>,
    buffer: Vec<u8>,
}

impl<'a> Restore<'a> {
    pub(super) fn new(stage: &'a Stage<'a>) -> anyhow::Result<Self> {
        Ok(Self {
            stage,
            images: stage.images()?,
            nursery: stage.nursery()?,
            recipe: None,
            buffer: Vec::new(),
        })
    }
}

impl System for Restore<'_> {
    fn name(&self) -> &'static str {
        "restore"
    }

    fn rarity(&self) -> u64 {
        2
    }

    fn sample(&mut self, pause: Duration, look: &mut Look<'_>) -> anyhow::Result<Duration> {
        let tasks = self.stage.ground.sandbox.tasks();
        let mut line = self.stage.line()?;
        super::rest(pause);
        let begun = Instant::now();
        let nursery = &mut self.nursery;
        let recipe = self.recipe.as_deref();
        let mut template = self
            .stage
            .template(nursery, &self.images, Memory::Mapped, recipe)?;
        let living = self.stage.fork(&mut template, &line, &tasks, None)?;
        let answer = match line::read_answer(&mut line.ours, &mut self.buffer) {
            Ok(answer) => answer,
            Err(error) => return Err(error.context(living.explain(nursery, &mut template))),
        };
        let took = begun.elapsed();
        self.stage.check(answer)?;
        self.recipe
            .get_or_insert_with(|| Arc::clone(template.recipe()));
        look(living.0.pid)?;
        let pids = [living.0.pid, template.pid()];
        drop((template, living));
        end::await_exits(nursery, &pids)?;
        Ok(took)
    }
}
