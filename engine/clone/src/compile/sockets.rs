//! Unix sockets: listening ones, and pairs within the process.

use offshoot_image::model::{Manifest, OpenFileKind, SocketKind, UnixSocket};
use offshoot_plan::Op;

use super::builder::Builder;
use super::descriptors::{Numbers, Table, place_pair, set_close_on_exec, set_status};
use super::numbers as sys;

const AF_UNIX: u64 = 1;
const SOCK_CLOEXEC: u64 = 0o2_000_000;
const SYS_UNLINK: i64 = 87;
const SOL_SOCKET: u64 = 1;
const SO_SNDBUF: u64 = 7;
const SO_RCVBUF: u64 = 8;
const SO_PASSCRED: u64 = 16;
/// `net.core.wmem_default` and `rmem_default`, unless somebody has changed them.
const DEFAULT_BUFFER_BYTES: u32 = 212_992;

/// Makes a socket, and its peer, which is returned.
pub(super) fn compile(
    builder: &mut Builder,
    manifest: &Manifest,
    numbers: &Numbers<'_>,
    table: &mut Table,
    index: u32,
) -> Option<u32> {
    let socket = manifest.sockets.get(index as usize)?;
    let peer = socket
        .peer
        .and_then(|peer| Some((peer, manifest.sockets.get(peer as usize)?)));
    let mine = number_of(manifest, numbers, index);
    let kind = kind_of(socket) | SOCK_CLOEXEC;
    match peer {
        Some((peer_index, peer)) => {
            let theirs = number_of(manifest, numbers, peer_index);
            let slot = builder.put_words(&[0]);
            builder
                .clone
                .push(Op::new(sys::SOCKETPAIR, [AF_UNIX, kind, 0, slot, 0, 0]));
            let first = table.lowest();
            table.take(first);
            let second = table.lowest();
            options(builder, first, socket);
            options(builder, second, peer);
            send_all(builder, second, &socket.queue);
            send_all(builder, first, &peer.queue);
            let targets = [mine, theirs].map(|number| number.map(|(number, ..)| number));
            place_pair(builder, table, [first, second], targets);
            finish(builder, mine);
            finish(builder, theirs);
            Some(peer_index)
        }
        None => {
            let (number, close_on_exec, _) = mine?;
            table.take(number);
            let make = Op::new(sys::SOCKET, [AF_UNIX, kind, 0, 0, 0, 0]);
            builder.clone.push(make.descriptor(number, close_on_exec));
            options(builder, number, socket);
            bind(builder, number, socket);
            finish(builder, mine);
            None
        }
    }
}

/// First number of a socket, whether it is closed on exec, and its status flags.
fn number_of(manifest: &Manifest, numbers: &Numbers<'_>, index: u32) -> Option<(u32, bool, u32)> {
    numbers.iter().find_map(|(open_file, of)| {
        let file = manifest.open_files.get(*open_file as usize)?;
        let is_it = matches!(file.kind, OpenFileKind::Socket { socket } if socket == index);
        let first = of.first().filter(|_| is_it)?;
        Some((first.number, first.close_on_exec, file.flags))
    })
}

fn kind_of(socket: &UnixSocket) -> u64 {
    match socket.kind {
        SocketKind::Stream => 1,
        SocketKind::Datagram => 2,
        SocketKind::Packet => 5,
    }
}

fn send_all(builder: &mut Builder, number: u32, messages: &[Vec<u8>]) {
    for message in messages {
        let bytes = message.len() as u64;
        let data = builder.put(message, 8);
        let send = Op::new(sys::SENDTO, [number.into(), data, bytes, 0, 0, 0]);
        builder.clone.push(send.equals(bytes));
    }
}

/// Options that are not what a new socket has; sizes are told twice as large as they are set (`socket(7)`).
fn options(builder: &mut Builder, number: u32, socket: &UnixSocket) {
    let sizes = [
        (SO_SNDBUF, socket.send_bytes),
        (SO_RCVBUF, socket.receive_bytes),
    ];
    let sizes = sizes
        .into_iter()
        .filter(|(_, bytes)| *bytes != DEFAULT_BUFFER_BYTES && *bytes != 0);
    let sizes = sizes.map(|(option, bytes)| (option, bytes / 2));
    let credentials = socket.passes_credentials.then_some((SO_PASSCRED, 1));
    for (option, value) in sizes.chain(credentials) {
        let value = builder.put_words(&[value.into()]);
        let set = [number.into(), SOL_SOCKET, option, value, 4, 0];
        builder.clone.push(Op::new(sys::SETSOCKOPT, set));
    }
}

fn bind(builder: &mut Builder, number: u32, socket: &UnixSocket) {
    if !socket.address.is_empty() {
        // The seed's name, or another clone's, may still be there: the newest one has it.
        if socket.address[0] != 0 {
            let path = builder.put_path(&socket.address);
            builder
                .clone
                .push(Op::new(SYS_UNLINK, [path, 0, 0, 0, 0, 0]).anything());
        }
        let mut address = (AF_UNIX as u16).to_le_bytes().to_vec();
        address.extend_from_slice(&socket.address);
        if socket.address[0] != 0 {
            address.push(0);
        }
        let bytes = address.len() as u64;
        let address = builder.put(&address, 8);
        builder
            .clone
            .push(Op::new(sys::BIND, [number.into(), address, bytes, 0, 0, 0]));
        send_to_itself(builder, &socket.queue, address, bytes);
    }
    if let Some(backlog) = socket.backlog {
        builder.clone.push(Op::new(
            sys::LISTEN,
            [number.into(), backlog.into(), 0, 0, 0, 0],
        ));
    }
}

fn finish(builder: &mut Builder, socket: Option<(u32, bool, u32)>) {
    if let Some((number, close_on_exec, flags)) = socket {
        set_close_on_exec(builder, number, close_on_exec);
        set_status(builder, number, flags);
    }
}

/// What waits in a socket without a peer came from sockets without an address.
fn send_to_itself(builder: &mut Builder, messages: &[Vec<u8>], address: u64, address_bytes: u64) {
    if messages.is_empty() {
        return;
    }
    let sender = super::contents::aside(builder, 3);
    let make = [AF_UNIX, 2 | SOCK_CLOEXEC, 0, 0, 0, 0];
    builder
        .clone
        .push(Op::new(sys::SOCKET, make).descriptor(sender, true));
    for message in messages {
        let bytes = message.len() as u64;
        let data = builder.put(message, 8);
        let send = [sender.into(), data, bytes, 0, address, address_bytes];
        builder.clone.push(Op::new(sys::SENDTO, send).equals(bytes));
    }
}
