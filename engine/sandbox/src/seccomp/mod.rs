//! The system call filter of every process that runs a tenant's code.
//!
//! [`table`] publishes what is allowed and what is answered otherwise; [`program`] turns it into
//! one BPF program, compiled once in the nursery and loaded by each runtime process. The program
//! is a binary search over ranges of numbers, not one comparison after another: loading costs the
//! kernel one emulated run per system call number (`seccomp_cache_prepare`), so that depth, not
//! only length, decides.

mod program;
pub mod table;

use seccompiler::BpfProgram;

pub use table::{Answer, answer};

/// The filter of this architecture.
pub(crate) fn compile() -> BpfProgram {
    program::compile()
}
