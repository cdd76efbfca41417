//! Why descriptors could not be read.

use std::fmt;
use std::io;

use rustix::io::Errno;

use super::obstacle::{By, Holder, Obstacle};

/// Why the files of a process could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// No pidfd.
    #[error("cannot open process {pid}")]
    Process {
        /// The process.
        pid: i32,
        /// What the kernel said.
        source: Errno,
    },
    /// A file of `/proc` is not there, mostly because the process has ended.
    #[error("cannot read /proc/{pid}/{name}")]
    Proc {
        /// The process.
        pid: i32,
        /// The file's name below `/proc/pid`.
        name: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// A file of `/proc` says something that `proc(5)` does not know.
    #[error("/proc/{pid}/{name} has a line that this kernel's documentation does not know: {line}")]
    Malformed {
        /// The process.
        pid: i32,
        /// The file's name below `/proc/pid`.
        name: String,
        /// The line.
        line: String,
    },
    /// The kernel refused a question about a descriptor.
    #[error("cannot learn {what} of descriptor {descriptor}")]
    Query {
        /// The descriptor.
        descriptor: u32,
        /// What was asked.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel refused a question that is not about a single descriptor.
    #[error("cannot {what}")]
    Kernel {
        /// What was tried.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// A thread left the process's descriptor table (`unshare(CLONE_FILES)`).
    #[error(
        "thread {thread} of process {pid} has a descriptor table of its own (unshare of \
         CLONE_FILES), which an image cannot hold; let it share the process's table before the \
         checkpoint"
    )]
    OwnTable {
        /// The process.
        pid: i32,
        /// The thread.
        thread: i32,
    },
    /// A descriptor is to be substituted that is not open.
    #[error("descriptor {number} is given as external, but the process has not opened it")]
    ExternalNotOpen {
        /// The descriptor.
        number: u32,
    },
    /// Descriptors that an image cannot hold: all of them.
    #[error("{}", Lines(.0))]
    Refused(Vec<Refusal>),
    /// Memory that another process has, too.
    #[error(
        "{what}{}, which an image cannot hold; unmap it, or let the other process end, before the \
         checkpoint",
        By(.holders, "is shared with")
    )]
    SharedMemory {
        /// With its article.
        what: String,
        /// Who.
        holders: Vec<Holder>,
    },
    /// A mapped file, or another that is not reached by a descriptor, that an image cannot hold.
    #[error("/proc/{pid}/{link} is {obstacle}; unmap it before the checkpoint")]
    Mapping {
        /// The process.
        pid: i32,
        /// The magic link below `/proc/pid`.
        link: String,
        /// What it is.
        obstacle: Obstacle,
    },
}

/// An open file description that an image cannot hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The descriptors that lead to it, ascending; at least one.
    pub descriptors: Vec<u32>,
    /// What it is.
    pub obstacle: Obstacle,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.descriptors.iter().map(u32::to_string).collect();
        let (noun, verb) = match numbers.len() {
            1 => ("descriptor", "is"),
            _ => ("descriptors", "are"),
        };
        write!(f, "{noun} {} {verb} {}", numbers.join(", "), self.obstacle)?;
        write!(f, ", which an image cannot hold; ")?;
        if let Some(cure) = self.obstacle.cure() {
            write!(f, "{cure}, ")?;
        }
        let first = numbers.first().map_or("N", String::as_str);
        write!(
            f,
            "close it before the checkpoint, or pass it with `--external {first}` and give a file \
             for it at clone time"
        )
    }
}

/// One refusal per line.
struct Lines<'a>(&'a [Refusal]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, refusal) in self.0.iter().enumerate() {
            if nth > 0 {
                writeln!(f)?;
            }
            write!(f, "{refusal}")?;
        }
        Ok(())
    }
}

/// Why the reading of one file stopped.
#[derive(Debug)]
pub(super) enum Halt {
    /// An image cannot hold it; the next is still read.
    Refuse(Obstacle),
    /// The whole reading fails.
    Fail(FileError),
}

impl From<Obstacle> for Halt {
    fn from(obstacle: Obstacle) -> Self {
        Self::Refuse(obstacle)
    }
}

impl From<FileError> for Halt {
    fn from(error: FileError) -> Self {
        Self::Fail(error)
    }
}
