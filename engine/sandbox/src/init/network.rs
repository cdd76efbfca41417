//! The sandbox's network as seen from inside: loopback, the Runtime API's listener, and one end of
//! the link to the outside.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use offshoot_sys::ifaddr;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::StageClock;
use crate::stage::{At, Failure, Stage};
use crate::wire::{self, Order, Plan};

/// Where a runtime finds the Runtime API, from inside (`AWS_LAMBDA_RUNTIME_API`).
pub(crate) const RUNTIME_API_ADDRESS: std::net::SocketAddrV4 =
    std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 9001);
/// The sandbox's end of the link to the outside.
pub(crate) const INSIDE_NAME: &str = "eth0";
/// The runtime's clients keep one connection or a few.
const BACKLOG: i32 = 128;

/// Brings the interfaces up; returns the listener if the plan wants one.
pub(super) fn start(
    plan: &Plan,
    control: BorrowedFd<'_>,
    clock: &mut StageClock,
) -> Result<Option<OwnedFd>, Failure> {
    let family = AddressFamily::INET;
    // Non-blocking for the daemon's sake, which hands it to tokio.
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket =
        rustix::net::socket_with(family, SocketType::STREAM, flags, None).at(Stage::Loopback)?;
    ifaddr::bring_up(socket.as_fd(), "lo").at(Stage::Loopback)?;
    clock.end(Stage::Loopback);
    if plan.egress {
        configure_link(socket.as_fd(), control).at(Stage::Egress)?;
        clock.end(Stage::Egress);
    }
    if !plan.runtime_api {
        return Ok(None);
    }
    rustix::net::bind(&socket, &RUNTIME_API_ADDRESS).at(Stage::RuntimeApi)?;
    rustix::net::listen(&socket, BACKLOG).at(Stage::RuntimeApi)?;
    clock.end(Stage::RuntimeApi);
    Ok(Some(socket))
}

/// Waits for the daemon to have made the link, and configures this end of it.
fn configure_link(socket: BorrowedFd<'_>, control: BorrowedFd<'_>) -> io::Result<()> {
    let Some((bytes, _)) = wire::receive(control)? else {
        return Err(io::Error::from_raw_os_error(libc::EPIPE));
    };
    let Order::Network {
        address,
        prefix_bits,
        gateway,
    } = wire::decode(&bytes)?;
    ifaddr::set_address(socket, INSIDE_NAME, address, prefix_bits)?;
    ifaddr::bring_up(socket, INSIDE_NAME)?;
    ifaddr::add_default_route(socket, gateway)
}
