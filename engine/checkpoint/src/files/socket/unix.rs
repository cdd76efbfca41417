//! Unix sockets.

use std::os::fd::AsFd;
use std::time::Duration;

use offshoot_image::model::{OpenFileKind, SocketKind, UnixSocket};
use offshoot_sys::peek;
use rustix::net::SocketType;
use rustix::net::sockopt::{
    Timeout, socket_passcred, socket_recv_buffer_size, socket_send_buffer_size, socket_timeout,
    socket_type,
};

use super::super::classify::Classifier;
use super::super::description::Description;
use super::super::error::{FileError, Halt};
use super::super::obstacle::Obstacle;
use super::super::survey::Survey;
use super::diag::{self, UnixState};
use super::{address, queue};

/// The kind of a description of a Unix socket.
pub(super) fn kind(
    classifier: &mut Classifier<'_>,
    description: &Description,
) -> Result<OpenFileKind, Halt> {
    let survey = classifier.survey;
    let inode = inode(description);
    let state = survey.unix.get(&inode).ok_or(Obstacle::ForeignNetwork)?;
    let address = own_address(description)?;
    survey.refuse_shared(description, &named("a Unix socket", &address))?;
    refuse_options(description, &address)?;
    refuse_rights(description, &address)?;
    let socket = if state.state == diag::LISTEN {
        listening(description, state, address)?
    } else {
        connected(survey, description, state, address)?
    };
    // Sockets lie in the table in the order of their first descriptors, so that a peer that is
    // still to come already has its index.
    classifier.tables.sockets.push(socket);
    let socket = state.index;
    Ok(OpenFileKind::Socket { socket })
}

/// What a Unix socket is, for messages.
pub(super) fn describe(description: &Description) -> Option<String> {
    let address = own_address(description).ok()?;
    let peer = address::peer(&description.file);
    let mut text = named("a Unix socket", &address);
    if !peer.is_empty() {
        text = named(&format!("{text} connected to"), &peer);
    }
    Some(text)
}

fn inode(description: &Description) -> u32 {
    // The kernel gives sockets inode numbers of 32 bits (`get_next_ino`).
    u32::try_from(description.stat.st_ino).unwrap_or(0)
}

fn own_address(description: &Description) -> Result<Vec<u8>, FileError> {
    address::own(&description.file).map_err(|source| FileError::Query {
        descriptor: description.first(),
        what: "the address",
        source,
    })
}

fn listening(
    description: &Description,
    state: &UnixState,
    address: Vec<u8>,
) -> Result<UnixSocket, Halt> {
    if state.waiting > 0 {
        let waiting = state.waiting;
        return Err(Obstacle::AcceptQueue { address, waiting }.into());
    }
    Ok(UnixSocket {
        kind: socket_kind(description)?,
        address,
        peer: None,
        backlog: Some(state.backlog),
        queue: Vec::new(),
        ..options(description)?
    })
}

fn connected(
    survey: &Survey,
    description: &Description,
    state: &UnixState,
    address: Vec<u8>,
) -> Result<UnixSocket, Halt> {
    /// `RCV_SHUTDOWN | SEND_SHUTDOWN` of `linux/net/sock.h`.
    const BOTH: u8 = 3;
    match (state.peer, state.shutdown) {
        (Some(0), BOTH) | (None, BOTH) => return Err(Obstacle::UnixPeerClosed { address }.into()),
        (Some(0), 0) if socket_kind(description)? != SocketKind::Datagram => {
            let peer_address = address::peer(&description.file);
            return Err(Obstacle::UnixNotAccepted { peer_address }.into());
        }
        (Some(0), 0) => return Err(Obstacle::UnixPeerClosed { address }.into()),
        (_, 0) => {}
        _ => return Err(Obstacle::UnixShutDown { address }.into()),
    }
    let peer = match state.peer {
        None => None,
        Some(inode) => Some(peer(survey, description, inode)?),
    };
    let kind = socket_kind(description)?;
    let queue = queue::read(
        description,
        kind,
        &address,
        &address::peer(&description.file),
    )?;
    Ok(UnixSocket {
        kind,
        address,
        peer,
        backlog: None,
        queue,
        ..options(description)?
    })
}

/// The index of the peer, which must be in the process and not be external.
fn peer(survey: &Survey, description: &Description, inode: u32) -> Result<u32, Halt> {
    if let Some(peer) = survey.unix.get(&inode) {
        return Ok(peer.index);
    }
    let same = |one: &&Description| one.external && self::inode(one) == inode;
    if let Some(other) = survey.descriptions.iter().find(same) {
        return Err(Obstacle::HalfExternal {
            thing: "a Unix socket",
            other: other.first(),
        }
        .into());
    }
    Err(Obstacle::UnixPeer {
        peer_address: address::peer(&description.file),
        peers: survey.holders(&diag::mark(inode)),
    }
    .into())
}

fn socket_kind(description: &Description) -> Result<SocketKind, Halt> {
    match description.asked("the type", socket_type(&description.file))? {
        SocketType::STREAM => Ok(SocketKind::Stream),
        SocketType::DGRAM => Ok(SocketKind::Datagram),
        SocketType::SEQPACKET => Ok(SocketKind::Packet),
        other => Err(Obstacle::Socket {
            family: format!("a Unix (type {})", other.as_raw()),
        }
        .into()),
    }
}

/// A socket with nothing but its kind and options.
fn options(description: &Description) -> Result<UnixSocket, Halt> {
    let file = &description.file;
    let bytes = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    let send = description.asked("SO_SNDBUF", socket_send_buffer_size(file))?;
    let receive = description.asked("SO_RCVBUF", socket_recv_buffer_size(file))?;
    Ok(UnixSocket {
        kind: socket_kind(description)?,
        address: Vec::new(),
        peer: None,
        backlog: None,
        queue: Vec::new(),
        send_bytes: bytes(send),
        receive_bytes: bytes(receive),
        passes_credentials: description.asked("SO_PASSCRED", socket_passcred(file))?,
    })
}

/// Refuses options that change what the program reads, and that an image has no place for.
fn refuse_options(description: &Description, address: &[u8]) -> Result<(), Halt> {
    let file = &description.file;
    let timeout = |id| -> Result<Option<Duration>, FileError> {
        description.asked("the timeout", socket_timeout(file, id))
    };
    let offset = peek::offset(file.as_fd()).map_err(|source| FileError::Query {
        descriptor: description.first(),
        what: "the peek offset",
        source,
    })?;
    let option = if timeout(Timeout::Recv)?.is_some() {
        "SO_RCVTIMEO"
    } else if timeout(Timeout::Send)?.is_some() {
        "SO_SNDTIMEO"
    } else if offset.is_some() {
        "SO_PEEK_OFF"
    } else {
        return Ok(());
    };
    let address = address.to_vec();
    Err(Obstacle::UnixOption { address, option }.into())
}

/// Refuses a socket with descriptors in its queue, or in that of a connection to accept.
fn refuse_rights(description: &Description, address: &[u8]) -> Result<(), Halt> {
    match description.info.number("scm_fds", 10) {
        None | Some(0) => Ok(()),
        Some(descriptors) => Err(Obstacle::RightsInFlight {
            address: address.to_vec(),
            descriptors: u32::try_from(descriptors).unwrap_or(u32::MAX),
        }
        .into()),
    }
}

/// The thing and its address, if it has one.
fn named(thing: &str, address: &[u8]) -> String {
    match address {
        [] => thing.to_owned(),
        [0, name @ ..] => format!("{thing} @{}", name.escape_ascii()),
        path => format!("{thing} {}", path.escape_ascii()),
    }
}
