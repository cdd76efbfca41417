//! The daemon's side of the worker: starting it powerless, waiting for it, hearing it.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::process::{Pid, PidfdFlags};

use crate::error::{UnpackError, WorkerFault};
use crate::limits::Limits;
use crate::worker::{LIMITS_VARIABLE, Verdict};

/// The uid and gid of workers when the daemon is root: nobody(7).
const NOBODY: u32 = 65_534;
/// An honest verdict is much shorter.
const VERDICT_BYTES: u64 = 16 * 1_024;

/// The program that runs [`crate::worker_main`].
#[derive(Debug, Clone)]
pub struct Worker {
    program: PathBuf,
    args: Vec<OsString>,
    uid: u32,
}

impl Worker {
    /// `program` with `args`. It must be a binary, not a script, that others may execute. It is
    /// opened once, so replacing the file later does not change what runs.
    pub fn new(program: impl Into<PathBuf>, args: &[&str]) -> Self {
        let args = args.iter().map(OsString::from).collect();
        Self {
            program: program.into(),
            args,
            uid: NOBODY,
        }
    }

    /// The running program itself, with the hidden subcommand that calls [`crate::worker_main`].
    pub fn this_program(subcommand: &str) -> Self {
        Self::new("/proc/self/exe", &[subcommand])
    }

    /// Sets the uid and gid of the worker (65534, nobody, otherwise). Used only if the daemon is
    /// root; otherwise the worker has the daemon's own.
    pub fn with_uid(mut self, uid: u32) -> Self {
        self.uid = uid;
        self
    }

    /// The path of the program.
    pub fn program(&self) -> &Path {
        &self.program
    }
}

/// An opened [`Worker`], ready to be started any number of times.
#[derive(Debug)]
pub(crate) struct Launcher {
    program: OwnedFd,
    args: Vec<OsString>,
    /// The uid to switch to, if the daemon is root.
    pub(crate) uid: Option<u32>,
}

impl Launcher {
    pub(crate) fn open(worker: Worker) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let program = rustix::fs::openat(CWD, &worker.program, flags, Mode::empty())?;
        let uid = rustix::process::geteuid().is_root().then_some(worker.uid);
        Ok(Self {
            program,
            args: worker.args,
            uid,
        })
    }

    /// Runs one worker on `zip` (a file at offset 0) in `directory`, and returns its word, which
    /// is not yet to be believed. When this returns, the process is gone.
    pub(crate) fn run(
        &self,
        zip: File,
        directory: &OwnedFd,
        limits: &Limits,
    ) -> Result<Verdict, UnpackError> {
        let deadline = Instant::now() + Duration::from_millis(limits.timeout_ms);
        let timed_out = || WorkerFault::TimedOut {
            timeout_ms: limits.timeout_ms,
        };
        let mut running = self
            .start(zip, directory, limits)
            .map_err(|source| UnpackError::io("cannot start the unpacking process", source))?;
        let waiting = |source| UnpackError::io("cannot wait for the unpacking process", source);
        let text = running
            .read(deadline)
            .map_err(waiting)?
            .ok_or_else(timed_out)?;
        let status = running
            .wait(deadline)
            .map_err(waiting)?
            .ok_or_else(timed_out)?;
        if !status.success() {
            return Err(WorkerFault::Died { status }.into());
        }
        Ok(serde_json::from_slice(&text).map_err(|_| WorkerFault::BadVerdict)?)
    }

    /// Spawns with nothing but the zip, the directory, a pipe, and the limits. Both paths go
    /// through `/proc/self/fd` of the child before its `execve`, so neither the program nor the
    /// directory needs to be reachable by the unprivileged uid.
    fn start(&self, zip: File, directory: &OwnedFd, limits: &Limits) -> io::Result<Running> {
        let mut command = Command::new(format!("/proc/self/fd/{}", self.program.as_raw_fd()));
        command
            .args(&self.args)
            .arg0("offshoot-unpack")
            .env_clear()
            .env(LIMITS_VARIABLE, serde_json::to_string(limits)?)
            .current_dir(format!("/proc/self/fd/{}", directory.as_raw_fd()))
            .stdin(Stdio::from(zip))
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if let Some(uid) = self.uid {
            // The standard library also clears the supplementary groups then.
            command.uid(uid).gid(uid);
        }
        Ok(Running {
            child: command.spawn()?,
            reaped: false,
        })
    }
}

/// A started worker. Killed and reaped when dropped.
struct Running {
    child: Child,
    reaped: bool,
}

impl Running {
    /// All that it prints, cut at [`VERDICT_BYTES`], or `None` at the deadline.
    fn read(&mut self, deadline: Instant) -> io::Result<Option<Vec<u8>>> {
        let Some(mut stdout) = self.child.stdout.take() else {
            return Ok(Some(Vec::new()));
        };
        let mut text = Vec::new();
        loop {
            if !poll_until(&stdout, deadline)? {
                return Ok(None);
            }
            let mut piece = [0; 4_096];
            let len = stdout.read(&mut piece)?;
            text.extend_from_slice(&piece[..len]);
            if len == 0 || text.len() as u64 > VERDICT_BYTES {
                return Ok(Some(text));
            }
        }
    }

    fn wait(&mut self, deadline: Instant) -> io::Result<Option<ExitStatus>> {
        // The child is not reaped yet, so its PID is still its own.
        let pidfd = rustix::process::pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty())?;
        if !poll_until(&pidfd, deadline)? {
            return Ok(None);
        }
        let status = self.child.wait()?;
        self.reaped = true;
        Ok(Some(status))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.reaped {
            // Both fail only if the process is gone already.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Waits until `fd` is readable or hung up; false at the deadline.
fn poll_until(fd: &impl std::os::fd::AsFd, deadline: Instant) -> io::Result<bool> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        match rustix::event::poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&timeout)) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}
