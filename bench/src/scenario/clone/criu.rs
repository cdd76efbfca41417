//! CRIU, where it is installed: from the start of `criu restore` to the answer.
//!
//! CRIU gives a restored process pipes in place of those that were open before, so this seed has a pipe for each
//! direction. The process gets the id that it had: there is one at a time. It joins no sandbox, which CRIU could not do
//! without restoring one.

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tempfile::TempDir;

use super::running::Running;
use super::stage::Stage;
use super::system::{Look, System};
use super::{end, line, workshop};

const LEAST_VERSION: u32 = 4;
/// How long the id of a process that has ended may be taken.
const REAP_LIMIT: Duration = Duration::from_secs(5);

/// An image of CRIU's.
#[derive(Debug)]
pub(super) struct Criu<'a> {
    stage: &'a Stage<'a>,
    folder: TempDir,
    /// What CRIU calls the pipes that were descriptors 3 and 4.
    pipes: [String; 2],
    pid: u32,
    buffer: Vec<u8>,
}

impl<'a> Criu<'a> {
    /// Fails if there is no CRIU, or it cannot freeze the seed.
    pub(super) fn prepare(stage: &'a Stage<'a>) -> anyhow::Result<Self> {
        check_version()?;
        let ground = stage.ground;
        let mut running = Running::start_with_pipes(stage.seed, &ground.workshop)?;
        running.train(stage.seed, ground.quick)?;
        let pid = running.pid();
        let pipe = |number: u32| -> anyhow::Result<String> {
            let link = fs::read_link(format!("/proc/{pid}/fd/{number}"))?;
            Ok(link.display().to_string())
        };
        let folder = tempfile::tempdir()?;
        let criu = Self {
            stage,
            pipes: [pipe(3)?, pipe(4)?],
            pid,
            buffer: Vec::new(),
            folder,
        };
        let mut dump = Command::new("criu");
        dump.args(["dump", "--tree", &pid.to_string(), "--images-dir"])
            .arg(criu.images());
        for pipe in &criu.pipes {
            dump.args(["--external", pipe]);
        }
        workshop::run(&mut dump)?;
        Ok(criu)
    }

    fn images(&self) -> &Path {
        self.folder.path()
    }

    fn pid_file(&self) -> PathBuf {
        self.folder.path().join("pid")
    }

    /// A shell puts the pipes at the numbers that CRIU is told.
    fn restore(&self, source: OwnedFd, sink: OwnedFd) -> anyhow::Result<()> {
        let _ = fs::remove_file(self.pid_file());
        let mut command = Command::new("/bin/sh");
        command.args([
            "-c",
            "exec \"$@\" 8<&0 9>&1 </dev/null >/dev/null",
            "sh",
            "criu",
        ]);
        command
            .args(["restore", "--restore-detached", "--images-dir"])
            .arg(self.images());
        command.arg("--pidfile").arg(self.pid_file());
        for (number, pipe) in [8, 9].into_iter().zip(&self.pipes) {
            command.args(["--inherit-fd", &format!("fd[{number}]:{pipe}")]);
        }
        command.stdin(source).stdout(sink).stderr(Stdio::null());
        let status = command.status().context("cannot run sh")?;
        ensure!(status.success(), "criu restore ended with {status}");
        Ok(())
    }

    /// Waits until the id is free again: whoever has become the parent must have reaped the process.
    fn end(&self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let pidfd = pidfd_open(pid.context("no process")?, PidfdFlags::empty())?;
        pidfd_send_signal(&pidfd, Signal::KILL)?;
        end::await_end(pidfd.as_fd())?;
        let begun = Instant::now();
        while Path::new(&format!("/proc/{}", self.pid)).exists() {
            ensure!(
                begun.elapsed() < REAP_LIMIT,
                "nobody reaps process {}",
                self.pid
            );
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

impl System for Criu<'_> {
    fn name(&self) -> &'static str {
        "criu"
    }

    fn rarity(&self) -> u64 {
        10
    }

    fn sample(&mut self, pause: Duration, look: &mut Look<'_>) -> anyhow::Result<Duration> {
        let (source, mut requests) = std::io::pipe()?;
        let (answers, sink) = std::io::pipe()?;
        requests.write_all(&self.stage.request)?;
        super::rest(pause);
        let begun = Instant::now();
        self.restore(source.into(), sink.into())?;
        let mut answers = File::from(OwnedFd::from(answers));
        let answer = line::read_answer(&mut answers, &mut self.buffer)?;
        let took = begun.elapsed();
        self.stage.check(answer)?;
        look(i32::try_from(self.pid)?)?;
        self.end()?;
        Ok(took)
    }
}

fn check_version() -> anyhow::Result<()> {
    let output = Command::new("criu")
        .arg("--version")
        .stdin(Stdio::null())
        .output();
    let Ok(output) = output else {
        bail!("it is not installed");
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let major = major_version(&text).context("it does not say its version")?;
    ensure!(
        major >= LEAST_VERSION,
        "version {major} is older than {LEAST_VERSION}"
    );
    Ok(())
}

/// `Version: 4.1` and more lines.
fn major_version(text: &str) -> Option<u32> {
    let version = text
        .lines()
        .find_map(|line| line.strip_prefix("Version:"))?;
    version.trim().split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_found_in_what_criu_says() {
        assert_eq!(major_version("Version: 4.1\nGitID: v4.1\n"), Some(4));
        assert_eq!(major_version("criu 4\n"), None);
    }
}
