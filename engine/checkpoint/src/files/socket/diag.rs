//! `sock_diag(7)`: what the kernel knows of a Unix socket besides its addresses, above all which
//! socket is its peer.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::{fs, io, thread};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::super::error::FileError;
use super::super::holders::Mark;
use super::super::target::Target;

/// What the kernel knows of one Unix socket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct UnixState {
    /// Which of the sockets asked for it is: its index in the manifest.
    pub index: u32,
    /// `TCP_ESTABLISHED`, `TCP_CLOSE` or `TCP_LISTEN`.
    pub state: u8,
    /// Inode of the peer; 0 if it has no descriptor (closed, or not accepted).
    pub peer: Option<u32>,
    /// For a listening socket: connections to accept.
    pub waiting: u32,
    /// For a listening socket: length of its queue.
    pub backlog: u32,
    /// `RCV_SHUTDOWN` and `SEND_SHUTDOWN`.
    pub shutdown: u8,
}

/// `TCP_LISTEN` of `linux/net/tcp_states.h`.
pub(super) const LISTEN: u8 = 10;

/// The mark of a socket among all processes' descriptors.
pub(in super::super) fn mark(inode: u32) -> Mark {
    Mark::Link(format!("socket:[{inode}]").into_bytes())
}

/// The states of those sockets that are Unix sockets of the target's network namespace, with
/// indices in the given order.
pub(in super::super) fn states(
    target: &Target,
    inodes: impl Iterator<Item = u32>,
) -> Result<BTreeMap<u32, UnixState>, FileError> {
    let inodes: Vec<u32> = inodes.collect();
    if inodes.is_empty() {
        return Ok(BTreeMap::new());
    }
    let socket = connect(target)?;
    let mut states = BTreeMap::new();
    let mut index = 0;
    for inode in inodes {
        if let Some(state) = ask(&socket, inode).map_err(failed)? {
            states.insert(inode, UnixState { index, ..state });
            index += 1;
        }
    }
    Ok(states)
}

/// A netlink socket in the target's network namespace.
fn connect(target: &Target) -> Result<OwnedFd, FileError> {
    let unreadable = |source| target.unreadable("ns/net", source);
    let namespace = File::open(target.path("ns/net")).map_err(unreadable)?;
    let theirs = namespace.metadata().map_err(unreadable)?.ino();
    let ours = fs::metadata("/proc/thread-self/ns/net")
        .map_err(unreadable)?
        .ino();
    if theirs == ours {
        return open().map_err(failed);
    }
    // A socket belongs to the namespace of the thread that makes it: a thread of its own enters.
    let made = thread::scope(|scope| {
        let enter = || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
            open()
        };
        scope.spawn(enter).join()
    });
    made.unwrap_or(Err(Errno::IO)).map_err(failed)
}

fn open() -> Result<OwnedFd, Errno> {
    socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(netlink::SOCK_DIAG),
    )
}

fn failed(source: Errno) -> FileError {
    FileError::Kernel {
        what: "ask for the state of Unix sockets (sock_diag)",
        source: io::Error::from(source),
    }
}

/// The state of one socket; none if it is no Unix socket of this namespace.
fn ask(socket: &OwnedFd, inode: u32) -> Result<Option<UnixState>, Errno> {
    send(socket, &request(inode), SendFlags::empty())?;
    let mut answer = vec![0; ANSWER_BYTES_MAX];
    let (_, bytes) = recv(socket, answer.as_mut_slice(), RecvFlags::empty())?;
    let answer = answer.get(..bytes).ok_or(Errno::MSGSIZE)?;
    match u16_at(answer, 4).ok_or(Errno::BADMSG)? {
        ERROR => match u32_at(answer, 16).map(|code| code.cast_signed().wrapping_neg()) {
            Some(code) if code == Errno::NOENT.raw_os_error() => Ok(None),
            Some(code) => Err(Errno::from_raw_os_error(code)),
            None => Err(Errno::BADMSG),
        },
        _ => parse(answer).map(Some).ok_or(Errno::BADMSG),
    }
}

