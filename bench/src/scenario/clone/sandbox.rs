//! The sandbox that every sample joins: namespaces that one idle process holds, and control groups.

use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};
use offshoot_clone::SandboxJoin;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::thread::ThreadNameSpaceType;

use super::groups::Groups;

/// A sandbox. Dropping it ends its process and removes its groups.
#[derive(Debug)]
pub(super) struct Sandbox {
    pidfd: OwnedFd,
    _ghost: Ghost,
    // Behind the process, so that the groups are empty when they are removed.
    groups: Groups,
}

/// `cat` in namespaces of its own; it ends with its standard input, so even if we are killed.
#[derive(Debug)]
struct Ghost(Child);

impl Drop for Ghost {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Sandbox {
    pub(super) fn make() -> anyhow::Result<Self> {
        let groups = Groups::make()?;
        let child = Command::new("unshare")
            .args(["--mount", "--ipc", "--uts", "--net", "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut ghost = Ghost(child.context("cannot run unshare (package util-linux)")?);
        ghost.await_echo().context("unshare made no namespaces")?;
        let pid = Pid::from_child(&ghost.0);
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).context("cannot open a pidfd")?;
        Ok(Self {
            pidfd,
            _ghost: ghost,
            groups,
        })
    }

    /// The `tasks` files that [`Self::join`] wants.
    pub(super) fn tasks(&self) -> Vec<BorrowedFd<'_>> {
        self.groups.tasks()
    }

    /// What a clone is told; `tasks` are those of [`Self::tasks`].
    pub(super) fn join<'a>(&'a self, tasks: &'a [BorrowedFd<'a>]) -> SandboxJoin<'a> {
        let namespaces = ThreadNameSpaceType::MOUNT
            | ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION
            | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME
            | ThreadNameSpaceType::NETWORK;
        SandboxJoin {
            pidfd: self.pidfd.as_fd(),
            namespaces: namespaces.bits(),
            cgroup: self.groups.unified(),
            tasks,
        }
    }
}

impl Ghost {
    /// What it echoes, it echoes from within the namespaces.
    fn await_echo(&mut self) -> anyhow::Result<()> {
        let (to, from) = (self.0.stdin.as_mut(), self.0.stdout.as_mut());
        let (to, from) = (to.context("no pipe")?, from.context("no pipe")?);
        to.write_all(b"\n")?;
        let mut echo = [0];
        ensure!(from.read(&mut echo)? == 1, "it ended");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn sandbox_has_namespaces_of_its_own_and_leaves_no_process() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: namespaces want root");
            return;
        }
        let sandbox = Sandbox::make().unwrap();
        let pid = sandbox._ghost.0.id();
        for kind in ["mnt", "ipc", "uts", "net"] {
            let of = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap();
            assert_ne!(of(&pid.to_string()), of("self"), "{kind}");
        }
        drop(sandbox);
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    }
}
