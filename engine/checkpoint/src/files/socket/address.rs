//! Socket addresses.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use rustix::net::{SocketAddrAny, SocketAddrV4, SocketAddrV6};

/// An Internet address for messages.
pub(super) fn text(address: SocketAddrAny) -> String {
    if let Ok(address) = SocketAddrV4::try_from(address.clone()) {
        return address.to_string();
    }
    match SocketAddrV6::try_from(address) {
        Ok(address) => address.to_string(),
        Err(_) => "an unknown address".to_owned(),
    }
}

/// The address that a Unix socket is bound to: a path, an abstract name behind a zero byte, or
/// empty.
pub(super) fn own(socket: &OwnedFd) -> io::Result<Vec<u8>> {
    Ok(bytes(&any_kind(socket)?.local_addr()?))
}

/// The address that a Unix socket's peer is bound to; empty if it has none, or there is no peer.
pub(super) fn peer(socket: &OwnedFd) -> Vec<u8> {
    let address = any_kind(socket).and_then(|socket| socket.peer_addr());
    address.map(|address| bytes(&address)).unwrap_or_default()
}

/// The standard library's type asks for addresses only by descriptor, whatever the socket's kind;
/// it reads paths of 108 bytes, which have no zero byte at their end.
fn any_kind(socket: &OwnedFd) -> io::Result<UnixDatagram> {
    socket.as_fd().try_clone_to_owned().map(UnixDatagram::from)
}

fn bytes(address: &SocketAddr) -> Vec<u8> {
    if let Some(path) = address.as_pathname() {
        return path.as_os_str().as_bytes().to_vec();
    }
    match address.as_abstract_name() {
        Some(name) => [&[0], name].concat(),
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn longest_path_and_abstract_name_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let room = 107 - directory.path().as_os_str().len() - 1;
        let path = directory.path().join("x".repeat(room));
        let socket = OwnedFd::from(UnixDatagram::bind(&path).unwrap());
        assert_eq!(own(&socket).unwrap(), path.as_os_str().as_bytes());
        let name = format!("offshoot-{}\0x", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = OwnedFd::from(UnixListener::bind_addr(&address).unwrap());
        assert_eq!(own(&socket).unwrap(), [b"\0", name.as_bytes()].concat());
    }

    #[test]
    fn unbound_socket_has_no_address() {
        let (socket, _peer) = UnixDatagram::pair().unwrap();
        let socket = OwnedFd::from(socket);
        assert_eq!(
            (own(&socket).unwrap(), peer(&socket)),
            (Vec::new(), Vec::new())
        );
    }
}
