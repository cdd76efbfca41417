//! A process that forks others into sandboxes, as a template of a seed does: single-threaded, with next to no memory.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use offshoot_sandbox::{Occupied, Taken};
use offshoot_sys::packet;
use rustix::io::Errno;

use super::clock::Cost;

const SOURCE: &str = include_str!("../../seeds/joiner.c");
/// Three numbers of eight bytes; `struct answer` of the source.
const ANSWER_BYTES: usize = 24;

/// Compiles the program into a folder.
pub(super) fn compile(folder: &Path) -> anyhow::Result<PathBuf> {
    let (source, program) = (folder.join("joiner.c"), folder.join("joiner"));
    fs::write(&source, SOURCE)?;
    let mut cc = Command::new("cc");
    cc.args(["-O2", "-static", "-o"]).arg(&program).arg(&source);
    let output = cc.stdin(Stdio::null()).output();
    let output = output.context("cannot run cc (Debian package gcc)")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cc failed: {}", said.trim());
    Ok(program)
}

/// It runs. Dropping it ends it; if we are killed, it ends with its socket.
#[derive(Debug)]
pub(super) struct Joiner {
    child: Child,
    socket: OwnedFd,
}

impl Joiner {
    pub(super) fn start(program: &Path) -> anyhow::Result<Self> {
        let (socket, theirs) = packet::pair()?;
        let mut command = Command::new(program);
        command.stdin(Stdio::from(theirs)).env_clear();
        let child = command.spawn().context("cannot start the joiner")?;
        Ok(Self { child, socket })
    }

    /// Has a process join a sandbox, write a file there and exit; says what the joining cost.
    pub(super) fn send(&self, taken: Taken) -> anyhow::Result<(Occupied, Cost)> {
        let join = taken.join().context("the sandbox has no init")?;
        let mut fds: Vec<BorrowedFd<'_>> = vec![join.pidfd, join.cgroup];
        fds.extend(join.tasks.iter().map(AsFd::as_fd));
        packet::send(self.socket.as_fd(), &join.namespaces.to_ne_bytes(), &fds)?;
        let occupied = taken.occupied();
        let answer = packet::receive(self.socket.as_fd())?;
        let (bytes, _) = answer.context("the joiner ended")?;
        Ok((occupied, cost(&bytes)?))
    }
}

fn cost(answer: &[u8]) -> anyhow::Result<Cost> {
    ensure!(answer.len() == ANSWER_BYTES, "the joiner gives no numbers");
    let number = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&answer[8 * at..8 * at + 8]);
        i64::from_ne_bytes(bytes)
    };
    let error = i32::try_from(number(2))?;
    if error != 0 {
        return Err(Errno::from_raw_os_error(error)).context("a process cannot join its sandbox");
    }
    let duration = |at: usize| u64::try_from(number(at)).map(Duration::from_nanos);
    Ok(Cost {
        took: duration(0)?,
        cpu: duration(1)?,
    })
}

impl Drop for Joiner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn answer(wall_ns: i64, cpu_ns: i64, error: i64) -> Vec<u8> {
        [wall_ns, cpu_ns, error].map(i64::to_ne_bytes).concat()
    }

    #[test]
    fn answer_is_a_cost_or_says_what_failed() {
        let found = cost(&answer(3_000, 2_000, 0)).unwrap();
        assert_eq!(
            (found.took.as_nanos(), found.cpu.as_nanos()),
            (3_000, 2_000)
        );
        let failed = cost(&answer(1, 1, i64::from(Errno::PERM.raw_os_error())));
        assert!(format!("{:#}", failed.unwrap_err()).contains("not permitted"));
        assert!(cost(&[0; 23]).is_err());
        assert!(cost(&answer(-1, 0, 0)).is_err());
    }
}
