//! Another process, stopped and read: a small safe face of `ptrace(2)` and its relatives.
//!
//! 1. [`Frozen::freeze`] stops every thread of a process with `PTRACE_SEIZE` and
//!    `PTRACE_INTERRUPT`, which no signal handler and no parent of the process notices.
//! 2. [`Tracee`] reads one stopped thread: registers, vector state, signals, registrations.
//! 3. [`Injection`] makes a stopped thread perform system calls, for what the kernel tells to
//!    nobody but the thread itself. It runs on a `syscall` instruction of the vDSO and ends with
//!    the thread in the very stop that it was in.
//! 4. [`Memory`] copies the memory of the process; [`Pagemap`] tells which pages it has.
//! 5. [`query`] and [`shared_files`] are questions that need no stop; [`cpu`] describes the processor.
//!
//! What callers must still ensure:
//!
//! - A tracer is a *thread*: everything here stays on the thread that froze the process (the types
//!   are not `Send`), and that thread should end soon after an error. Its end lets go of threads
//!   that were seized but have not stopped yet, which nothing else can.
//! - No other thread of the caller waits for "any child" (`waitpid(-1)`): it would steal stops.
//!
//! If the tracer dies, the kernel detaches and the program goes on. The exception is the time
//! inside an [`Injection`], some tens of microseconds for each system call: there the thread has
//! the registers of that call. So inject little, and in one go.
//!
//! Cost: 10–20 µs for each thread to stop; 3–10 µs for each injected call.

mod error;
mod freeze;
mod inject;
mod maps;
mod memory;
mod pagemap;
mod raw;
mod signal;
mod tracee;

pub mod cpu;
pub mod query;

pub use error::TraceError;
pub use freeze::Frozen;
pub use inject::{Injection, SYSCALL_INSTRUCTION};
pub use maps::{SharedFile, shared_files};
pub use memory::{Buffer, Memory, Range};
pub use pagemap::{PageKinds, Pagemap, Region};
pub use signal::Queue;
pub use tracee::{RseqRegistration, Tracee};
