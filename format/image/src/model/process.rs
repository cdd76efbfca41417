//! What all threads of a process share.

use serde::{Deserialize, Serialize};

/// The process as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// The id that it had, in its own namespace. No clone may have it: libraries detect a fork by it alone.
    pub pid: u32,
    /// Index into the manifest's files: `/proc/pid/exe`.
    pub executable: u32,
    /// Current directory.
    pub cwd: Vec<u8>,
    /// File mode creation mask (`umask(2)`).
    pub umask: u32,
    /// `personality(2)`.
    pub personality: u32,
    /// `PR_GET_DUMPABLE`.
    pub dumpable: u8,
    /// `PR_GET_NO_NEW_PRIVS`.
    pub no_new_privs: bool,
    /// `PR_GET_CHILD_SUBREAPER`.
    pub child_subreaper: bool,
    /// `PR_GET_THP_DISABLE`.
    pub thp_disabled: bool,
    /// `PR_GET_MDWE`: memory that is writable and executable is denied (1), but not to children (2). It cannot be taken
    /// back, and mappings must be there before.
    pub write_execute_denied: u8,
    /// `PR_GET_MEMORY_MERGE`: equal pages of all mappings may be merged.
    pub merges_memory: bool,
    /// `ARCH_GET_XCOMP_PERM`: it may use the tiles of AMX, for which a program must ask.
    pub tiles_permitted: bool,
    /// `/proc/pid/oom_score_adj`.
    pub oom_score_adj: i32,
    /// Seccomp. Filters cannot be read back; a clone gets its sandbox's.
    pub seccomp: SeccompMode,
    /// User, groups and capabilities; a clone gets no more than its sandbox allows.
    pub credentials: Credentials,
    /// Resource limits, by the kernel's number.
    pub limits: Vec<Limit>,
    /// Where the kernel thinks that things are (`PR_SET_MM_MAP`).
    pub memory: MemoryLayout,
    /// Signal actions that are not the default, ascending by signal.
    pub actions: Vec<SignalAction>,
    /// Pending signals of the process: `siginfo_t` of 128 bytes each.
    pub pending: Vec<Vec<u8>>,
    /// `setitimer(2)` timers that run.
    pub interval_timers: Vec<IntervalTimer>,
    /// `timer_create(2)` timers.
    pub posix_timers: Vec<PosixTimer>,
    /// What the clocks showed.
    pub clocks: Clocks,
}

/// `Seccomp:` in `/proc/pid/status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SeccompMode {
    /// None.
    Disabled,
    /// One or more filters.
    Filter,
}

/// Who a process is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// Real, effective, saved and file system user.
    pub users: [u32; 4],
    /// Real, effective, saved and file system group.
    pub groups: [u32; 4],
    /// Supplementary groups.
    pub supplementary: Vec<u32>,
    /// Capability sets: inheritable, permitted, effective, bounding, ambient.
    pub capabilities: [u64; 5],
    /// `PR_GET_SECUREBITS`.
    pub securebits: u32,
}

/// A resource limit (`setrlimit(2)`); `u64::MAX` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// `RLIMIT_*`.
    pub resource: u8,
    /// In force.
    pub soft: u64,
    /// How far the soft limit may be raised.
    pub hard: u64,
}

/// The fields of `struct prctl_mm_map`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryLayout {
    /// Text of the program.
    pub code: [u64; 2],
    /// Data of the program.
    pub data: [u64; 2],
    /// The heap: where it began, and the current break.
    pub brk: [u64; 2],
    /// First address of the initial stack.
    pub stack: u64,
    /// Where the arguments lie.
    pub arguments: [u64; 2],
    /// Where the environment lies.
    pub environment: [u64; 2],
    /// The auxiliary vector (`getauxval(3)`), pairs of type and value.
    pub auxv: Vec<u64>,
}

/// What a signal does (`rt_sigaction`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalAction {
    /// Its number, 1 to 64.
    pub signal: u8,
    /// Address of the handler; 0 is the default, 1 is ignore.
    pub handler: u64,
    /// `SA_*`.
    pub flags: u64,
    /// Address of the code that returns from the handler.
    pub restorer: u64,
    /// Signals blocked meanwhile.
    pub mask: u64,
}

/// A timer of `setitimer(2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntervalTimer {
    /// `ITIMER_*`.
    pub which: u8,
    /// Time left, in microseconds.
    pub left_us: u64,
    /// Interval, in microseconds; 0 for once.
    pub interval_us: u64,
}

/// A timer of `timer_create(2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PosixTimer {
    /// Its id, which the program holds.
    pub id: u32,
    /// The clock (`CLOCK_*`).
    pub clock: i32,
    /// What happens when it fires.
    pub notice: TimerNotice,
    /// Time left, in nanoseconds; 0 if it is not armed.
    pub left_ns: u64,
    /// Interval, in nanoseconds; 0 for once.
    pub interval_ns: u64,
}

/// What happens when a POSIX timer fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TimerNotice {
    /// Nothing.
    None,
    /// A signal to the process.
    Signal {
        /// Its number.
        signal: u8,
        /// The value that it carries.
        value: u64,
    },
    /// A signal to one thread.
    ThreadSignal {
        /// Its number.
        signal: u8,
        /// The value that it carries.
        value: u64,
        /// Index into the manifest's threads.
        thread: u32,
    },
}

/// What the clocks showed at the checkpoint, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clocks {
    /// `CLOCK_MONOTONIC`, as the process saw it.
    pub monotonic_ns: u64,
    /// `CLOCK_BOOTTIME`, as the process saw it.
    pub boottime_ns: u64,
    /// `CLOCK_REALTIME`.
    pub realtime_ns: u64,
}
