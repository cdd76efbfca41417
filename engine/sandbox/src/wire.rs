//! Messages between daemon, nursery and inits: one packet each, with descriptors.
//!
//! All sockets are `SOCK_SEQPACKET` pairs, so that a packet is a message. The daemon sends a
//! [`Plan`] to the nursery; everything else about that sandbox goes over the sandbox's own control
//! socket, whose one end travels with the plan: from nursery and init [`Report`]s, to init one
//! [`Order`]. No message is ever matched to another by a number.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;

use serde::{Deserialize, Serialize};

use crate::stage::{Failure, Stage};

pub(crate) use offshoot_sys::packet::{receive, send};

/// The longest packet; a longer plan travels in a memfd, its packet empty.
const MAX_INLINE_BYTES: usize = offshoot_sys::packet::MAX_BYTES;
/// The longest plan that is read from a memfd.
const MAX_PLAN_BYTES: u64 = 8 << 20;

/// What init shall do. The descriptors of the packet, in order: control socket, cgroup2 directory,
/// output, the channel if any, then [`Plan::attach_len`] and [`Plan::attach_late_len`] cgroup v1 `tasks` files, then one
/// detached mount for each of [`Plan::mounts`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) argv: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) cwd: String,
    pub(crate) hostname: String,
    pub(crate) uid: u32,
    pub(crate) tmp_bytes: u64,
    pub(crate) has_channel: bool,
    pub(crate) attach_len: usize,
    pub(crate) attach_late_len: usize,
    pub(crate) mounts: Vec<MountPoint>,
    pub(crate) egress: bool,
    pub(crate) resolv_conf: Option<String>,
    pub(crate) runtime_api: bool,
}

/// Where a detached mount goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum MountPoint {
    Task,
    Runtime,
    Layers,
}

impl MountPoint {
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Task => "var/task",
            Self::Runtime => "var/runtime",
            Self::Layers => "opt",
        }
    }
}

/// What the daemon is told over a sandbox's control socket.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// From the nursery: init exists. Carries its pidfd.
    Cloned { pid: i32 },
    /// The network namespace exists and wants its link.
    NetworkReady,
    /// The program runs. Carries the Runtime API listener if one was wanted.
    Ready { stages_us: Vec<(Stage, u32)> },
    /// A step failed; the sandbox ends.
    Failed(Failure),
    /// The program exited.
    Exited { code: i32 },
    /// A signal killed the program.
    Signaled { signal: i32 },
}

/// What init is told.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// The link is there: configure this end of it.
    Network {
        address: Ipv4Addr,
        prefix_bits: u8,
        gateway: Ipv4Addr,
    },
}

/// What the nursery says when it has started, over its own socket.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Greeting {
    /// It takes plans.
    Ready,
    /// It could not prepare and ends.
    Failed { what: String, errno: i32 },
}

/// Encodes a message.
pub(crate) fn encode<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    serde_json::to_vec(message).map_err(io::Error::other)
}

/// Decodes a message.
pub(crate) fn decode<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> io::Result<T> {
    serde_json::from_slice(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// An encoded plan: bytes for the packet, and a memfd when they would be too long for one.
pub(crate) fn pack_plan(plan: &Plan) -> io::Result<(Vec<u8>, Option<OwnedFd>)> {
    let bytes = encode(plan)?;
    if bytes.len() <= MAX_INLINE_BYTES {
        return Ok((bytes, None));
    }
    let memfd = rustix::fs::memfd_create(c"plan", rustix::fs::MemfdFlags::CLOEXEC)?;
    let mut file = std::fs::File::from(memfd);
    file.write_all(&bytes)?;
    // The packet must not be empty: an empty one means that the peer has gone.
    Ok((b"@".to_vec(), Some(file.into())))
}

/// The plan of a packet; takes the memfd off the descriptors when there is one.
pub(crate) fn unpack_plan(bytes: &[u8], fds: &mut Vec<OwnedFd>) -> io::Result<Plan> {
    if bytes != b"@" {
        return decode(bytes);
    }
    let memfd = fds.pop().ok_or(io::ErrorKind::InvalidData)?;
    let mut file = std::fs::File::from(memfd);
    let mut long = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(MAX_PLAN_BYTES).read_to_end(&mut long)?;
    decode(&long)
}
