//! Clones of a resident template: from the request for a clone to its answer, and from the waking of a parked clone to its
//! answer.

use std::io::Write;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use anyhow::Context;
use offshoot_clone::{Memory, Nursery, Template};
use rustix::event::{EventfdFlags, eventfd};

use super::end::{Ending, Living};
use super::line::{self, Line};
use super::stage::Stage;
use super::system::{Look, System};

/// How long a parked clone is left alone, at least.
pub(super) const PARKED: Duration = Duration::from_millis(5);

/// A template that is there, and how its clones are made.
#[derive(Debug)]
pub(super) struct FromTemplate<'a> {
    name: &'static str,
    is_parked: bool,
    stage: &'a Stage<'a>,
    template: Template,
    // Behind the template, which it would outlive otherwise; and behind both, the wait for the template's end.
    nursery: Nursery,
    _ending: Ending,
    buffer: Vec<u8>,
}

/// A clone that has answered.
#[derive(Debug)]
pub(super) struct Answered {
    living: Living,
    pub(super) took: Duration,
    // A clone whose socket is closed goes on to its end.
    _line: Line,
}

impl<'a> FromTemplate<'a> {
    /// Writable memory copied into the template.
    pub(super) fn local(stage: &'a Stage<'a>) -> anyhow::Result<Self> {
        Self::new("template-local", stage, Memory::Local, false)
    }

    /// All memory mapped from the pool.
    pub(super) fn mapped(stage: &'a Stage<'a>) -> anyhow::Result<Self> {
        Self::new("template-mapped", stage, Memory::Mapped, false)
    }

    /// As [`Self::local`], with clones that wait before they go on.
    pub(super) fn parked(stage: &'a Stage<'a>) -> anyhow::Result<Self> {
        Self::new("parked", stage, Memory::Local, true)
    }

    fn new(
        name: &'static str,
        stage: &'a Stage<'a>,
        memory: Memory,
        is_parked: bool,
    ) -> anyhow::Result<Self> {
        let mut nursery = stage.nursery()?;
        let template = stage.template(&mut nursery, &stage.images()?, memory, None);
        let template = template.context(name)?;
        Ok(Self {
            name,
            is_parked,
            stage,
            _ending: Ending::of(template.pid())?,
            template,
            nursery,
            buffer: Vec::new(),
        })
    }

    /// A clone, from the request for it to its answer.
    pub(super) fn direct(&mut self, pause: Duration) -> anyhow::Result<Answered> {
        let tasks = self.stage.ground.sandbox.tasks();
        let mut line = self.stage.line()?;
        super::rest(pause);
        let begun = Instant::now();
        let living = self.stage.fork(&mut self.template, &line, &tasks, None)?;
        let answer = self.answer(&mut line, begun);
        self.answered(living, line, answer)
    }

    /// A parked clone, from its waking to its answer.
    fn woken(&mut self, pause: Duration) -> anyhow::Result<Answered> {
        let tasks = self.stage.ground.sandbox.tasks();
        let mut line = self.stage.line()?;
        let park = eventfd(0, EventfdFlags::CLOEXEC)?;
        let living = self
            .stage
            .fork(&mut self.template, &line, &tasks, Some(park.as_fd()))?;
        self.template.await_parked(&living.0)?;
        super::rest(pause.max(PARKED));
        let mut park = std::fs::File::from(park);
        let begun = Instant::now();
        park.write_all(&1_u64.to_ne_bytes())?;
        let answer = self.answer(&mut line, begun);
        self.answered(living, line, answer)
    }

    fn answer(&mut self, line: &mut Line, begun: Instant) -> anyhow::Result<Duration> {
        let answer = line::read_answer(&mut line.ours, &mut self.buffer)?;
        let took = begun.elapsed();
        self.stage.check(answer)?;
        Ok(took)
    }

    fn answered(
        &mut self,
        living: Living,
        line: Line,
        took: anyhow::Result<Duration>,
    ) -> anyhow::Result<Answered> {
        match took {
            Ok(took) => Ok(Answered {
                living,
                took,
                _line: line,
            }),
            Err(error) => Err(error.context(living.explain(&mut self.nursery, &mut self.template))),
        }
    }

    /// Ends a clone and waits for that.
    pub(super) fn retire(&mut self, answered: Answered) -> anyhow::Result<()> {
        answered.living.end(&mut self.nursery)
    }
}

impl System for FromTemplate<'_> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn sample(&mut self, pause: Duration, look: &mut Look<'_>) -> anyhow::Result<Duration> {
        let answered = if self.is_parked {
            self.woken(pause)?
        } else {
            self.direct(pause)?
        };
        look(answered.living.0.pid)?;
        let took = answered.took;
        self.retire(answered)?;
        Ok(took)
    }
}
