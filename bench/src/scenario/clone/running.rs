//! A seed that was started, not cloned.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::line::{self, Line};
use super::seed::Seed;
use super::workshop::Workshop;

/// The descriptor that a seed reads and writes.
pub(super) const CHANNEL: u32 = 3;
/// The one that it writes where reading and writing are apart.
const SINK: u32 = 4;

/// The process, and our ends of what it reads and writes. Dropping it ends the process.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    requests: File,
    answers: File,
    buffer: Vec<u8>,
}

impl Running {
    /// Starts a seed with one socket for both directions.
    pub(super) fn start(seed: Seed, workshop: &Workshop) -> anyhow::Result<Self> {
        let line = Line::open(false)?;
        let requests = OwnedFd::from(line.ours.try_clone()?).into();
        let answers = OwnedFd::from(line.ours).into();
        let mut command = shell("exec \"$@\" 3<&0 </dev/null", seed, workshop, CHANNEL)?;
        command
            .stdin(OwnedFd::from(line.theirs))
            .stdout(Stdio::null());
        Self::spawn(command, requests, answers)
    }

    /// Starts a seed in a session of its own, with a pipe for each direction.
    pub(super) fn start_with_pipes(seed: Seed, workshop: &Workshop) -> anyhow::Result<Self> {
        let (source, requests) = std::io::pipe()?;
        let (answers, sink) = std::io::pipe()?;
        let script = "exec setsid \"$@\" 3<&0 4>&1 </dev/null >/dev/null";
        let mut command = shell(script, seed, workshop, SINK)?;
        command.stdin(source).stdout(sink);
        Self::spawn(
            command,
            OwnedFd::from(requests).into(),
            OwnedFd::from(answers).into(),
        )
    }

    fn spawn(mut command: Command, requests: File, answers: File) -> anyhow::Result<Self> {
        let child = command.stderr(Stdio::null()).spawn();
        Ok(Self {
            child: child.context("cannot start sh")?,
            requests,
            answers,
            buffer: Vec::new(),
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a request, already behind its length, and reads the answer.
    pub(super) fn call(&mut self, request: &[u8]) -> anyhow::Result<&[u8]> {
        self.requests.write_all(request)?;
        line::read_answer(&mut self.answers, &mut self.buffer)
    }

    /// Has the seed do its work often enough, and lets it come to rest. Gives the answer that it gave every time.
    pub(super) fn train(&mut self, seed: Seed, quick: bool) -> anyhow::Result<Vec<u8>> {
        let request = line::framed(&seed.request())?;
        let expected = self.call(&request)?.to_vec();
        let answer: Value = serde_json::from_slice(&expected).context("the answer is no JSON")?;
        ensure!(!answer["answer"].is_null(), "the answer is {answer}");
        for _ in 1..seed.training() {
            super::require_same(self.call(&request)?, &expected)?;
        }
        self.call(&line::framed(&json!("settle"))?)?;
        std::thread::sleep(seed.settling(quick));
        Ok(expected)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A shell that becomes the seed: only it can put a descriptor at a chosen number.
fn shell(script: &str, seed: Seed, workshop: &Workshop, sink: u32) -> anyhow::Result<Command> {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", script, "sh"])
        .args(seed.command(workshop, CHANNEL, sink)?);
    command
        .env_clear()
        .envs(seed.environment(workshop)?)
        .current_dir("/");
    Ok(command)
}
