//! The yardstick: a static C program that does nothing but fork, exit and wait.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::Context;

use super::stage::Stage;
use super::system::{Look, System};

/// It measures itself, so that a sample has no part in which anything is told to it. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Yardstick {
    child: Child,
    wishes: ChildStdin,
    times: BufReader<ChildStdout>,
    /// What it has measured already: it does a whole block at once.
    ready: VecDeque<Duration>,
}

impl Yardstick {
    pub(super) fn start(stage: &Stage<'_>) -> anyhow::Result<Self> {
        let program = stage.ground.workshop.compiled("fork_yardstick")?;
        let mut command = Command::new(program);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .env_clear();
        let mut child = command.spawn().context("cannot start the yardstick")?;
        let wishes = child.stdin.take().context("no pipe")?;
        let times = BufReader::new(child.stdout.take().context("no pipe")?);
        Ok(Self {
            child,
            wishes,
            times,
            ready: VecDeque::new(),
        })
    }
}

impl Yardstick {
    fn measure(&mut self, n: u64) -> anyhow::Result<()> {
        writeln!(self.wishes, "{n}")?;
        for _ in 0..n {
            let mut line = String::new();
            self.times.read_line(&mut line)?;
            let nanos = line
                .trim()
                .parse()
                .context("the yardstick gives no number")?;
            self.ready.push_back(Duration::from_nanos(nanos));
        }
        Ok(())
    }
}

impl System for Yardstick {
    fn name(&self) -> &'static str {
        "fork-yardstick"
    }

    fn metric(&self) -> &'static str {
        "fork_us"
    }

    fn sample(&mut self, pause: Duration, _: &mut Look<'_>) -> anyhow::Result<Duration> {
        if !pause.is_zero() {
            super::rest(pause);
            self.ready.clear();
            self.measure(1)?;
        } else if self.ready.is_empty() {
            self.measure(super::rounds::BLOCK_SAMPLES)?;
        }
        self.ready
            .pop_front()
            .context("the yardstick gives nothing")
    }
}

impl Drop for Yardstick {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
