//! One thread.

use serde::{Deserialize, Serialize};

/// One thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// The id that it had, in its own namespace.
    pub tid: u32,
    /// Its name (`PR_GET_NAME`), at most 15 bytes.
    pub name: Vec<u8>,
    /// General registers.
    pub registers: Registers,
    /// The XSAVE area in the standard format (Intel SDM volume 1, chapter 13), as `PTRACE_GETREGSET` gives it.
    pub xsave: Vec<u8>,
    /// Blocked signals.
    pub signal_mask: u64,
    /// The stack for signal handlers.
    pub alt_stack: AltStack,
    /// Where the kernel writes zero when the thread ends, and where libc keeps its id (`set_tid_address(2)`).
    pub clear_child_tid: u64,
    /// Locks that the kernel releases when the thread ends.
    pub robust_list: RobustList,
    /// Restartable sequences, if registered.
    pub rseq: Option<Rseq>,
    /// Pending signals of this thread: `siginfo_t` of 128 bytes each.
    pub pending: Vec<Vec<u8>>,
    /// How it is scheduled.
    pub scheduling: Scheduling,
    /// Processors that it may run on, the first as the lowest bit of the first word; empty if it may run on all that
    /// the machine had. A machine may have fewer.
    pub affinity: Vec<u64>,
    /// `ioprio_get(2)`: the class from bit 13 on, the priority below; 0 is none.
    pub io_priority: u16,
    /// `PR_GET_TIMERSLACK`, in nanoseconds.
    pub timer_slack_ns: u64,
    /// `PR_GET_PDEATHSIG`; 0 is none.
    pub parent_death_signal: u8,
    /// Whether reading the time stamp counter is a `SIGSEGV` (`PR_GET_TSC`).
    pub time_stamp_denied: bool,
}

/// `struct user_regs_struct`, in its order: r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs
/// eflags rsp ss fs_base gs_base ds es fs gs. A system call that was interrupted has been set up to start again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registers(pub [u64; 27]);

impl Registers {
    /// Index of `rax`.
    pub const RAX: usize = 10;
    /// Index of `orig_rax`.
    pub const ORIG_RAX: usize = 15;
    /// Index of `rip`.
    pub const RIP: usize = 16;
    /// Index of `cs`.
    pub const CS: usize = 17;
    /// Index of `eflags`.
    pub const EFLAGS: usize = 18;
    /// Index of `rsp`.
    pub const RSP: usize = 19;
    /// Index of `ss`.
    pub const SS: usize = 20;
    /// Index of `fs_base`.
    pub const FS_BASE: usize = 21;
    /// Index of `gs_base`.
    pub const GS_BASE: usize = 22;
    /// Index of `ds`.
    pub const DS: usize = 23;
    /// Index of `es`.
    pub const ES: usize = 24;
    /// Index of `fs`.
    pub const FS: usize = 25;
    /// Index of `gs`.
    pub const GS: usize = 26;
}

/// `sigaltstack(2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AltStack {
    /// First address.
    pub start: u64,
    /// `SS_*`.
    pub flags: u32,
    /// Length in bytes.
    pub bytes: u64,
}

/// `set_robust_list(2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RobustList {
    /// Address of the head; 0 is none.
    pub head: u64,
    /// Length of the head, in bytes.
    pub bytes: u64,
}

/// `rseq(2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rseq {
    /// Address of the area.
    pub address: u64,
    /// Length of the area, in bytes.
    pub bytes: u32,
    /// The signature before each abort handler.
    pub signature: u32,
}

/// `sched_setattr(2)`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheduling {
    /// `SCHED_*`.
    pub policy: u32,
    /// Nice value.
    pub nice: i32,
    /// Real-time priority.
    pub priority: u32,
    /// Whether its children begin with the default (`SCHED_RESET_ON_FORK`): a template that had it would have clones
    /// without any of this.
    pub reset_on_fork: bool,
}
