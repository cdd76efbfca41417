//! The sandbox's network as seen from inside: loopback, and one end of the link to the outside.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use offshoot_sys::ifaddr;
use rustix::fs::{Mode, OFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use crate::stage::{At, Failure, Stage, StageClock};
use crate::wire::{self, BuildPlan, NetFate, Order};

/// The sandbox's end of the link to the outside.
pub(crate) const INSIDE_NAME: &str = "eth0";

/// Brings the interfaces up, unless they are.
pub(super) fn start(
    plan: &BuildPlan,
    fate: NetFate,
    control: BorrowedFd<'_>,
    clock: &mut StageClock,
) -> Result<(), Failure> {
    if fate != NetFate::Kept {
        bring_loopback_up().at(Stage::Loopback)?;
        clock.end(Stage::Loopback);
    }
    if plan.egress {
        configure_link(control).at(Stage::Egress)?;
        clock.end(Stage::Egress);
    }
    Ok(())
}

pub(super) fn bring_loopback_up() -> io::Result<()> {
    ifaddr::bring_up(socket()?.as_fd(), "lo")
}

fn socket() -> rustix::io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)
}

/// Waits for the daemon to have made the link, and configures this end of it.
fn configure_link(control: BorrowedFd<'_>) -> io::Result<()> {
    let Some((bytes, _)) = wire::receive(control)? else {
        return Err(io::Error::from_raw_os_error(libc::EPIPE));
    };
    let Order::Network {
        address,
        prefix_bits,
        gateway,
    } = wire::decode(&bytes)?;
    let socket = socket()?;
    let socket = socket.as_fd();
    ifaddr::set_address(socket, INSIDE_NAME, address, prefix_bits)?;
    ifaddr::bring_up(socket, INSIDE_NAME)?;
    ifaddr::add_default_route(socket, gateway)
}

/// The network namespace of this process.
pub(super) fn this_namespace() -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    rustix::fs::open("/proc/self/ns/net", flags, Mode::empty())
}
