//! The sockets of the Runtime API in a sandbox's network.
//!
//! A program that is started in a sandbox makes the listener itself, before it has given up its rights. A clone is frozen
//! in a call of the Runtime API: it needs the listener, and the connection on which its seed waited for an answer. Both
//! are made by a thread of the daemon that enters the sandbox's network while nobody is in it, so that what the clone is
//! given reaches its own sandbox only.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use crate::launcher::Shared;
use crate::pool::Taken;

/// Where a runtime finds the Runtime API, from inside (`AWS_LAMBDA_RUNTIME_API`).
pub(crate) const ADDRESS: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9001);
/// The runtime's clients keep one connection or a few.
const BACKLOG: i32 = 128;
/// The kernel has both ends ready as soon as its own work is done.
const ACCEPT_LIMIT: Duration = Duration::from_secs(1);

/// The Runtime API in a sandbox, with one connection to it that is there already.
#[derive(Debug)]
pub struct ApiSockets {
    /// Bound to 127.0.0.1:9001 inside the sandbox. It does not block, as tokio wants it.
    pub listener: TcpListener,
    /// The connection's end of who serves the API. It does not block either.
    pub server: TcpStream,
    /// The connection's other end, for the clone.
    pub client: OwnedFd,
}

/// The listener, in the calling thread's network; non-blocking for the daemon's sake, which hands it to tokio.
pub(crate) fn listen() -> rustix::io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    // Connections of a predecessor may still wait for their end on the same port.
    rustix::net::sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &ADDRESS)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// Makes them in a sandbox in which nobody is yet. `nonblocking` is of the client's end.
pub(crate) async fn open(
    shared: &Arc<Shared>,
    taken: &Taken,
    nonblocking: bool,
) -> io::Result<ApiSockets> {
    let network = taken.0.net.try_clone()?;
    let made = shared.hands.lend(move |hand| {
        hand.in_network(network.as_fd(), || {
            connected(TcpListener::from(listen()?), nonblocking)
        })
    });
    made.await
        .ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))?
}

fn connected(listener: TcpListener, nonblocking: bool) -> io::Result<ApiSockets> {
    let client = TcpStream::connect(listener.local_addr()?)?;
    // Most clients ask for it, and to the others it does no harm.
    client.set_nodelay(true)?;
    client.set_nonblocking(nonblocking)?;
    let mut arrived = [PollFd::new(&listener, PollFlags::IN)];
    let limit = Timespec::try_from(ACCEPT_LIMIT).unwrap_or_default();
    poll(&mut arrived, Some(&limit))?;
    let (server, _) = listener.accept()?;
    server.set_nodelay(true)?;
    server.set_nonblocking(true)?;
    Ok(ApiSockets {
        listener,
        server,
        client: client.into(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::{Read, Write};

    use rustix::fs::{OFlags, fcntl_getfl};

    use super::*;

    fn made(nonblocking: bool) -> ApiSockets {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        connected(listener, nonblocking).unwrap()
    }

    #[test]
    fn both_ends_are_of_one_connection() {
        let mut sockets = made(false);
        sockets.server.write_all(b"answer").unwrap();
        let mut client = TcpStream::from(sockets.client);
        let mut heard = [0; 6];
        client.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"answer");
    }

    #[test]
    fn client_blocks_or_not_as_its_seed_did() {
        for nonblocking in [false, true] {
            let flags = fcntl_getfl(&made(nonblocking).client).unwrap();
            assert_eq!(flags.contains(OFlags::NONBLOCK), nonblocking);
        }
    }
}
