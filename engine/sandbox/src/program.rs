//! The process that becomes the program of a sandbox: a clone of the nursery that joins a sandbox which is there.
//!
//! Groups, namespaces, listener, descriptors, credentials, path rules, filter, working directory, program. Limits, empty bounding
//! set, no supplementary groups, `no_new_privs`, the umask and the larger part of the filter are set once in the
//! nursery and inherited ([`crate::nursery`]).

use std::convert::Infallible;
use std::iter;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use offshoot_sys::clone::FreshChild;
use offshoot_sys::fds;
use offshoot_sys::namespace::{Namespaces, join};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Resource, Rlimit};
use rustix::thread::{Gid, Uid};

use crate::build::{drop_capabilities, enter_groups, tell};
use crate::nursery::Inherited;
use crate::runtime_api;
use crate::seccomp;
use crate::stage::{At, Failure, Stage, StageClock};
use crate::wire::{self, Report, RunPlan};

/// The descriptor number of the shared-memory channel.
const CHANNEL_FD: i32 = 3;
/// What the process exits with when it cannot execute the program, as shells do.
const EXEC_FAILED: u8 = 127;
/// What the nursery's limits do not bound yet ([`crate::nursery`]), as in AWS Lambda: open files of a process, of which the
/// nursery itself holds two for each program; processes and threads of a program's user.
pub(crate) const LIMITS: [(Resource, u64); 2] = [(Resource::Nofile, 1024), (Resource::Nproc, 742)];

/// What every program joins; its PID namespace it was born in.
const JOINED: Namespaces = Namespaces::SANDBOX;

/// Everything that travelled with the plan.
struct Parcel {
    plan: RunPlan,
    sandbox: OwnedFd,
    output: OwnedFd,
    channel: Option<OwnedFd>,
    attach: Vec<OwnedFd>,
}

/// The body of the cloned process; its result is the exit code if the program cannot be executed.
pub(crate) fn main(
    child: &FreshChild,
    inherited: &Inherited,
    bytes: &[u8],
    birth: &OwnedFd,
    fds: Vec<OwnedFd>,
) -> u8 {
    // High, so that arranging the program's own does not overwrite it.
    let Ok(birth) = high(birth) else {
        return EXEC_FAILED;
    };
    let birth = birth.as_fd();
    let executed = unpack(bytes, fds).and_then(|parcel| execute(child, inherited, parcel, birth));
    let Err(failure) = executed;
    tell(birth, &Report::Failed(failure), &[]);
    EXEC_FAILED
}

fn unpack(bytes: &[u8], mut fds: Vec<OwnedFd>) -> Result<Parcel, Failure> {
    let plan: RunPlan = wire::unpack(bytes, &mut fds).at(Stage::Request)?;
    let expected_len = (2 + usize::from(plan.has_channel)).saturating_add(plan.attach_len);
    if fds.len() != expected_len {
        return Err(Failure::of_request());
    }
    let attach = fds.split_off(fds.len() - plan.attach_len);
    let channel = if plan.has_channel { fds.pop() } else { None };
    let (Some(output), Some(sandbox)) = (fds.pop(), fds.pop()) else {
        return Err(Failure::of_request());
    };
    Ok(Parcel {
        plan,
        sandbox,
        output,
        channel,
        attach,
    })
}

