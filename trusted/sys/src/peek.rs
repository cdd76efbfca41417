//! `MSG_PEEK` of `recv(2)` and `SO_PEEK_OFF` of `socket(7)`: what waits in a Unix socket, and from
//! whom, without taking it.
// UNSAFETY: getsockopt, setsockopt and recvfrom with buffers of ours.
#![expect(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The peek offset in bytes; none if every peek looks at the beginning, which is the default.
///
/// # Errors
/// The errors of `getsockopt(2)`; `EOPNOTSUPP` for families without it.
pub fn offset(socket: BorrowedFd<'_>) -> io::Result<Option<u32>> {
    let mut value: libc::c_int = -1;
    let mut bytes = SIZE;
    // SAFETY: the kernel writes at most `bytes` bytes, which is the size of `value`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEEK_OFF,
            (&raw mut value).cast(),
            &raw mut bytes,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(u32::try_from(value).ok())
}

/// Sets the peek offset: from then on every `MSG_PEEK` advances it. None restores the default.
///
/// The offset belongs to the socket, so that everybody who shares it is concerned.
///
/// # Errors
/// The errors of `setsockopt(2)`; `EINVAL` for an offset of 2 GiB or more.
pub fn set_offset(socket: BorrowedFd<'_>, offset: Option<u32>) -> io::Result<()> {
    let value: libc::c_int = match offset {
        None => -1,
        Some(offset) => {
            libc::c_int::try_from(offset).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?
        }
    };
    // SAFETY: the kernel reads SIZE bytes, which is the size of `value`.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEEK_OFF,
            (&raw const value).cast(),
            SIZE,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Length and sender of the message that a peek sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peeked {
    /// Length of the whole message (`MSG_TRUNC`), which can be more than the buffer took.
    pub bytes: usize,
    /// Address of the sender as in `unix(7)`: a path, an abstract name behind a zero byte, or empty.
    pub sender: Vec<u8>,
}

/// Copies into `buffer` what fits of the message where the peek offset stands, without waiting.
///
/// # Errors
/// The errors of `recvfrom(2)`; `EAGAIN` if there is no message.
pub fn message(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Peeked> {
    let mut sender = Sender {
        family: 0,
        name: [0; NAME_BYTES_MAX],
    };
    let mut sender_bytes = size_of::<Sender>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `buffer.len()` bytes to `buffer`, and at most
    // `sender_bytes` bytes, its size, to `sender`, which any bytes are valid for.
    let bytes = unsafe {
        libc::recvfrom(
            socket.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            libc::MSG_PEEK | libc::MSG_DONTWAIT | libc::MSG_TRUNC,
            (&raw mut sender).cast(),
            &raw mut sender_bytes,
        )
    };
    let bytes = usize::try_from(bytes).map_err(|_| io::Error::last_os_error())?;
    let name_bytes = (sender_bytes as usize).saturating_sub(size_of_val(&sender.family));
    let name = sender.name.get(..name_bytes).unwrap_or(&sender.name);
    Ok(Peeked {
        bytes,
        sender: address(name),
    })
}

/// `struct sockaddr_un` with room for the zero byte that the kernel adds to the longest path.
#[repr(C)]
struct Sender {
    family: libc::sa_family_t,
    name: [u8; NAME_BYTES_MAX],
}

const NAME_BYTES_MAX: usize = 126;

/// A path ends at its zero byte; an abstract name, which begins with one, at its length.
fn address(name: &[u8]) -> Vec<u8> {
    let end = match name.first() {
        Some(0) => name.len(),
        _ => name
            .iter()
            .position(|&byte| byte == 0)
            .unwrap_or(name.len()),
    };
    name[..end].to_vec()
}

const SIZE: libc::socklen_t = size_of::<libc::c_int>() as libc::socklen_t;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn the_offset_is_set_and_taken_back() {
        let (socket, _peer) = UnixDatagram::pair().unwrap();
        assert_eq!(offset(socket.as_fd()).unwrap(), None);
        set_offset(socket.as_fd(), Some(0)).unwrap();
        assert_eq!(offset(socket.as_fd()).unwrap(), Some(0));
        set_offset(socket.as_fd(), None).unwrap();
        assert_eq!(offset(socket.as_fd()).unwrap(), None);
    }

    #[test]
    fn a_message_is_seen_with_its_length_and_stays() {
        let (socket, peer) = UnixDatagram::pair().unwrap();
        let error = message(socket.as_fd(), &mut []).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        peer.send(b"hello").unwrap();
        let mut buffer = [0; 3];
        for _ in 0..2 {
            let peeked = message(socket.as_fd(), &mut buffer).unwrap();
            assert_eq!((peeked.bytes, peeked.sender), (5, Vec::new()));
            assert_eq!(&buffer, b"hel");
        }
    }

    #[test]
    fn path_and_abstract_name_of_a_sender_are_told_apart() {
        assert_eq!(address(b"/run/a\0"), b"/run/a");
        assert_eq!(address(b"\0a\0b"), b"\0a\0b");
        assert_eq!(address(b""), b"");
        assert_eq!(address(&[b'x'; 108]), [b'x'; 108]);
    }
}
