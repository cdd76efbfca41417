//! Why no image was made.

use std::io;

use offshoot_trace::TraceError;

use crate::Refusal;
use crate::files::FileError;

/// Why a process could not be checkpointed. It goes on as if nothing had happened, and the pool has no new image.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// There is no such process.
    #[error("there is no process {pid}")]
    NoProcess {
        /// The process.
        pid: u32,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// It has something that an image cannot hold.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A descriptor or mapped file leads to something that an image cannot hold, or cannot be read.
    #[error(transparent)]
    Files(#[from] FileError),
    /// Whoever wanted the image does not want it as it is.
    #[error("image {name} is not kept")]
    Rejected {
        /// The name that it would have had.
        name: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It could not be stopped or asked.
    #[error("process {pid} cannot be frozen")]
    Trace {
        /// The process.
        pid: u32,
        /// Why.
        #[source]
        source: TraceError,
    },
    /// A file of `/proc` is not there, mostly because the process has ended.
    #[error("cannot read {path}")]
    Proc {
        /// The file.
        path: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// A file of `/proc` is not as `proc(5)` says.
    #[error("{path} has no {what} that this version understands")]
    Malformed {
        /// The file.
        path: String,
        /// What was looked for.
        what: &'static str,
    },
    /// The process could not answer a question about itself.
    #[error("thread {tid} cannot tell {what} (system call {call} failed)")]
    Unanswered {
        /// The thread.
        tid: u32,
        /// What was asked.
        what: &'static str,
        /// Number of the system call that was injected.
        call: i64,
        /// What it returned.
        #[source]
        source: io::Error,
    },
    /// The kernel refused a question about a thread.
    #[error("cannot learn {what} of thread {tid}")]
    Query {
        /// The thread.
        tid: u32,
        /// What was asked.
        what: &'static str,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The process has no vDSO with a `syscall` instruction (a kernel started with `vdso=0`).
    #[error("process {pid} has no vDSO; start the kernel without vdso=0")]
    NoVdso {
        /// The process.
        pid: u32,
    },
    /// Its pages could not be read: mostly a mapped file that was cut short meanwhile.
    #[error("cannot read {what}")]
    Memory {
        /// Which part.
        what: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// A file that the process maps was changed while the image was made.
    #[error("the mapped file {path} was changed during the checkpoint; try again")]
    FileChanged {
        /// Its path, as the process sees it.
        path: String,
    },
    /// The machine has no memory for a copy of its pages.
    #[error("cannot take {bytes} bytes of memory for the pages of process {pid}")]
    Buffer {
        /// The process.
        pid: u32,
        /// How many bytes.
        bytes: usize,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// It is larger than an image may be.
    #[error("process {pid} has more pages than an image holds (256 GiB)")]
    TooLarge {
        /// The process.
        pid: u32,
    },
    /// The image that was named as parent cannot be used.
    #[error("parent image {name} cannot be used")]
    Parent {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The process is a clone, and an image from which it maps memory cannot be read.
    #[error("process maps memory of image {name}, which cannot be read")]
    Mapped {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The pool did not take the image.
    #[error("the pool does not take image {name}")]
    Pool {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The caller's machine has no thread to spare.
    #[error("cannot start a thread for the checkpoint")]
    Thread {
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The image is there, but the process could not be ended.
    #[error("the image was made, but process {pid} could not be ended")]
    Kill {
        /// The process.
        pid: u32,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}
