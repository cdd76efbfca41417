//! Why a process could not be stopped or read.

use std::io;

/// Why an operation on another process failed.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// Another tracer has it: a debugger, `strace`, another checkpoint.
    #[error("thread {tid} is traced by process {tracer} already")]
    AlreadyTraced {
        /// The thread.
        tid: u32,
        /// Its tracer.
        tracer: u32,
    },
    /// The caller may not trace it (`ptrace(2)`, "Ptrace access mode checking").
    #[error("tracing thread {tid} is not permitted")]
    Denied {
        /// The thread.
        tid: u32,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The thread, or the whole process, has ended.
    #[error("thread {tid} has ended")]
    Ended {
        /// The thread.
        tid: u32,
    },
    /// The main thread has ended while others go on: there is nobody to be cloned.
    #[error("the main thread of process {pid} has ended, other threads go on")]
    MainThreadEnded {
        /// The process.
        pid: u32,
    },
    /// It sits in the kernel and does not come out, for example on a hung network file system.
    #[error("thread {tid} did not stop within {patience_ms} ms: it waits inside the kernel")]
    Stuck {
        /// The thread.
        tid: u32,
        /// How long we waited.
        patience_ms: u64,
    },
    /// It makes new threads faster than they can be stopped.
    #[error("process {pid} still had new threads after {rounds} rounds of stopping them")]
    Restless {
        /// The process.
        pid: u32,
        /// How often its threads were listed.
        rounds: u32,
    },
    /// Its directory in `/proc` could not be read.
    #[error("cannot read {path}")]
    Proc {
        /// The file.
        path: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// A request to the kernel failed.
    #[error("{request} failed for thread {tid}")]
    Request {
        /// The thread.
        tid: u32,
        /// The request, as the manual names it.
        request: &'static str,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// An injected system call did not run as one: the thread stopped somewhere else.
    #[error(
        "system call {number} injected into thread {tid} did not run (wait status {status:#x})"
    )]
    Injection {
        /// The thread.
        tid: u32,
        /// Number of the call.
        number: u64,
        /// What `waitpid` reported.
        status: i32,
    },
}
