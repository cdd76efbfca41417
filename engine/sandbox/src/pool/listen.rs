//! A listener of the daemon's inside a sandbox's network namespace.
//!
//! A socket belongs to the namespace of the thread that makes it. The thread that takes ghosts enters for that moment; only
//! the network, and while nobody is in the sandbox.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::os::fd::{AsFd, BorrowedFd};

use offshoot_sys::namespace::{Namespaces, join};
use rustix::net::{AddressFamily, SocketFlags, SocketType};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 16;

/// A listener on 127.0.0.1 in a network namespace. It does not block, as tokio wants it.
///
/// # Panics
/// If the way back is closed, as for [`Hand`](super::Hand): it is not.
#[expect(
    clippy::panic,
    reason = "a thread that is lost in a sandbox must not go on"
)]
pub(crate) fn listen_in(network: BorrowedFd<'_>, port: u16) -> io::Result<TcpListener> {
    let home = File::open("/proc/thread-self/ns/net")?;
    join(network, Namespaces::NET)?;
    let listener = listen(port);
    if let Err(error) = join(home.as_fd(), Namespaces::NET) {
        panic!("a thread cannot leave a sandbox's network: {error}");
    }
    Ok(listener?)
}

fn listen(port: u16) -> rustix::io::Result<TcpListener> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    // Connections of a predecessor may still wait for their end on the same port.
    rustix::net::sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket.into())
}