/// Room for one answer; the longest attribute is a name of 108 bytes.
const ANSWER_BYTES_MAX: usize = 4096;
/// `NLMSG_ERROR`.
const ERROR: u16 = 2;
/// Length of `struct nlmsghdr`, and of `struct unix_diag_msg` behind it.
const HEADER_BYTES: usize = 16;
const MESSAGE_BYTES: usize = 16;

/// `struct nlmsghdr` and `struct unix_diag_req`.
fn request(inode: u32) -> Vec<u8> {
    const SOCK_DIAG_BY_FAMILY: u16 = 20;
    const NLM_F_REQUEST: u16 = 1;
    const UDIAG_SHOW_PEER_AND_QUEUE: u32 = 0x04 | 0x10;
    const AF_UNIX: u32 = 1;
    let words = [
        40,
        u32::from(SOCK_DIAG_BY_FAMILY) | u32::from(NLM_F_REQUEST) << 16,
        1,
        0,
        AF_UNIX,
        u32::MAX,
        inode,
        UDIAG_SHOW_PEER_AND_QUEUE,
        u32::MAX,
        u32::MAX,
    ];
    words.into_iter().flat_map(u32::to_ne_bytes).collect()
}

/// Reads `struct unix_diag_msg` and the attributes behind it.
fn parse(answer: &[u8]) -> Option<UnixState> {
    const PEER: u16 = 2;
    const QUEUE: u16 = 4;
    const SHUTDOWN: u16 = 6;
    let mut state = UnixState {
        state: *answer.get(HEADER_BYTES + 2)?,
        ..UnixState::default()
    };
    let mut rest = answer.get(HEADER_BYTES + MESSAGE_BYTES..)?;
    while rest.len() >= 4 {
        let bytes = usize::from(u16_at(rest, 0)?);
        let value = rest.get(4..bytes)?;
        match u16_at(rest, 2)? {
            PEER => state.peer = Some(u32_at(value, 0)?),
            QUEUE => (state.waiting, state.backlog) = (u32_at(value, 0)?, u32_at(value, 4)?),
            SHUTDOWN => state.shutdown = *value.first()?,
            _ => {}
        }
        rest = rest.get(bytes.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(state)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|&chunk| u16::from_ne_bytes(chunk))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|&chunk| u32::from_ne_bytes(chunk))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::{UnixListener, UnixStream};

    fn inode(fd: &impl AsRawFd) -> u32 {
        let link = fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).unwrap();
        let text = link.to_string_lossy().into_owned();
        text.trim_start_matches("socket:[")
            .trim_end_matches(']')
            .parse()
            .unwrap()
    }

    #[test]
    fn peers_know_each_other() {
        let (left, right) = UnixStream::pair().unwrap();
        let diag = open().unwrap();
        let state = ask(&diag, inode(&left)).unwrap().unwrap();
        assert_eq!(state.peer, Some(inode(&right)));
    }

    #[test]
    fn socket_of_another_family_is_unknown() {
        let diag = open().unwrap();
        let other = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(ask(&diag, inode(&other)).unwrap(), None);
    }

    #[test]
    fn listening_socket_tells_its_backlog() {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("s")).unwrap();
        let state = ask(&open().unwrap(), inode(&listener)).unwrap().unwrap();
        assert_eq!((state.state, state.waiting, state.peer), (LISTEN, 0, None));
        assert!(state.backlog > 0);
    }

    #[test]
    fn truncated_answer_is_no_state() {
        assert_eq!(parse(&[0; 20]), None);
        let mut answer = vec![0; 32];
        answer.extend([9, 0, 2, 0, 1]);
        assert!(parse(&answer).is_none());
    }

    #[test]
    fn attribute_of_no_length_does_not_loop() {
        let mut answer = vec![0; 32];
        answer.extend([0; 8]);
        assert!(parse(&answer).is_none());
    }
}
