//! A sandbox's init: PID 1 of its PID namespace.
//!
//! Starts as a copy of the nursery, in the nursery's root file system. It builds the sandbox around
//! itself, forks the process that becomes the runtime, gives up its own rights, reaps whatever ends
//! and, when the runtime ends, says so and exits; the kernel then kills everything else in the
//! PID namespace (`pid_namespaces(7)`).

mod mounts;
mod network;
mod runtime;

pub(crate) use network::INSIDE_NAME;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use offshoot_sys::clone::FreshChild;
use offshoot_sys::fds;
use offshoot_sys::namespace::{Namespaces, unshare};
use offshoot_sys::signal::{Disposition, set_child_signal};
use rustix::process::{DumpableBehavior, Pid, Signal, WaitOptions};
use rustix::thread::{CapabilitySet, CapabilitySets, Gid, Uid};

use crate::nursery::Inherited;
use crate::stage::{At, Failure, Stage};
use crate::wire::{self, Plan, Report};

/// The user that init becomes once the sandbox is ready: nobody's, and never a sandbox's.
const INIT_UID: u32 = 65534;

/// Everything that travelled with the plan.
struct Parcel {
    plan: Plan,
    control: OwnedFd,
    output: OwnedFd,
    channel: Option<OwnedFd>,
    attach: Vec<OwnedFd>,
    attach_late: Vec<OwnedFd>,
    mounts: Vec<OwnedFd>,
}

/// The body of the cloned process; its result is init's exit code.
pub(crate) fn main(
    child: &FreshChild,
    inherited: &Inherited,
    bytes: &[u8],
    mut fds: Vec<OwnedFd>,
) -> u8 {
    let started = Instant::now();
    let control = fds.remove(0);
    let made = unpack(bytes, fds, control.as_fd())
        .and_then(|parcel| build(child, inherited, &parcel, started))
        .and_then(|built| retire(child, inherited, control.as_fd(), built));
    match made {
        Ok(runtime) => reap_until_end(control.as_fd(), runtime),
        Err(failure) => {
            tell(control.as_fd(), &Report::Failed(failure), &[]);
            1
        }
    }
}

fn unpack(bytes: &[u8], mut fds: Vec<OwnedFd>, control: BorrowedFd<'_>) -> Result<Parcel, Failure> {
    let plan = wire::unpack_plan(bytes, &mut fds).at(Stage::Request)?;
    let lens = [
        usize::from(plan.has_channel),
        plan.attach_len,
        plan.attach_late_len,
    ];
    let expected_len = lens
        .iter()
        .fold(1 + plan.mounts.len(), |sum, len| sum.saturating_add(*len));
    if fds.len() != expected_len {
        return Err(Failure {
            stage: Stage::Request,
            errno: libc::EBADMSG,
        });
    }
    let control = control.try_clone_to_owned().at(Stage::Request)?;
    let mounts = fds.split_off(fds.len() - plan.mounts.len());
    let attach_late = fds.split_off(fds.len() - plan.attach_late_len);
    let attach = fds.split_off(fds.len() - plan.attach_len);
    let channel = if plan.has_channel { fds.pop() } else { None };
    let output = fds.pop().ok_or(Failure {
        stage: Stage::Request,
        errno: libc::EBADMSG,
    })?;
    Ok(Parcel {
        plan,
        control,
        output,
        channel,
        attach,
        attach_late,
        mounts,
    })
}

/// A sandbox whose runtime has executed its program.
struct Built {
    runtime: Pid,
    listener: Option<OwnedFd>,
    stages_us: Vec<(Stage, u32)>,
}

