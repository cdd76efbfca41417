//! System calls without libc. `rcx` and `r11` are lost, everything else is kept (`syscall(2)`).

use core::arch::asm;

pub const READ: u32 = 0;
pub const CLOSE: u32 = 3;
pub const MMAP: u32 = 9;
pub const MPROTECT: u32 = 10;
pub const MUNMAP: u32 = 11;
pub const MADVISE: u32 = 28;
pub const SIGACTION: u32 = 13;
pub const SIGPROCMASK: u32 = 14;
pub const OPEN: u32 = 2;
pub const IOCTL: u32 = 16;
pub const GETPID: u32 = 39;
pub const TGKILL: u32 = 234;
pub const KCMP: u32 = 312;
pub const WRITE: u32 = 1;
pub const MREMAP: u32 = 25;
pub const SENDMSG: u32 = 46;
pub const RECVMSG: u32 = 47;
pub const CAPSET: u32 = 126;
pub const PRCTL: u32 = 157;
pub const SETGROUPS: u32 = 116;
pub const SETRESUID: u32 = 117;
pub const SETRESGID: u32 = 119;
pub const GETTID: u32 = 186;
pub const FUTEX: u32 = 202;
pub const EXIT_GROUP: u32 = 231;
pub const IO_URING_SETUP: u32 = 425;
pub const IO_URING_REGISTER: u32 = 427;
pub const UNSHARE: u32 = 272;
pub const DUP3: u32 = 292;
pub const SETNS: u32 = 308;
pub const RSEQ: u32 = 334;
pub const CLONE3: u32 = 435;
pub const CLOSE_RANGE: u32 = 436;
pub const CLOCK_GETTIME: u32 = 228;
pub const SETSID: u32 = 112;
pub const GETPRIORITY: u32 = 140;
pub const SETPRIORITY: u32 = 141;
pub const SCHED_SETSCHEDULER: u32 = 144;
pub const SCHED_GETSCHEDULER: u32 = 145;
pub const PRLIMIT64: u32 = 302;
pub const SECCOMP: u32 = 317;
pub const LANDLOCK_CREATE_RULESET: u32 = 444;
pub const LANDLOCK_ADD_RULE: u32 = 445;
pub const LANDLOCK_RESTRICT_SELF: u32 = 446;

/// Any system call.
///
/// # Safety
/// Whatever the call does to memory must be right: the kernel asks nobody.
#[inline(always)]
pub unsafe fn call(number: u32, args: [u64; 6]) -> i64 {
    let result: i64;
    // SAFETY: the caller answers for the call; the registers are as `syscall(2)` says.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") i64::from(number) => result,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") args[4],
            in("r9") args[5],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// A call of three arguments.
///
/// # Safety
/// As [`call`].
#[inline(always)]
pub unsafe fn call3(number: u32, a: u64, b: u64, c: u64) -> i64 {
    // SAFETY: as the caller's.
    unsafe { call(number, [a, b, c, 0, 0, 0]) }
}

/// Whether a result is an error (`syscall(2)`: -4095 to -1).
#[inline(always)]
pub const fn is_error(result: i64) -> bool {
    result < 0 && result >= -4095
}

/// Ends the process.
pub fn exit(status: u64) -> ! {
    loop {
        // SAFETY: it does not return.
        unsafe { call3(EXIT_GROUP, status, 0, 0) };
    }
}
