//! Traps: system calls of a program whose memory is mapped from the pool that the stub has to do in the kernel's place.
//!
//! A seccomp filter (`seccomp(2)`) raises `SIGSYS` for them. It is inherited by every process that the program makes,
//! also through `execve`, where nobody hears the signal: so it may do nothing but let pass and trap, and traps only by
//! addresses that another program does not have.

use crate::Span;

/// What a template needs for its traps; all spans are empty if it has none.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traps {
    /// The filter's [`Instruction`]s.
    pub filter: Span,
    /// [`TrapRange`]s, ascending and disjoint: the program's own memory that is mapped from the pool.
    pub ranges: Span,
    /// Addresses, eight bytes each, at which each image that serves for such memory is mapped in the template.
    pub probes: Span,
    /// One [`TrapState`].
    pub state: Span,
}

/// Memory that is anonymous to the program, and mapped from the pool.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TrapRange {
    /// First address.
    pub start: u64,
    /// First address behind it.
    pub end: u64,
    /// What `mmap` gets besides `MAP_PRIVATE | MAP_ANONYMOUS` where the memory is made anew.
    pub map_flags: u32,
    /// Bit `n`: it has the advice `n` of `madvise(2)`.
    pub advice: u32,
}

/// How many threads can have [`TrapState::blocked`].
pub const BLOCKED_SLOTS: usize = 256;

/// What the program believes of `SIGSYS`; kept by the stub, at first zero.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrapState {
    /// The program's own action for `SIGSYS`: handler, flags, restorer, mask.
    pub action: [u64; 4],
    /// Bit `n - 1`: the mask of the action for signal `n` contains `SIGSYS`.
    pub masks: u64,
    /// Whose state this is, a process id; 0 is nobody's yet.
    pub owner: u32,
    /// Zero.
    pub padding: u32,
    /// At the place of its id modulo [`BLOCKED_SLOTS`], the id of a thread that has blocked `SIGSYS`. In truth no
    /// thread has: the kernel ends a process that blocks the signal of a trap.
    pub blocked: [u32; BLOCKED_SLOTS],
}

/// Bit of `SIGSYS` in a signal mask.
pub const SIGSYS_BIT: u64 = 1 << 30;

/// `SECCOMP_RET_ALLOW`.
pub const ALLOW: u32 = 0x7fff_0000;
/// `SECCOMP_RET_TRAP`, with a number by which the handler knows its own (`si_errno`).
pub const TRAP: u32 = 0x0003_0000 | TRAP_NUMBER;
/// What `si_errno` is for a trap of this filter.
pub const TRAP_NUMBER: u32 = 0x4f46;
/// Most instructions that the kernel takes (`BPF_MAXINSNS`).
pub const MAX_INSTRUCTIONS: u64 = 4096;

/// An instruction of a filter (`struct sock_filter`).
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Instruction {
    /// What it does: one of [`code`].
    pub code: u16,
    /// How many instructions are skipped if a comparison holds.
    pub if_true: u8,
    /// How many if it does not.
    pub if_false: u8,
    /// Its constant.
    pub k: u32,
}

/// The instructions that filters are made of (`linux/bpf_common.h`).
pub mod code {
    /// Loads a word of `struct seccomp_data` at offset `k`.
    pub const LOAD: u16 = 0x20;
    /// Loads the word `k` of scratch memory.
    pub const LOAD_SCRATCH: u16 = 0x60;
    /// Stores into word `k` of scratch memory.
    pub const STORE_SCRATCH: u16 = 0x02;
    /// Copies the accumulator to the index register.
    pub const TO_INDEX: u16 = 0x07;
    /// Adds the index register.
    pub const ADD_INDEX: u16 = 0x0c;
    /// Adds `k`.
    pub const ADD: u16 = 0x04;
    /// Skips `k` instructions.
    pub const SKIP: u16 = 0x05;
    /// Whether the accumulator is `k`.
    pub const IS: u16 = 0x15;
    /// Whether it is greater than `k`.
    pub const IS_ABOVE: u16 = 0x25;
    /// Whether it is at least `k`.
    pub const IS_AT_LEAST: u16 = 0x35;
    /// Whether it is at least the index register.
    pub const IS_AT_LEAST_INDEX: u16 = 0x3d;
    /// Ends with the verdict `k`.
    pub const RETURN: u16 = 0x06;
}

impl Instruction {
    /// An instruction that compares nothing.
    pub const fn new(code: u16, k: u32) -> Self {
        Self::compare(code, k, 0, 0)
    }

    /// A comparison.
    pub const fn compare(code: u16, k: u32, if_true: u8, if_false: u8) -> Self {
        Self {
            code,
            if_true,
            if_false,
            k,
        }
    }

    /// Whether a plan's filter may have it. A verdict is a constant, either of the two: an error would let a hostile
    /// plan make the stub believe that it has given up rights or joined a sandbox. The kernel checks the rest: that
    /// jumps stay inside, that loads are of what there is, that the end is a verdict.
    pub const fn is_allowed(&self) -> bool {
        match self.code {
            code::RETURN => self.k == ALLOW || self.k == TRAP,
            code::LOAD
            | code::LOAD_SCRATCH
            | code::STORE_SCRATCH
            | code::TO_INDEX
            | code::ADD_INDEX
            | code::ADD
            | code::SKIP
            | code::IS
            | code::IS_ABOVE
            | code::IS_AT_LEAST
            | code::IS_AT_LEAST_INDEX => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_lets_pass_or_traps_and_nothing_else() {
        let verdict = |k| Instruction::new(code::RETURN, k).is_allowed();
        assert!(verdict(ALLOW) && verdict(TRAP));
        // ERRNO (of success, and of an error), KILL_PROCESS, TRACE, USER_NOTIF, LOG, a trap with another number.
        for other in [
            0x0005_0000,
            0x0005_0001,
            0x8000_0000,
            0x7ff0_0000,
            0x7fc0_0000,
            0x7ffc_0000,
            0x0003_0000,
            0,
        ] {
            assert!(!verdict(other), "{other:#x}");
        }
    }

    #[test]
    fn a_verdict_is_not_computed() {
        const RETURN_ACCUMULATOR: u16 = 0x16;
        const RETURN_INDEX: u16 = 0x0e;
        for code in [RETURN_ACCUMULATOR, RETURN_INDEX] {
            assert!(!Instruction::new(code, ALLOW).is_allowed());
        }
    }
}
