//! What a sandbox makes of every clone of a template, whatever the image says: two filters of system calls, limits, and
//! rules for paths.
//!
//! The privileged side appends it to a plan that was looked over: [`check`](crate::check()) refuses a plan that brings its
//! own, because verdicts of a filter would let an image make the stub believe that it has given up rights.

use crate::Span;
use crate::check::phases_of_clones;

/// What a template and its clones do to be confined; all spans are empty if they are not.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Confinement {
    /// [`Instruction`](crate::traps::Instruction)s of the filter that the template loads, and that clones inherit. It lets
    /// through what a clone calls on its way.
    pub inherited: Span,
    /// The same of the filter that each clone loads for all its threads, right before the program goes on.
    pub last: Span,
    /// [`MostOf`] resources.
    pub limits: Span,
    /// Directories: [`Beneath`] of a ruleset (`landlock(7)`) that each clone makes in its sandbox.
    pub beneath: Span,
    /// The rights that the ruleset handles; 0 is no ruleset.
    pub handled: u64,
    /// Flags of `landlock_restrict_self(2)`.
    pub restrict_flags: u64,
}

/// The most that a process may have of a resource (`setrlimit(2)`).
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MostOf {
    /// The resource's number.
    pub resource: u64,
    /// Soft and hard limit are at most this.
    pub most: u64,
}

/// Rights to all that lies beneath a directory.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Beneath {
    /// Offset of its absolute path in the plan, which ends with a zero.
    pub path: u64,
    /// The rights (`LANDLOCK_ACCESS_FS_*`).
    pub rights: u64,
}

/// What the stub itself calls in a template that serves and in a clone on its way: `close`, `write`, `mmap`,
/// `open`, `rt_sigreturn`, `getpid`, `sendmsg`, `recvmsg`, `exit`, `setsid`, `setgroups`, `setresuid`, `setresgid`, `setfsuid`,
/// `setfsgid`, `capget`, `capset`, `prctl`, `gettid`, `futex`, `sched_setaffinity`, `clock_gettime`, `exit_group`,
/// `unshare`, `dup3`, `prlimit64`, `setns`, `seccomp`, `getrandom`, `rseq`, `clone3`, `close_range`, and the three of Landlock.
const OF_THE_STUB: &[u32] = &[
    3, 1, 9, 2, 15, 39, 46, 47, 60, 112, 116, 117, 119, 122, 123, 125, 126, 157, 186, 202, 203,
    228, 231, 272, 292, 302, 308, 317, 318, 334, 435, 436, 444, 445, 446,
];

/// The numbers of all system calls that a clone, or its template for it, may make before the program goes on; a number
/// may come more than once. The filter that is inherited must let them through.
pub fn calls_of_clones() -> impl Iterator<Item = u32> {
    OF_THE_STUB.iter().copied().chain(phases_of_clones())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_stub_and_plans_are_there_and_those_of_making_a_template_are_not() {
        let has = |wanted| calls_of_clones().any(|number| number == wanted);
        // clone3, seccomp and landlock_restrict_self; signalfd4, mseal, rt_tgsigqueueinfo and userfaultfd.
        for wanted in [435, 317, 446, 289, 462, 297, 323] {
            assert!(has(wanted), "{wanted}");
        }
        // personality, io_uring_setup, execve, ptrace.
        for other in [135, 425, 59, 101] {
            assert!(!has(other), "{other}");
        }
    }
}
