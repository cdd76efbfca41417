//! The keeper of a nursery: starts another one when it ends.
//!
//! 1. Death is noticed when something is asked for ([`Keeper::template`], [`Keeper::next_exit`]), by the nursery's pidfd:
//!    there is no thread and no timer. The dead nursery is reaped then, and its socket closed.
//! 2. The next one is started when a template is asked for, at least as long after the last start as [`Pace`] says.
//! 3. A request whose nursery ends is made once more. If that ends, too, the request is given up: it may be what kills them.
//!
//! What a nursery has made outlives it: clones live on, and a [`Template`] goes on making clones until it is dropped. They
//! have got another parent, which reaps them (see [`Nursery`]), so nobody reports how they end: their pidfds tell that
//! they have.

mod pace;

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Instant;

use crate::making::Making;
use crate::nursery::{Exit, Nursery, NurseryError};
use crate::template::{Template, TemplateError, TemplateSpec};
use pace::Pace;

/// A nursery, and another one whenever it has ended. The one that runs ends when this is dropped.
#[derive(Debug)]
pub struct Keeper {
    program: PathBuf,
    arguments: Vec<String>,
    /// None from the death of one until the start of the next.
    nursery: Option<Nursery>,
    /// When the last one was started, or could not be.
    started: Instant,
    pace: Pace,
    restarts: u64,
    last_end: Option<ExitStatus>,
    /// What dead nurseries have reported.
    exits: VecDeque<Exit>,
    /// Whether a nursery has ended, and [`Self::next_exit`] has not said so yet.
    has_lost: bool,
}

impl Keeper {
    /// Starts a nursery, as [`Nursery::start`] does.
    ///
    /// # Errors
    /// Those of [`Nursery::start`]; it is not tried again.
    pub fn start(program: &Path, arguments: &[&str]) -> Result<Self, NurseryError> {
        let started = Instant::now();
        Ok(Self {
            program: program.to_owned(),
            arguments: arguments.iter().map(ToString::to_string).collect(),
            nursery: Some(Nursery::start(program, arguments)?),
            started,
            pace: Pace::default(),
            restarts: 0,
            last_end: None,
            exits: VecDeque::new(),
            has_lost: false,
        })
    }

    /// Makes a template, as [`Nursery::template`] does, if need be with a new nursery.
    ///
    /// # Errors
    /// Those of [`Self::begin`], and of [`Making::finish`].
    pub fn template(&mut self, spec: &TemplateSpec<'_>) -> Result<Template, TemplateError> {
        self.begin(spec)?.finish()
    }

    /// Begins to make a template, as [`Nursery::begin`] does, if need be with a new nursery, for which it sleeps up to five
    /// seconds if the last ones have lived shortly.
    ///
    /// # Errors
    /// Those of [`Nursery::begin`], whose nursery is still there then; and
    /// [`NurseryError::EndedAgain`] if two nurseries have ended while they made this template;
    /// [`NurseryError::Restart`] if there is none and none can be started. After both, the next call tries to start one.
    pub fn begin(&mut self, spec: &TemplateSpec<'_>) -> Result<Making, TemplateError> {
        match self.try_begin(spec) {
            Err(TemplateError::Nursery(error)) if error.is_end() => self.bury(&error),
            tried => return tried,
        }
        match self.try_begin(spec) {
            Err(TemplateError::Nursery(error)) if error.is_end() => {
                self.bury(&error);
                Err(TemplateError::Nursery(NurseryError::EndedAgain))
            }
            tried => tried,
        }
    }

    /// The next process that has ended; waits for one.
    ///
    /// # Errors
    /// [`NurseryError::Ended`] once for nurseries that have ended since the last time, after all that they have reported;
    /// and, when [`Self::pid`] is none, as long as no other is started. How the processes end that they have made is
    /// reported by nobody: wait for their pidfds. (A later report may have an id that was one of theirs.)
    pub fn next_exit(&mut self) -> Result<Exit, NurseryError> {
        if self.exits.is_empty() && !self.has_lost {
            let nursery = self.nursery.as_mut().ok_or(NurseryError::Ended)?;
            match nursery.next_exit() {
                Err(error) if error.is_end() => self.bury(&error),
                next => return next,
            }
        }
        self.exits.pop_front().ok_or_else(|| {
            self.has_lost = false;
            NurseryError::Ended
        })
    }

    /// Readable when there is something that [`Self::next_exit`] would hear from the nursery; none when it has ended.
    pub fn notices(&self) -> Option<BorrowedFd<'_>> {
        self.nursery.as_ref().map(AsFd::as_fd)
    }

    /// The process id of the nursery, unless it is known to have ended.
    pub fn pid(&self) -> Option<u32> {
        self.nursery.as_ref().map(Nursery::pid)
    }

    /// How many nurseries have followed one that had ended.
    pub fn restarts(&self) -> u64 {
        self.restarts
    }

    /// How the last nursery ended that has, as far as that is known.
    pub fn last_end(&self) -> Option<ExitStatus> {
        self.last_end
    }

    /// One attempt, by a nursery that has not been killed before it: whoever was innocent of that gets both attempts.
    fn try_begin(&mut self, spec: &TemplateSpec<'_>) -> Result<Making, TemplateError> {
        if self
            .nursery
            .as_ref()
            .is_some_and(|nursery| !nursery.is_alive())
        {
            self.bury(&NurseryError::Ended);
        }
        let nursery = match &mut self.nursery {
            Some(nursery) => nursery,
            None => self.restart().map_err(TemplateError::Nursery)?,
        };
        nursery.begin(spec)
    }

    fn restart(&mut self) -> Result<&mut Nursery, NurseryError> {
        let pause = self.pace.pause(self.started.elapsed());
        std::thread::sleep(pause);
        self.started = Instant::now();
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let nursery = Nursery::start(&self.program, &arguments)
            .inspect_err(|error| tracing::error!(%error, "no nursery of templates"))
            .map_err(|error| NurseryError::Restart(Box::new(error)))?;
        self.restarts += 1;
        let (pid, restarts) = (nursery.pid(), self.restarts);
        tracing::info!(pid, restarts, ?pause, "a new nursery of templates");
        Ok(self.nursery.insert(nursery))
    }

    /// Reaps the nursery and closes its socket.
    fn bury(&mut self, why: &NurseryError) {
        let Some(nursery) = self.nursery.take() else {
            return;
        };
        let pid = nursery.pid();
        let (exits, status) = nursery.bury();
        self.exits.extend(exits);
        self.last_end = status.ok();
        self.has_lost = true;
        let status = self.last_end.map(tracing::field::display);
        tracing::warn!(pid, status, error = %why, "a nursery of templates has ended; clones live on");
    }
}
