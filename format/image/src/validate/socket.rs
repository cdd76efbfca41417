//! Rules for Unix sockets.

use super::{Invalid, Place, Rule, check_index, ensure};
use crate::model::{Manifest, SocketKind, UnixSocket};

/// `sun_path` (`unix(7)`).
const MAX_ADDRESS_BYTES: usize = 108;

pub(super) fn check(manifest: &Manifest) -> Result<(), Invalid> {
    for (index, socket) in manifest.sockets.iter().enumerate() {
        let place = Place::Socket(index);
        ensure(is_address(&socket.address), place, Rule::Name)?;
        check_buffers(socket, place)?;
        check_state(socket, place)?;
        check_peer(&manifest.sockets, index, socket)?;
    }
    Ok(())
}

fn is_address(address: &[u8]) -> bool {
    let path = address.first().is_some_and(|first| *first != 0);
    address.len() <= MAX_ADDRESS_BYTES && !(path && address.contains(&0))
}

// The kernel keeps both in an `int`.
fn check_buffers(socket: &UnixSocket, place: Place) -> Result<(), Invalid> {
    for (field, bytes) in [
        ("sending buffer", socket.send_bytes),
        ("receiving buffer", socket.receive_bytes),
    ] {
        let value = u64::from(bytes);
        let rule = Rule::Range { field, value };
        ensure(bytes <= i32::MAX as u32, place, rule)?;
    }
    Ok(())
}

fn check_state(socket: &UnixSocket, place: Place) -> Result<(), Invalid> {
    let listens = socket.backlog.is_some();
    let rule = Rule::Contradiction("listening", "connected");
    ensure(!(listens && socket.peer.is_some()), place, rule)?;
    let datagram = socket.kind == SocketKind::Datagram;
    let rule = Rule::Contradiction("listening", "of datagrams");
    ensure(!(listens && datagram), place, rule)?;
    let limit = match (listens, socket.kind) {
        (true, _) => 0,
        (false, SocketKind::Stream) => 1,
        (false, SocketKind::Datagram | SocketKind::Packet) => u64::MAX,
    };
    let count = socket.queue.len() as u64;
    let rule = Rule::TooMany {
        what: "messages",
        count,
        limit,
    };
    ensure(count <= limit, place, rule)
}

// Several datagram sockets may be connected to one that has an address; all others come in pairs.
fn check_peer(sockets: &[UnixSocket], index: usize, socket: &UnixSocket) -> Result<(), Invalid> {
    let Some(peer) = socket.peer else {
        return Ok(());
    };
    let place = Place::Socket(index);
    check_index(peer, sockets.len(), "socket", place)?;
    let other = &sockets[peer as usize];
    let pair = other.peer == Some(index as u32) && peer as usize != index;
    let by_address = socket.kind == SocketKind::Datagram && !other.address.is_empty();
    let good = other.kind == socket.kind && (pair || by_address);
    ensure(good, place, Rule::Peer)
}