fn execute(
    child: &FreshChild,
    inherited: &Inherited,
    parcel: Parcel,
    birth: BorrowedFd<'_>,
) -> Result<Infallible, Failure> {
    let Parcel {
        plan,
        sandbox,
        output,
        channel,
        attach,
    } = parcel;
    let mut clock = StageClock::start();
    enter_groups(&attach).at(Stage::Attach)?;
    drop(attach);
    clock.end(Stage::Attach);
    join(sandbox.as_fd(), JOINED).at(Stage::Join)?;
    drop(sandbox);
    clock.end(Stage::Join);
    let listener = plan
        .runtime_api
        .then(runtime_api::listen)
        .transpose()
        .at(Stage::RuntimeApi)?;
    let listener = listener.map(high).transpose().at(Stage::Descriptors)?;
    let api = listener.as_ref().map(AsFd::as_fd);
    let kept: Vec<BorrowedFd<'_>> = iter::once(birth).chain(api).collect();
    arrange_descriptors(child, output, channel, &kept)?;
    rustix::process::setsid().at(Stage::Credentials)?;
    for (resource, most) in LIMITS {
        limit(resource, most).at(Stage::Credentials)?;
    }
    become_user(plan.uid).at(Stage::Credentials)?;
    clock.end(Stage::Credentials);
    if let Some(rules) = &inherited.path_rules {
        rules.enforce().at(Stage::Landlock)?;
        clock.end(Stage::Landlock);
    }
    seccomp::load(&inherited.inner_filter).at(Stage::Seccomp)?;
    clock.end(Stage::Seccomp);
    // As the sandbox's user and inside its root: a directory that it may not enter is refused.
    rustix::process::chdir(plan.cwd.as_str()).at(Stage::Cwd)?;
    let report = Report::Executing {
        stages_us: clock.stages_us(),
    };
    let api: Vec<BorrowedFd<'_>> = api.into_iter().collect();
    tell(birth, &report, &api);
    Err(exec(&plan))
}

/// Executes the program; returns only if that fails.
fn exec(plan: &RunPlan) -> Failure {
    let Some((program, arguments)) = plan.argv.split_first() else {
        return Failure::of_request();
    };
    let mut command = Command::new(program);
    command.args(arguments).env_clear();
    command.envs(plan.env.iter().map(|(name, value)| (name, value)));
    Failure {
        stage: Stage::Exec,
        errno: crate::stage::errno_of(&command.exec()),
    }
}

/// A copy above the numbers to be filled: a packet's descriptors may themselves be 0 to 3.
fn high(fd: impl AsFd) -> rustix::io::Result<OwnedFd> {
    rustix::io::fcntl_dupfd_cloexec(fd, CHANNEL_FD + 1)
}

/// Standard input empty, output twice, the channel at 3; all else is closed but `kept`, sockets that close at the exec.
/// A directory of the host's that is still open here is a way out: the working directory and the program's path are the
/// tenant's, and may lead through `/proc/self/fd` (CVE-2024-21626).
fn arrange_descriptors(
    child: &FreshChild,
    output: OwnedFd,
    channel: Option<OwnedFd>,
    kept: &[BorrowedFd<'_>],
) -> Result<(), Failure> {
    let opened = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .at(Stage::Descriptors)?;
    let null = high(&opened).at(Stage::Descriptors)?;
    let high_output = high(&output).at(Stage::Descriptors)?;
    let high_channel = channel.as_ref().map(high).transpose();
    let high_channel = high_channel.at(Stage::Descriptors)?;
    // Before their numbers are filled and closed: an owner must not close one that is not its any more.
    drop((opened, output, channel));
    fds::place(child, null.as_fd(), 0).at(Stage::Descriptors)?;
    fds::place(child, high_output.as_fd(), 1).at(Stage::Descriptors)?;
    fds::place(child, high_output.as_fd(), 2).at(Stage::Descriptors)?;
    let mut first_closed = CHANNEL_FD;
    if let Some(channel) = &high_channel {
        fds::place(child, channel.as_fd(), CHANNEL_FD).at(Stage::Descriptors)?;
        first_closed += 1;
    }
    drop((null, high_output, high_channel));
    let first_closed = first_closed.unsigned_abs();
    fds::close_from(child, first_closed, kept).at(Stage::Descriptors)
}

fn limit(resource: Resource, most: u64) -> rustix::io::Result<()> {
    let limit = Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    rustix::process::setrlimit(resource, limit)
}

fn become_user(uid: u32) -> rustix::io::Result<()> {
    let gid = Gid::from_raw(uid);
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    let uid = Uid::from_raw(uid);
    rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    rustix::thread::clear_ambient_capability_set()?;
    drop_capabilities()
}
