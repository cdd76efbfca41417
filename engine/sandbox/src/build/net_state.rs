//! What tells a network namespace that was used from one that was not.
//!
//! A tenant has no right to configure anything in its namespace, but it leaves traces by using it: counters, closed
//! connections that wait, neighbours. All of that can be read below `/proc/net`. The nursery reads it once from a
//! namespace that nobody has used, and every init that is given a used one compares, byte for byte.

use std::fmt::Write as _;
use std::io::{self, Read};
use std::os::fd::OwnedFd;

use offshoot_sys::clone::{self, CloneRequest, SingleThread};
use offshoot_sys::namespace::{Namespaces, unshare};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags};
use rustix::pipe::{PipeFlags, pipe_with};

/// Files that are compared as they are. They count every packet that was ever sent or refused (`dev`, `snmp`, `snmp6`,
/// `netstat`) and list what can be left behind.
///
/// Not among them: the tables of TCP and UDP sockets, because the kernel searches the whole machine's for them, a
/// millisecond; their numbers are in [`SOCKET_COUNTS`]. `fib_trie` and `ipv6_route` count uses by the kernel itself.
const COMPARED: [&str; 14] = [
    "dev",
    "snmp",
    "snmp6",
    "netstat",
    "arp",
    "route",
    "if_inet6",
    "igmp",
    "igmp6",
    "mcfilter",
    "mcfilter6",
    "rt_cache",
    "ip6_flowlabel",
    "unix",
];
/// Files that tell how many sockets there are, of which some numbers are the whole machine's.
const SOCKET_COUNTS: [&str; 2] = ["sockstat", "sockstat6"];
/// The longest file that is read; all of a new namespace together have 9 kB.
const MAX_BYTES: usize = 1 << 20;
/// So much is read at once.
const PIECE_BYTES: usize = 8 << 10;

/// Everything that is compared, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NetState(String);

impl NetState {
    /// Reads it from the calling process's namespace; `/proc` must be mounted.
    pub(crate) fn read() -> io::Result<Self> {
        let mut state = String::with_capacity(16 << 10);
        let mut buffer = Vec::with_capacity(PIECE_BYTES);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let net = rustix::fs::open("/proc/self/net", flags, Mode::empty())?;
        for name in COMPARED {
            let Some(text) = read(&net, name, &mut buffer)? else {
                continue;
            };
            let _ = writeln!(state, "{name}:\n{text}");
        }
        for name in SOCKET_COUNTS {
            let Some(text) = read(&net, name, &mut buffer)? else {
                continue;
            };
            let _ = writeln!(state, "{name}:");
            for line in text.lines() {
                let _ = writeln!(state, "{}", own_counts(line));
            }
        }
        Ok(Self(state))
    }

    /// Reads it from a namespace that is made for this and gone afterwards.
    pub(crate) fn of_unused_namespace(thread: &SingleThread) -> io::Result<Self> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
        let spawned = clone::spawn(thread, &CloneRequest::default(), |_| {
            let told = read_unused().and_then(|state| write_all(&writer, state.0.as_bytes()));
            u8::from(told.is_err())
        })?;
        drop(writer);
        let mut state = String::new();
        std::fs::File::from(reader).read_to_string(&mut state)?;
        let ended = rustix::process::waitid(
            rustix::process::WaitId::PidFd(std::os::fd::AsFd::as_fd(&spawned.pidfd)),
            rustix::process::WaitIdOptions::EXITED,
        )?;
        match ended.and_then(|status| status.exit_status()) {
            Some(0) if !state.is_empty() => Ok(Self(state)),
            _ => Err(io::Error::other(
                "an unused network namespace cannot be read",
            )),
        }
    }
}

fn write_all(pipe: &OwnedFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = rustix::io::retry_on_intr(|| rustix::io::write(pipe, bytes))?;
        bytes = &bytes[written..];
    }
    Ok(())
}

/// The body of a process that ends with it.
fn read_unused() -> io::Result<NetState> {
    unshare(Namespaces::NET | Namespaces::MOUNT)?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private)?;
    super::network::bring_loopback_up()?;
    rustix::mount::mount("proc", "/proc", "proc", MountFlags::empty(), c"")?;
    NetState::read()
}

/// One file; which there are depends on the kernel's configuration.
fn read(net: &OwnedFd, name: &str, buffer: &mut Vec<u8>) -> io::Result<Option<String>> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(net, name, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(None),
        file => file?,
    };
    buffer.clear();
    // In large pieces: the kernel makes the text anew for each read of a few bytes.
    while rustix::io::read(&file, rustix::buffer::spare_capacity(buffer))? > 0 {
        if buffer.len() > MAX_BYTES {
            return Err(io::Error::other("a file of /proc/net has no end"));
        }
        buffer.reserve(PIECE_BYTES);
    }
    let text = std::str::from_utf8(buffer).map_err(io::Error::other)?;
    Ok(Some(text.to_owned()))
}

/// A line of `sockstat` with the counts that are the namespace's own: `inuse` and `tw`; the others (`orphan`, `alloc`,
/// `mem`, and `used` of all sockets) are the machine's (`net/ipv4/proc.c`, `sockstat_seq_show`).
fn own_counts(line: &str) -> String {
    let mut words = line.split_whitespace();
    let mut own = words.next().unwrap_or_default().to_owned();
    while let (Some(name), Some(count)) = (words.next(), words.next()) {
        if matches!(name, "inuse" | "tw") {
            let _ = write!(own, " {name} {count}");
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_the_whole_machine_are_left_out() {
        let line = "TCP: inuse 5 orphan 0 tw 3 alloc 25 mem 4";
        assert_eq!(own_counts(line), "TCP: inuse 5 tw 3");
        assert_eq!(own_counts("sockets: used 198"), "sockets:");
        assert_eq!(own_counts(""), "");
    }
}
