//! The process that becomes the runtime: descriptors, credentials, filter, working directory,
//! program.
//!
//! Limits, empty bounding set, no supplementary groups, `no_new_privs`, the umask and the larger
//! part of the filter are set once in the nursery and inherited ([`crate::nursery`]).

use std::convert::Infallible;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use offshoot_sys::clone::{self, CloneRequest, FreshChild};
use offshoot_sys::fds;
use rustix::fs::{Mode, OFlags};
use rustix::process::Pid;
use rustix::thread::{Gid, Uid};

use super::{Parcel, StageClock, drop_capabilities, tell};
use crate::nursery::Inherited;
use crate::seccomp;
use crate::stage::{At, Failure, Stage};
use crate::wire::Report;

/// The descriptor number of the shared-memory channel.
const CHANNEL_FD: i32 = 3;
/// What the process exits with when it cannot execute the program, as shells do.
const EXEC_FAILED: u8 = 127;

/// Forks the runtime's process; returns when it has executed its program, or failed to and said so.
pub(super) fn spawn(
    child: &FreshChild,
    inherited: &Inherited,
    parcel: &Parcel,
    clock: &mut StageClock,
) -> Result<Pid, Failure> {
    let request = CloneRequest {
        wait_for_exec: true,
        ..CloneRequest::default()
    };
    let spawned = clone::spawn(child.single_thread(), &request, |grandchild| {
        let Err(failure) = execute(grandchild, inherited, parcel);
        tell(parcel.control.as_fd(), &Report::Failed(failure), &[]);
        EXEC_FAILED
    })
    .at(Stage::Fork)?;
    clock.end(Stage::Exec);
    Pid::from_raw(spawned.pid).ok_or(Failure {
        stage: Stage::Fork,
        errno: libc::ESRCH,
    })
}

fn execute(
    child: &FreshChild,
    inherited: &Inherited,
    parcel: &Parcel,
) -> Result<Infallible, Failure> {
    arrange_descriptors(child, parcel)?;
    rustix::process::setsid().at(Stage::Credentials)?;
    become_user(parcel.plan.uid).at(Stage::Credentials)?;
    seccomp::load(&inherited.inner_filter).at(Stage::Seccomp)?;
    // As the sandbox's user and inside its root: a directory that it may not enter is refused.
    rustix::process::chdir(parcel.plan.cwd.as_str()).at(Stage::Cwd)?;
    let plan = &parcel.plan;
    let (program, arguments) = plan.argv.split_first().ok_or(Failure {
        stage: Stage::Exec,
        errno: libc::ENOENT,
    })?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear();
    command.envs(plan.env.iter().map(|(name, value)| (name, value)));
    Err(command.exec()).at(Stage::Exec)
}

/// Standard input empty, output twice, the channel at 3; all else is closed but the control socket, which closes at the
/// exec. A directory of the host's that is still open here is a way out: the working directory and the program's path
/// are the tenant's, and may lead through `/proc/self/fd` (CVE-2024-21626).
fn arrange_descriptors(child: &FreshChild, parcel: &Parcel) -> Result<(), Failure> {
    let null = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .at(Stage::Descriptors)?;
    // Copies above the numbers to be filled: a packet's descriptors may themselves be 0 to 3.
    let high = |fd: &std::os::fd::OwnedFd| rustix::io::fcntl_dupfd_cloexec(fd, CHANNEL_FD + 1);
    let null = high(&null).at(Stage::Descriptors)?;
    let output = high(&parcel.output).at(Stage::Descriptors)?;
    let channel = parcel
        .channel
        .as_ref()
        .map(high)
        .transpose()
        .at(Stage::Descriptors)?;
    fds::place(child, null.as_fd(), 0).at(Stage::Descriptors)?;
    fds::place(child, output.as_fd(), 1).at(Stage::Descriptors)?;
    fds::place(child, output.as_fd(), 2).at(Stage::Descriptors)?;
    let mut first_closed = CHANNEL_FD;
    if let Some(channel) = &channel {
        fds::place(child, channel.as_fd(), CHANNEL_FD).at(Stage::Descriptors)?;
        first_closed += 1;
    }
    drop((null, output, channel));
    let first_closed = first_closed.unsigned_abs();
    fds::close_from(child, first_closed, parcel.control.as_fd()).at(Stage::Descriptors)
}

fn become_user(uid: u32) -> rustix::io::Result<()> {
    let gid = Gid::from_raw(uid);
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    let uid = Uid::from_raw(uid);
    rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    rustix::thread::clear_ambient_capability_set()?;
    drop_capabilities()
}
