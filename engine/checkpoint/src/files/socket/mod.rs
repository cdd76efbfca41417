//! Sockets: Unix sockets whose every end is in the process; all others are refused.

mod address;
pub(super) mod diag;
mod queue;
mod unix;

use offshoot_image::model::OpenFileKind;
use rustix::net::sockopt::{socket_acceptconn, socket_domain, socket_protocol, socket_type};
use rustix::net::{AddressFamily, SocketType, getpeername, getsockname};

use super::classify::Classifier;
use super::description::Description;
use super::error::{FileError, Halt};
use super::obstacle::{InternetState, Obstacle};

/// The kind of a description of a socket.
pub(super) fn kind(
    classifier: &mut Classifier<'_>,
    description: &Description,
) -> Result<OpenFileKind, Halt> {
    match family(description)? {
        AddressFamily::UNIX => unix::kind(classifier, description),
        family => Err(obstacle(description, family)?.into()),
    }
}

/// What a socket is, for messages; none if it cannot be asked.
pub(super) fn describe(description: &Description) -> Option<String> {
    match family(description).ok()? {
        AddressFamily::UNIX => unix::describe(description),
        family => Some(obstacle(description, family).ok()?.to_string()),
    }
}

fn family(description: &Description) -> Result<AddressFamily, FileError> {
    description.asked("the family", socket_domain(&description.file))
}

/// A socket that reaches beyond the process.
fn obstacle(description: &Description, family: AddressFamily) -> Result<Obstacle, FileError> {
    let protocol = description.asked("the protocol", socket_protocol(&description.file))?;
    let protocol = protocol.map_or(0, |protocol| protocol.as_raw().get());
    Ok(match family {
        AddressFamily::INET | AddressFamily::INET6 => Obstacle::Internet {
            protocol: internet_protocol(description, protocol)?,
            state: internet_state(description)?,
        },
        _ => Obstacle::Socket {
            family: family_name(family, protocol),
        },
    })
}

fn internet_protocol(description: &Description, protocol: u32) -> Result<&'static str, FileError> {
    /// `IPPROTO_*` of `linux/in.h`.
    const TCP: u32 = 6;
    const UDP: u32 = 17;
    const SCTP: u32 = 132;
    const MPTCP: u32 = 262;
    let kind = description.asked("the type", socket_type(&description.file))?;
    Ok(match (kind, protocol) {
        (SocketType::RAW, _) => "a raw IP",
        (_, TCP) => "a TCP",
        (_, UDP) => "a UDP",
        (_, SCTP) => "an SCTP",
        (_, MPTCP) => "an MPTCP",
        _ => "an IP",
    })
}

fn internet_state(description: &Description) -> Result<InternetState, FileError> {
    let file = &description.file;
    let local = description.asked("the address", getsockname(file))?;
    let local = address::text(local);
    if let Some(remote) = getpeername(file).ok().flatten() {
        let remote = address::text(remote);
        return Ok(InternetState::Connected { local, remote });
    }
    Ok(match socket_acceptconn(file) {
        Ok(true) => InternetState::Listening { local },
        _ => InternetState::Unconnected { local },
    })
}

/// The family with its article (`linux/socket.h`).
fn family_name(family: AddressFamily, protocol: u32) -> String {
    let name = match family.as_raw() {
        16 => return format!("a netlink (protocol {protocol})"),
        17 => "a packet",
        29 => "a CAN",
        30 => "a TIPC",
        31 => "a Bluetooth",
        38 => "a kernel cryptography (AF_ALG)",
        40 => "a vsock",
        44 => "an XDP",
        number => return format!("an address family {number}"),
    };
    name.to_owned()
}
