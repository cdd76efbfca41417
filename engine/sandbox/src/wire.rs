//! Messages between daemon, nursery and the processes that it clones: one packet each, with descriptors.
//!
//! All sockets are `SOCK_SEQPACKET` pairs, so that a packet is a message. The daemon sends requests to
//! the nursery, a byte that names the kind and then the plan: to make a ghost sandbox ([`BuildPlan`]),
//! or to run a program in one that was taken ([`RunPlan`]). Everything else about it goes over sockets
//! whose one end travels with the plan: [`Report`]s to the daemon, one [`Order`] to an init. No
//! message is ever matched to another by a number.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;

use serde::{Deserialize, Serialize};

use crate::stage::{Failure, Stage};

pub(crate) use offshoot_sys::packet::{receive, send};

/// The longest packet; a longer plan travels in a memfd, its packet all but empty.
const MAX_INLINE_BYTES: usize = offshoot_sys::packet::MAX_BYTES;
/// The longest plan that is read from a memfd.
const MAX_PLAN_BYTES: u64 = 8 << 20;

/// What the nursery is asked for: the first byte of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Build = b'b',
    Run = b'r',
}

/// How a ghost sandbox shall be made. The descriptors of the request, in order: control socket, cgroup2
/// directory, the network namespace if one is kept, then [`BuildPlan::attach_len`] cgroup v1 `tasks` files, then one
/// detached mount for each of [`BuildPlan::mounts`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct BuildPlan {
    pub(crate) hostname: String,
    pub(crate) uid: u32,
    pub(crate) tmp_bytes: u64,
    pub(crate) keeps_net: bool,
    pub(crate) attach_len: usize,
    pub(crate) mounts: Vec<MountPoint>,
    pub(crate) egress: bool,
    pub(crate) resolv_conf: Option<String>,
    /// Whether nobody waits for it, so that it may take the CPU time that is left over.
    pub(crate) ahead: bool,
}

/// A program to be run in a sandbox. The descriptors of the request, in order: control socket, birth socket,
/// cgroup2 directory, pidfd of the sandbox's init, output, the channel if any, then [`RunPlan::attach_len`] cgroup v1
/// `tasks` files.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RunPlan {
    pub(crate) argv: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) cwd: String,
    pub(crate) uid: u32,
    pub(crate) has_channel: bool,
    pub(crate) attach_len: usize,
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

/// What became of the network namespace that a new init was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum NetFate {
    /// There was none to keep: it is new.
    Made,
    /// It reads like one that was never used.
    Kept,
    /// It did not: another one was made.
    Replaced,
}

/// What the daemon is told.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// From the nursery, on the control socket: the process exists. Carries its pidfd.
    Cloned { pid: i32 },
    /// From an init: its network namespace wants a link.
    NetworkReady,
    /// From an init: the sandbox is made. Carries the network namespace. The end of the socket follows, when init has
    /// become the holder.
    Built {
        stages_us: Vec<(Stage, u32)>,
        net: NetFate,
    },
    /// On the birth socket: the program is about to be executed. Carries the Runtime API listener if one was wanted. The
    /// end of the socket follows, when it has been.
    Executing { stages_us: Vec<(Stage, u32)> },
    /// A step failed; the process ends.
    Failed(Failure),
    /// From the nursery, on the control socket: the program exited.
    Exited { code: i32 },
    /// From the nursery, on the control socket: a signal killed the program.
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

/// A request: bytes for the packet, and a memfd when they would be too long for one.
pub(crate) fn pack<T: Serialize>(kind: Kind, plan: &T) -> io::Result<(Vec<u8>, Option<OwnedFd>)> {
    let mut bytes = vec![kind as u8];
    serde_json::to_writer(&mut bytes, plan).map_err(io::Error::other)?;
    if bytes.len() <= MAX_INLINE_BYTES {
        return Ok((bytes, None));
    }
    let memfd = rustix::fs::memfd_create(c"plan", rustix::fs::MemfdFlags::CLOEXEC)?;
    let mut file = std::fs::File::from(memfd);
    file.write_all(&bytes[1..])?;
    bytes.truncate(1);
    Ok((bytes, Some(file.into())))
}

/// What kind of request a packet is.
pub(crate) fn kind_of(bytes: &[u8]) -> Option<Kind> {
    [Kind::Build, Kind::Run]
        .into_iter()
        .find(|kind| bytes.first() == Some(&(*kind as u8)))
}

/// The plan of a request; takes the memfd off the descriptors when there is one.
pub(crate) fn unpack<T: for<'de> Deserialize<'de>>(
    bytes: &[u8],
    fds: &mut Vec<OwnedFd>,
) -> io::Result<T> {
    if bytes.len() > 1 {
        return decode(&bytes[1..]);
    }
    let memfd = fds.pop().ok_or(io::ErrorKind::InvalidData)?;
    let mut file = std::fs::File::from(memfd);
    let mut long = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(MAX_PLAN_BYTES).read_to_end(&mut long)?;
    decode(&long)
}
