//! What an image cannot hold.

use std::fmt;

/// A file that an image cannot hold. Its text is a noun, for the middle of a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// TCP, UDP, raw.
    #[error("{protocol} socket {state}")]
    Internet {
        /// With its article: "a TCP".
        protocol: &'static str,
        /// Connected from where to where, listening, or neither.
        state: InternetState,
    },
    /// Any other family that reaches beyond the process.
    #[error("{family} socket")]
    Socket {
        /// With its article: "a netlink".
        family: String,
    },
    /// The peer belongs to another process.
    #[error("a Unix socket whose peer{}{}", At(.peer_address), By(.peers, "is open in"))]
    UnixPeer {
        /// Address that the peer is bound to; empty if none.
        peer_address: Vec<u8>,
        /// Who holds the peer; empty if nobody was found.
        peers: Vec<Holder>,
    },
    /// One side has gone.
    #[error("a Unix socket{} whose peer is closed", At(.address))]
    UnixPeerClosed {
        /// Address that it is bound to; empty if none.
        address: Vec<u8>,
    },
    /// `connect(2)` has returned, `accept(2)` has not.
    #[error("a Unix socket whose connection is not accepted yet by the socket{}", At(.peer_address))]
    UnixNotAccepted {
        /// Address of the listening socket.
        peer_address: Vec<u8>,
    },
    /// `shutdown(2)`.
    #[error("a Unix socket{} shut down in one direction", At(.address))]
    UnixShutDown {
        /// Address that it is bound to; empty if none.
        address: Vec<u8>,
    },
    /// Descriptors that nobody has received.
    #[error("a Unix socket{} with {descriptors} descriptors in its queue (SCM_RIGHTS)", At(.address))]
    RightsInFlight {
        /// Address that it is bound to; empty if none.
        address: Vec<u8>,
        /// How many.
        descriptors: u32,
    },
    /// Connections that nobody has accepted.
    #[error("a listening Unix socket{} with {waiting} connections to accept", At(.address))]
    AcceptQueue {
        /// Address that it is bound to; empty if none.
        address: Vec<u8>,
        /// How many.
        waiting: u32,
    },
    /// A queue that cannot be made again.
    #[error("a Unix socket{} with {what} in its queue", At(.address))]
    UnixQueue {
        /// Address that it is bound to; empty if none.
        address: Vec<u8>,
        /// What.
        what: &'static str,
    },
    /// An option that an image has no place for.
    #[error("a Unix socket{} with the option {option}", At(.address))]
    UnixOption {
        /// Address that it is bound to; empty if none.
        address: Vec<u8>,
        /// The option.
        option: &'static str,
    },
    /// In another network namespace than the process.
    #[error("a socket of another network namespace than the process's")]
    ForeignNetwork,
    /// Others use it too.
    #[error("{thing}{}", By(.holders, "that is also open in"))]
    Shared {
        /// With its article: "a pipe".
        thing: String,
        /// Who.
        holders: Vec<Holder>,
    },
    /// The other end is to be substituted, this one is not.
    #[error("{thing} whose other end, descriptor {other}, is external")]
    HalfExternal {
        /// With its article: "a pipe".
        thing: &'static str,
        /// The other end.
        other: u32,
    },
    /// A pipe of packets (`O_DIRECT`) that is not empty.
    #[error("a pipe of packets (O_DIRECT) that is not empty")]
    PacketPipe,
    /// A FIFO that was removed or renamed away.
    #[error("a FIFO that {} does not lead to any more", Text(.path))]
    LostFifo {
        /// The path that it had.
        path: Vec<u8>,
    },
    /// A terminal.
    #[error("a terminal, {}", Text(.path))]
    Terminal {
        /// Its path.
        path: Vec<u8>,
    },
    /// A character device with state.
    #[error("a character device, {} ({major}:{minor})", Text(.path))]
    Device {
        /// Its path.
        path: Vec<u8>,
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A block device.
    #[error("a block device, {}", Text(.path))]
    BlockDevice {
        /// Its path.
        path: Vec<u8>,
    },
    /// io_uring, userfaultfd, fanotify, perf, BPF, pidfd, KVM, …: without a name in any directory.
    #[error("{0}")]
    Anonymous(String),
    /// A file of a file system whose files are doors to the kernel.
    #[error("{what}, {}", Text(.path))]
    KernelFile {
        /// With its article: "a file of /proc about one process".
        what: &'static str,
        /// Its path.
        path: Vec<u8>,
    },
    /// No path in the process's root leads to it.
    #[error("a file that {} does not lead to in the process's root and mount namespace", Text(.path))]
    Unreachable {
        /// The path that the kernel gave.
        path: Vec<u8>,
    },
    /// Removed, but neither a regular file nor a FIFO.
    #[error("a removed directory or special file, {}", Text(.path))]
    Removed {
        /// The path that it had.
        path: Vec<u8>,
    },
    /// The name is gone, but the file has others, and may be written.
    #[error("a writable file whose name {} is gone while it has others", Text(.path))]
    OtherNames {
        /// The path that it had.
        path: Vec<u8>,
    },
    /// `flock(2)`, `F_SETLK`, `F_OFD_SETLK`, `F_SETLEASE`.
    #[error("a file with a lock or lease ({lock}), {}", Text(.path))]
    Locked {
        /// What `/proc/pid/fdinfo` says of it.
        lock: String,
        /// The file.
        path: Vec<u8>,
    },
    /// `O_ASYNC`, `F_SETOWN`, `F_SETSIG`, `F_NOTIFY`.
    #[error("a file that sends signals ({how}), {}", Text(.path))]
    Signalling {
        /// Which of them.
        how: &'static str,
        /// The file.
        path: Vec<u8>,
    },
    /// An epoll set with an entry whose descriptor now is closed or another file.
    #[error(
        "an epoll set that watches a file as descriptor {number}, which now is {}",
        Now(.number_is_open, .duplicate)
    )]
    EpollTarget {
        /// The number at registration.
        number: u32,
        /// Whether that number now is another file.
        number_is_open: bool,
        /// A descriptor that still leads to the watched file.
        duplicate: Option<u32>,
    },
    /// An inotify instance with events to read.
    #[error("an inotify instance with {bytes} bytes of events to read")]
    InotifyQueue {
        /// How many bytes.
        bytes: u64,
    },
    /// An inotify watch whose path was not found.
    #[error(
        "an inotify instance whose watch {number} is of a file without a known path (inode {inode})"
    )]
    InotifyPath {
        /// The watch.
        number: i32,
        /// The inode.
        inode: u64,
    },
}

