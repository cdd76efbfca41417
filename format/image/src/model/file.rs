//! Files, pipes, sockets, and the descriptors that lead to them.

use serde::{Deserialize, Serialize};

/// A file that still has a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileIdentity {
    /// Absolute path, as the process saw it.
    pub path: Vec<u8>,
    /// Length in bytes.
    pub bytes: u64,
    /// Time of the last modification, in nanoseconds since the epoch.
    pub modified_ns: i64,
    /// Mode (`stat(2)`).
    pub mode: u32,
    /// Whether a clone must find it unchanged: mapped files, whose pages the process expects. Files that are only
    /// open may have changed.
    pub pinned: bool,
}

/// An open file description.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenFile {
    /// What it is.
    pub kind: OpenFileKind,
    /// Access mode and status flags: `O_*` as `/proc/pid/fdinfo` shows them, without `O_CLOEXEC`.
    pub flags: u32,
}

/// What a descriptor can lead to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OpenFileKind {
    /// A regular file or directory with a name.
    Path {
        /// Index into the manifest's files.
        file: u32,
        /// Position in bytes.
        position: u64,
    },
    /// A file of the image: a memfd, or a file without a name.
    Content {
        /// Index into the manifest's contents.
        content: u32,
        /// Position in bytes.
        position: u64,
    },
    /// A character device without state: null, zero, full, random, urandom.
    Device {
        /// Its path.
        path: Vec<u8>,
    },
    /// One end of a pipe.
    Pipe {
        /// Index into the manifest's pipes.
        pipe: u32,
        /// Which end.
        end: PipeEnd,
    },
    /// `eventfd(2)`.
    Event {
        /// The counter.
        count: u64,
        /// `EFD_SEMAPHORE`.
        semaphore: bool,
    },
    /// `epoll_create(2)`.
    Epoll {
        /// What it watches.
        watches: Vec<EpollWatch>,
    },
    /// `timerfd_create(2)`.
    Timer {
        /// The clock (`CLOCK_*`).
        clock: i32,
        /// Expirations not yet read.
        ticks: u64,
        /// `TFD_TIMER_*` as last given.
        set_flags: u32,
        /// Time left, in nanoseconds; 0 if it is not armed.
        left_ns: u64,
        /// Interval, in nanoseconds.
        interval_ns: u64,
    },
    /// `signalfd(2)`.
    Signal {
        /// The signals that it takes.
        mask: u64,
    },
    /// `inotify(7)`.
    Inotify {
        /// What it watches.
        watches: Vec<InotifyWatch>,
    },
    /// A Unix socket: listening, or connected to another of the same process.
    Socket {
        /// Index into the manifest's sockets.
        socket: u32,
    },
    /// Comes from outside: whoever makes a clone gives a file for it.
    Substituted {
        /// What it was, for messages.
        description: String,
    },
}

/// Which end of a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PipeEnd {
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Both: a FIFO opened with `O_RDWR`.
    Both,
}

/// A pipe or FIFO whose every end is in the process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pipe {
    /// The FIFO's path; none for a pipe without name.
    pub path: Option<Vec<u8>>,
    /// Capacity in bytes (`F_GETPIPE_SZ`).
    pub capacity: u32,
    /// What is in it.
    pub content: Vec<u8>,
}

/// One entry of an epoll set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpollWatch {
    /// The descriptor.
    pub descriptor: u32,
    /// `EPOLL*`.
    pub events: u32,
    /// What the program gets with each event.
    pub data: u64,
}

/// One watch of inotify.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InotifyWatch {
    /// Its number, which the program holds.
    pub number: i32,
    /// The path.
    pub path: Vec<u8>,
    /// `IN_*`.
    pub mask: u32,
}

/// A Unix socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnixSocket {
    /// Its kind.
    pub kind: SocketKind,
    /// The address that it is bound to: a path, or an abstract name beginning with a zero byte; empty if unbound.
    pub address: Vec<u8>,
    /// Its peer, as an index into the manifest's sockets; none for a listening one.
    pub peer: Option<u32>,
    /// Length of the queue of a listening socket; none if it does not listen.
    pub backlog: Option<u32>,
    /// Messages that wait to be read; one for streams. A socket of datagrams has them from anybody: without a peer, they
    /// came from sockets without an address.
    pub queue: Vec<Vec<u8>>,
    /// `SO_SNDBUF` as `getsockopt(2)` tells it: twice what was set.
    pub send_bytes: u32,
    /// `SO_RCVBUF`, likewise.
    pub receive_bytes: u32,
    /// `SO_PASSCRED`: messages come with the sender's ids, also those that are in the queue.
    pub passes_credentials: bool,
}

/// `SOCK_*` of a Unix socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SocketKind {
    /// `SOCK_STREAM`.
    Stream,
    /// `SOCK_DGRAM`.
    Datagram,
    /// `SOCK_SEQPACKET`.
    Packet,
}

/// A descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descriptor {
    /// Its number.
    pub number: u32,
    /// `FD_CLOEXEC`.
    pub close_on_exec: bool,
    /// Index into the manifest's open files.
    pub open_file: u32,
}