/// Makes the sandbox and starts the runtime in it.
fn build(
    child: &FreshChild,
    inherited: &Inherited,
    parcel: &Parcel,
    started: Instant,
) -> Result<Built, Failure> {
    let plan = &parcel.plan;
    let mut clock = StageClock {
        last: started,
        stages_us: Vec::with_capacity(16),
    };
    tie_to(inherited).at(Stage::Parent)?;
    set_child_signal(Disposition::Default).at(Stage::Parent)?;
    clock.end(Stage::Parent);

    enter_groups(&parcel.attach).at(Stage::Attach)?;
    clock.end(Stage::Attach);

    let namespaces = Namespaces::MOUNT | Namespaces::NET | Namespaces::IPC | Namespaces::UTS;
    unshare(namespaces).at(Stage::Namespaces)?;
    if plan.egress {
        tell(parcel.control.as_fd(), &Report::NetworkReady, &[]);
    }
    rustix::system::sethostname(plan.hostname.as_bytes()).at(Stage::Hostname)?;
    clock.end(Stage::Namespaces);

    mounts::add(plan, &parcel.mounts, &mut clock)?;
    let listener = network::start(plan, parcel.control.as_fd(), &mut clock)?;

    enter_groups(&parcel.attach_late).at(Stage::CpuShare)?;
    // After the last group: what is a process's group now is the root of what it sees.
    unshare(Namespaces::CGROUP).at(Stage::Namespaces)?;
    clock.end(Stage::CpuShare);
    let runtime = runtime::spawn(child, inherited, parcel, &mut clock)?;
    Ok(Built {
        runtime,
        listener,
        stages_us: clock.stages_us,
    })
}

/// Gives up what init needs no longer, and says that the sandbox is ready.
fn retire(
    child: &FreshChild,
    inherited: &Inherited,
    control: BorrowedFd<'_>,
    built: Built,
) -> Result<Pid, Failure> {
    become_nobody().at(Stage::Credentials)?;
    // A change of user clears the signal (prctl(2), PR_SET_PDEATHSIG).
    tie_to(inherited).at(Stage::Parent)?;
    // Above all, init must not keep the nursery's socket alive.
    let mut kept = vec![control];
    kept.extend(built.listener.iter().map(AsFd::as_fd));
    fds::keep_only(child, &kept).at(Stage::Descriptors)?;
    tell(
        control,
        &Report::Ready {
            stages_us: built.stages_us,
        },
        &kept[1..],
    );
    Ok(built.runtime)
}

/// Moves the process, while it has one thread, into the groups of these `tasks` files.
fn enter_groups(tasks: &[OwnedFd]) -> rustix::io::Result<()> {
    for file in tasks {
        // "0" is the writer itself (cgroups(7)); attaching another process waits for a grace period.
        rustix::io::write(file, b"0")?;
    }
    Ok(())
}

/// Dies with the nursery, even if that has died already.
fn tie_to(inherited: &Inherited) -> std::io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    if inherited.nursery_has_ended()? {
        return Err(std::io::Error::from_raw_os_error(libc::ESRCH));
    }
    Ok(())
}

fn become_nobody() -> rustix::io::Result<()> {
    let gid = Gid::from_raw(INIT_UID);
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    let uid = Uid::from_raw(INIT_UID);
    rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    drop_capabilities()?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
}

/// Empties the thread's capability sets; the bounding set is empty since the nursery's start.
fn drop_capabilities() -> rustix::io::Result<()> {
    let none = CapabilitySet::empty();
    let sets = CapabilitySets {
        effective: none,
        permitted: none,
        inheritable: none,
    };
    rustix::thread::set_capabilities(None, sets)
}

/// Waits for every child and orphan of the namespace; ends when the runtime has ended.
fn reap_until_end(control: BorrowedFd<'_>, runtime: Pid) -> u8 {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == runtime => {
                let report = match (status.exit_status(), status.terminating_signal()) {
                    (Some(code), _) => Report::Exited { code },
                    (None, Some(signal)) => Report::Signaled { signal },
                    (None, None) => continue,
                };
                tell(control, &report, &[]);
                return 0;
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return 1,
        }
    }
}

/// Sends a report; a daemon that is not there any more needs none.
fn tell(control: BorrowedFd<'_>, report: &Report, descriptors: &[BorrowedFd<'_>]) {
    if let Ok(bytes) = wire::encode(report) {
        let _ = wire::send(control, &bytes, descriptors);
    }
}

/// Measures the stages.
struct StageClock {
    last: Instant,
    stages_us: Vec<(Stage, u32)>,
}

impl StageClock {
    fn end(&mut self, stage: Stage) {
        let now = Instant::now();
        let elapsed_us = (now - self.last).as_micros();
        self.stages_us
            .push((stage, u32::try_from(elapsed_us).unwrap_or(u32::MAX)));
        self.last = now;
    }
}