impl Obstacle {
    /// What to do about it, besides closing or substituting it.
    pub(super) fn cure(&self) -> Option<&'static str> {
        match self {
            Self::Locked { .. } => Some("release the lock"),
            Self::AcceptQueue { .. } | Self::UnixNotAccepted { .. } => {
                Some("accept the connection")
            }
            Self::RightsInFlight { .. } | Self::UnixQueue { .. } | Self::PacketPipe => {
                Some("read what waits in it")
            }
            Self::InotifyQueue { .. } => Some("read the events"),
            Self::EpollTarget { .. } => Some("remove the entry (EPOLL_CTL_DEL)"),
            Self::InotifyPath { .. } => Some("remove the watch"),
            Self::Signalling { .. } => Some("take the owner back (F_SETOWN 0, no O_ASYNC)"),
            Self::HalfExternal { .. } => Some("substitute both ends"),
            _ => None,
        }
    }
}

/// What an Internet socket does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InternetState {
    /// Connected.
    Connected {
        /// Its address.
        local: String,
        /// The peer's address.
        remote: String,
    },
    /// Waits for connections.
    Listening {
        /// Its address.
        local: String,
    },
    /// Bound at most.
    Unconnected {
        /// Its address.
        local: String,
    },
}

impl fmt::Display for InternetState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected { local, remote } => write!(f, "connected from {local} to {remote}"),
            Self::Listening { local } => write!(f, "listening on {local}"),
            Self::Unconnected { local } => write!(f, "bound to {local}, not connected"),
        }
    }
}

/// Another process that has a file open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its id.
    pub pid: i32,
    /// Its name (`/proc/pid/comm`).
    pub name: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} ({})", self.pid, self.name)
    }
}

/// How many holders a message names.
const NAMED: usize = 3;

/// Who, behind what they do.
pub(super) struct By<'a>(pub &'a [Holder], pub &'static str);

impl fmt::Display for By<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named: Vec<String> = self.0.iter().take(NAMED).map(Holder::to_string).collect();
        if named.is_empty() {
            return write!(f, " {} another process, which was not found", self.1);
        }
        write!(f, " {} {}", self.1, named.join(", "))?;
        match self.0.len() - named.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// A Unix address with a blank before it, or nothing.
struct At<'a>(&'a [u8]);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => Ok(()),
            [0, name @ ..] => write!(f, " @{}", Text(name)),
            path => write!(f, " {}", Text(path)),
        }
    }
}

/// Bytes of a tenant's choice, fit for a message.
struct Text<'a>(&'a [u8]);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

struct Now<'a>(&'a bool, &'a Option<u32>);

impl fmt::Display for Now<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self.0 { "another file" } else { "closed" })?;
        match self.1 {
            Some(number) => write!(f, " (descriptor {number} still leads to it)"),
            None => Ok(()),
        }
    }
}
