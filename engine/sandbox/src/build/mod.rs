//! How a ghost sandbox is made, from the inside: by the process that becomes its init.
//!
//! Starts as a copy of the nursery, PID 1 of a new PID namespace, in the nursery's root file system. It enters the
//! control groups, makes the namespaces, mounts what is the sandbox's own, reports, and becomes the
//! [holder](crate::holder), which only keeps what was made alive. A network namespace that another init has used can be
//! given to it: it is kept if it reads like one that was never used, byte for byte ([`net_state`]).

mod mounts;
mod net_state;
mod network;

pub(crate) use mounts::{attach, renew_tmp, write_names};
pub(crate) use net_state::NetState;
pub(crate) use network::INSIDE_NAME;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use offshoot_sys::clone::FreshChild;
use offshoot_sys::namespace::{Namespaces, join, unshare};
use offshoot_sys::signal::ignore_children;
use rustix::process::{DumpableBehavior, Signal};
use rustix::thread::{CapabilitySet, CapabilitySets, Gid, Uid};

use crate::holder;
use crate::nursery::Inherited;
use crate::stage::{At, Failure, Stage, StageClock};
use crate::wire::{self, BuildPlan, NetFate, Report};

/// The user that init becomes once the sandbox is made: nobody's, and never a sandbox's.
const INIT_UID: u32 = 65534;
/// The priority of those who make ghosts ahead: what runs already comes first (`nice(2)`).
const AHEAD_NICE: i32 = 10;

/// Everything that travelled with the plan.
struct Parcel {
    plan: BuildPlan,
    kept_net: Option<OwnedFd>,
    attach: Vec<OwnedFd>,
    mounts: Vec<OwnedFd>,
}

/// The body of the cloned process; its result is init's exit code, if it does not become the holder.
pub(crate) fn main(
    child: &FreshChild,
    inherited: &Inherited,
    bytes: &[u8],
    control: &OwnedFd,
    fds: Vec<OwnedFd>,
) -> u8 {
    let control = control.as_fd();
    let made = unpack(bytes, fds)
        .and_then(|parcel| build(inherited, &parcel, control))
        .and_then(|built| {
            tell(control, &built.report, &[built.net.as_fd()]);
            become_holder(child, inherited).at(Stage::Holder)
        });
    let Err(failure) = made;
    tell(control, &Report::Failed(failure), &[]);
    1
}

fn unpack(bytes: &[u8], mut fds: Vec<OwnedFd>) -> Result<Parcel, Failure> {
    let plan: BuildPlan = wire::unpack(bytes, &mut fds).at(Stage::Request)?;
    let expected = [
        usize::from(plan.keeps_net),
        plan.attach_len,
        plan.mounts.len(),
    ];
    if fds.len()
        != expected
            .iter()
            .fold(0, |sum: usize, len| sum.saturating_add(*len))
    {
        return Err(Failure::of_request());
    }
    let mounts = fds.split_off(fds.len() - plan.mounts.len());
    let attach = fds.split_off(fds.len() - plan.attach_len);
    Ok(Parcel {
        plan,
        kept_net: fds.pop(),
        attach,
        mounts,
    })
}

/// A sandbox that has everything but its holder.
struct Built {
    report: Report,
    net: OwnedFd,
}

fn build(
    inherited: &Inherited,
    parcel: &Parcel,
    control: BorrowedFd<'_>,
) -> Result<Built, Failure> {
    let plan = &parcel.plan;
    let mut clock = StageClock::start();
    inherited.die_with_nursery().at(Stage::Parent)?;
    // The kernel reaps for a parent that ignores the signal; the holder has no code for it.
    ignore_children().at(Stage::Parent)?;
    if plan.ahead {
        // A failure costs nobody anything.
        let _ = rustix::process::setpriority_process(None, AHEAD_NICE);
    }
    clock.end(Stage::Parent);

    enter_groups(&parcel.attach).at(Stage::Attach)?;
    clock.end(Stage::Attach);

    let fresh = Namespaces::MOUNT | Namespaces::IPC | Namespaces::UTS | Namespaces::CGROUP;
    match &parcel.kept_net {
        Some(net) => {
            join(net.as_fd(), Namespaces::NET).at(Stage::Namespaces)?;
            unshare(fresh).at(Stage::Namespaces)?;
        }
        None => unshare(fresh | Namespaces::NET).at(Stage::Namespaces)?,
    }
    rustix::system::sethostname(plan.hostname.as_bytes()).at(Stage::Hostname)?;
    clock.end(Stage::Namespaces);

    mounts::add(plan, &parcel.mounts, &mut clock)?;
    let fate = settle_network(inherited, parcel, &mut clock)?;
    if plan.egress {
        tell(control, &Report::NetworkReady, &[]);
    }
    network::start(plan, fate, control, &mut clock)?;
    let net = network::this_namespace().at(Stage::Namespaces)?;
    Ok(Built {
        report: Report::Built {
            stages_us: clock.stages_us(),
            net: fate,
        },
        net,
    })
}

/// Keeps a network namespace that was given only if nothing tells it from a new one.
fn settle_network(
    inherited: &Inherited,
    parcel: &Parcel,
    clock: &mut StageClock,
) -> Result<NetFate, Failure> {
    if parcel.kept_net.is_none() {
        return Ok(NetFate::Made);
    }
    let state = NetState::read().at(Stage::NetworkState)?;
    let fate = if state == inherited.unused_net {
        NetFate::Kept
    } else {
        unshare(Namespaces::NET).at(Stage::Namespaces)?;
        NetFate::Replaced
    };
    clock.end(Stage::NetworkState);
    Ok(fate)
}

/// Gives up every right and executes the holder; returns only if that fails.
fn become_holder(
    child: &FreshChild,
    inherited: &Inherited,
) -> std::io::Result<std::convert::Infallible> {
    become_nobody()?;
    // A change of user clears the signal (prctl(2), PR_SET_PDEATHSIG).
    inherited.die_with_nursery()?;
    // Its descriptors are close-on-exec, all but the nursery's standard three, which it does not need either.
    offshoot_sys::fds::cloexec_from(0)?;
    Err(offshoot_sys::exec::by_descriptor(
        child,
        inherited.holder.as_fd(),
        holder::NAME,
    ))
}

/// Moves the process, while it has one thread, into the groups of these `tasks` files.
pub(crate) fn enter_groups(tasks: &[OwnedFd]) -> rustix::io::Result<()> {
    for file in tasks {
        // "0" is the writer itself (cgroups(7)); attaching another process waits for a grace period.
        rustix::io::write(file, b"0")?;
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
pub(crate) fn drop_capabilities() -> rustix::io::Result<()> {
    let none = CapabilitySet::empty();
    let sets = CapabilitySets {
        effective: none,
        permitted: none,
        inheritable: none,
    };
    rustix::thread::set_capabilities(None, sets)
}

/// Sends a report; a daemon that is not there any more needs none.
pub(crate) fn tell(control: BorrowedFd<'_>, report: &Report, descriptors: &[BorrowedFd<'_>]) {
    if let Ok(bytes) = wire::encode(report) {
        let _ = wire::send(control, &bytes, descriptors);
    }
}

impl Inherited {
    /// Has the calling process die with the nursery, even if that has died already.
    pub(crate) fn die_with_nursery(&self) -> std::io::Result<()> {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        if self.nursery_has_ended()? {
            return Err(std::io::Error::from_raw_os_error(libc::ESRCH));
        }
        Ok(())
    }
}
