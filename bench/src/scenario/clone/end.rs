//! The end of processes that are not our children.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use anyhow::{Context, ensure};
use offshoot_clone::{Cloned, Exit, Nursery, Template};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// How long a killed process may take to end.
const LIMIT: Duration = Duration::from_secs(30);
/// How the stub exits when it has said why.
const EXPLAINED: i32 = 93;

/// A clone that is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Living(pub(super) Cloned);

impl Living {
    /// Kills it, and waits until the nursery has reaped it.
    pub(super) fn end(self, nursery: &mut Nursery) -> anyhow::Result<()> {
        pidfd_send_signal(&self.0.pidfd, Signal::KILL).context("cannot kill a clone")?;
        await_exits(nursery, &[self.0.pid]).map(drop)
    }

    /// Why a clone gave no answer, as far as that can be known.
    pub(super) fn explain(self, nursery: &mut Nursery, template: &mut Template) -> anyhow::Error {
        if !has_ended(self.0.pidfd.as_fd(), Duration::from_secs(1)) {
            return anyhow::anyhow!("the clone lives");
        }
        let exit = match await_exits(nursery, &[self.0.pid]) {
            Ok(exit) => exit,
            Err(error) => return error,
        };
        if exit.code() == Some(EXPLAINED)
            && let Err(error) = template.await_running(&self.0)
        {
            return error.into();
        }
        let (code, signal) = (exit.code(), exit.signal());
        anyhow::anyhow!("the clone ended: exit code {code:?}, signal {signal:?}")
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        let _ = pidfd_send_signal(&self.0.pidfd, Signal::KILL);
    }
}

/// Waits for a process's end when it is dropped.
#[derive(Debug)]
pub(super) struct Ending(OwnedFd);

impl Ending {
    pub(super) fn of(pid: i32) -> anyhow::Result<Self> {
        let pid = Pid::from_raw(pid).context("no process")?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty());
        pidfd.map(Self).context("cannot open a pidfd")
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if let Err(error) = await_end(self.0.as_fd()) {
            eprintln!("bench: {error}");
        }
    }
}

/// Waits until the nursery has reaped these processes, of which there is at least one; gives the last one's end.
pub(super) fn await_exits(nursery: &mut Nursery, pids: &[i32]) -> anyhow::Result<Exit> {
    let mut left: BTreeSet<i32> = pids.iter().copied().collect();
    loop {
        // What the nursery has already told is found without waiting.
        let exit = nursery.next_exit()?;
        left.remove(&exit.pid);
        if left.is_empty() {
            return Ok(exit);
        }
    }
}

/// Waits until the process of a pidfd has ended.
pub(super) fn await_end(pidfd: BorrowedFd<'_>) -> anyhow::Result<()> {
    ensure!(has_ended(pidfd, LIMIT), "a process does not end");
    Ok(())
}

fn has_ended(pidfd: BorrowedFd<'_>, within: Duration) -> bool {
    let mut polled = [PollFd::from_borrowed_fd(pidfd, PollFlags::IN)];
    let limit = Timespec::try_from(within).ok();
    matches!(poll(&mut polled, limit.as_ref()), Ok(1..))
}
