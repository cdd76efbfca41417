//! What the kernel remembers of an address's connections, forgotten.
//!
//! One request deletes all entries that a filter matches (nfnetlink_conntrack(7): `CTA_FILTER`,
//! since Linux 5.8), so that nothing is listed and no entry is missed that appears meanwhile.

use std::io;
use std::net::Ipv4Addr;

use rustix::net::netlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

/// `NFNL_SUBSYS_CTNETLINK` and `IPCTNL_MSG_CT_DELETE`.
const DELETE: u16 = 1 << 8 | 2;
/// `NLM_F_REQUEST | NLM_F_ACK`.
const FLAGS: u16 = 1 | 4;
/// Attributes: `CTA_TUPLE_ORIG`, in it `CTA_TUPLE_IP`; `CTA_FILTER`, in it `CTA_FILTER_ORIG_FLAGS`.
const TUPLE_ORIGINAL: u16 = 1;
const TUPLE_IP: u16 = 1;
const FILTER: u16 = 25;
const FILTER_ORIGINAL_FLAGS: u16 = 1;
/// `NLA_F_NESTED`.
const NESTED: u16 = 1 << 15;

/// Which end of a connection an address is.
#[derive(Debug, Clone, Copy)]
enum End {
    /// It opened the connection: `CTA_IP_V4_SRC`.
    Opener = 1,
    /// It was opened to it: `CTA_IP_V4_DST`.
    Opened = 2,
}

/// Forgets all connections from and to `address`. Blocks while the kernel looks at each entry.
pub(super) fn forget(address: Ipv4Addr) -> io::Result<()> {
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        Some(netlink::NETFILTER),
    )?;
    for end in [End::Opener, End::Opened] {
        rustix::net::send(&socket, &request(address, end), SendFlags::empty())?;
        let mut reply = [0; 256];
        let (len, _) = rustix::net::recv(&socket, &mut reply, RecvFlags::empty())?;
        acknowledged(reply.get(..len).unwrap_or_default())?;
    }
    Ok(())
}

fn request(address: Ipv4Addr, end: End) -> Vec<u8> {
    let ip = attribute(end as u16, &address.octets());
    let tuple = attribute(TUPLE_IP | NESTED, &ip);
    // The filter's bits are in the order of the attributes, from bit 0 on.
    let flags = 1_u32 << (end as u16 - 1);
    let filter = attribute(FILTER_ORIGINAL_FLAGS, &flags.to_ne_bytes());
    // Family AF_INET, which is looked at from version 1 on, and a resource that is not used.
    let mut body = vec![2, 1, 0, 0];
    body.extend(attribute(TUPLE_ORIGINAL | NESTED, &tuple));
    body.extend(attribute(FILTER | NESTED, &filter));
    let len = u32::try_from(16 + body.len()).unwrap_or_default();
    let mut message = len.to_ne_bytes().to_vec();
    message.extend(DELETE.to_ne_bytes());
    message.extend(FLAGS.to_ne_bytes());
    // Sequence and port: one request at a time, of a socket that the kernel names.
    message.extend([0; 8]);
    message.extend(body);
    message
}

/// Its length (without padding), its kind, its content. All of ours are multiples of four bytes.
fn attribute(kind: u16, content: &[u8]) -> Vec<u8> {
    let len = u16::try_from(4 + content.len()).unwrap_or_default();
    let mut bytes = len.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend_from_slice(content);
    bytes
}

/// The answer is `NLMSG_ERROR` with errno 0, or with one.
fn acknowledged(reply: &[u8]) -> io::Result<()> {
    let code = match reply {
        [_, _, _, _, 2, 0, ..] => reply.get(16..20).and_then(|code| code.try_into().ok()),
        _ => None,
    };
    match code.map(i32::from_ne_bytes) {
        // Nothing matched.
        Some(0) => Ok(()),
        Some(code) if code == -libc::ENOENT => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(code.saturating_neg())),
        None => Err(io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn request_is_as_long_as_it_says_and_names_the_address() {
        let request = request(Ipv4Addr::new(10, 200, 1, 3), End::Opened);
        let len = u32::from_ne_bytes(request[..4].try_into().unwrap());
        assert_eq!(len as usize, request.len());
        assert_eq!(request.len() % 4, 0);
        assert!(request.windows(4).any(|bytes| bytes == [10, 200, 1, 3]));
    }

    #[test]
    fn refusal_of_the_kernel_is_an_error_and_what_is_no_answer_too() {
        let mut reply = vec![0; 36];
        reply[4] = 2;
        acknowledged(&reply).unwrap();
        reply[16..20].copy_from_slice(&(-libc::EPERM).to_ne_bytes());
        let error = acknowledged(&reply).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
        assert!(acknowledged(&reply[..18]).is_err() && acknowledged(&[]).is_err());
    }
}
