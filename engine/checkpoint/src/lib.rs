//! Checkpoint: a running process becomes an image in a pool.
//!
//! 1. What an image cannot hold is refused by name, as far as it can be seen, before the process is touched; what all
//!    other processes have open is noted.
//! 2. All threads are stopped (`ptrace(2)`), moved out of the vDSO and of restartable sequences, and read; they are made
//!    to perform the few system calls whose answers only they can have.
//! 3. Descriptors are read ([`files`]), then the address space; the pages that must be kept are copied to memory of our own
//!    that was made present beforehand. What a clone maps from images of the pool is what it was in the seed.
//! 4. The process goes on. Only then what can be read from files is read, and everything is compared with the parent
//!    image, written to the pool, digested and sealed.
//!
//! What callers must still ensure: that they may trace the process (`CAP_SYS_PTRACE`, `CAP_CHECKPOINT_RESTORE` and, for
//! processes with seccomp filters, `CAP_SYS_ADMIN`), that no other thread of theirs waits for "any child", and that the
//! process is at a point at which being multiplied makes sense: no timer about to expire, no call of a client in flight.
//!
//! What is not carried over: how long a sleep, or a wait with a time limit, has lasted: in a clone it begins anew with its
//! whole time; that the process was stopped (`SIGSTOP`); the remaining processor time of timers on single threads, which
//! is refused.
//!
//! Cost: the process stands still for 3 to 5 ms and 0.5 to 1 µs for each page that it has written (10 ms for a Python of
//! 25 MB on two busy virtual processors); our own memory grows by what is copied, up to 256 MiB,
//! beyond which the process waits for the pool.

mod admission;
mod checkpoint;
mod error;
mod family;
pub mod files;
mod found;
mod images;
mod interview;
mod limits;
mod machine;
mod pieces;
mod proc;
mod process;
mod refusal;
mod restart;
mod smaps;
mod sources;
mod space;
mod store;
mod thread;
mod trapped;
mod vdso;
mod window;

pub use checkpoint::{Options, Report, Review, checkpoint, checkpoint_reviewed};
pub use error::CheckpointError;
pub use refusal::{MappingObstacle, Refusal};
