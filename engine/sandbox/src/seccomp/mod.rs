//! The system call filter of every process that runs a tenant's code.
//!
//! [`table`] publishes what is allowed, with a reason for each call, and what is answered otherwise;
//! [`page()`] makes the page of the documentation from it. It is enforced by two filters, because
//! compiling and checking one of some 300 instructions costs the kernel more than 100 microseconds
//! at each load, and memory for compiled code that is limited ([`jit_memory`]):
//!
//! 1. the **outer** one is the whole table, except that it lets the calls through that building a
//!    sandbox takes ([`table::SETUP`]). The nursery loads it once; every process of every sandbox
//!    inherits the same copy.
//! 2. the **inner** one gives just those calls their published answer. Each runtime process loads
//!    it as its last step before the program.
//!
//! Of two filters' answers the kernel takes the stricter (`seccomp(2)`), so together they are the
//! table. Both are binary searches over ranges of numbers: at each load the kernel also runs the
//! filter once for every system call number (`seccomp_cache_prepare`), so that depth, not only
//! length, decides.

mod calls;
mod jit;
mod page;
mod program;
mod rules;
pub mod table;

use std::io;

use libc::c_long;
use seccompiler::BpfProgram;

pub use jit::{JitMemory, jit_memory};
pub use page::page;
pub use table::{Answer, answer, reachable};

/// The filter that the nursery loads and everything inherits, with gaps for these calls.
pub(crate) fn outer(setup: &[c_long]) -> BpfProgram {
    program::compile(|call| match is_gap(setup, call) {
        true => Answer::Allow,
        false => answer(call),
    })
}

/// The filter that closes the outer one's gaps.
pub(crate) fn inner(setup: &[c_long]) -> BpfProgram {
    program::compile(|call| match is_gap(setup, call) {
        true => answer(call),
        false => Answer::Allow,
    })
}

/// What depends on arguments is set-up's in the shapes that programs have it, too.
fn is_gap(setup: &[c_long], call: c_long) -> bool {
    setup.contains(&call) && matches!(answer(call), Answer::Errno(_))
}

/// Loads a filter into the calling thread.
pub(crate) fn load(filter: &BpfProgram) -> io::Result<()> {
    seccompiler::apply_filter(filter).map_err(|_| io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_setup_needs_is_left_to_the_program() {
        for call in table::SETUP {
            assert!(
                matches!(answer(*call), Answer::Errno(errno) if errno != 0),
                "call {call}"
            );
        }
    }

    #[test]
    fn inner_filter_is_short_because_every_sandbox_loads_it() {
        let len = inner(table::SETUP).len();
        assert!(len < 50, "{len} instructions");
    }
}
