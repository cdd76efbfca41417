//! The published list: which system call gets which answer (`docs/design/syscalls.md` is made from it).
//!
//! What is not listed is answered `EPERM`, and `ENOSYS` from [`FIRST_UNKNOWN`] on, so that a libc
//! falls back to the older call. Answers are errors, never a kill: runtimes probe (libuv tries
//! `io_uring_setup`, glibc `clone3`) and must find a refusal that they understand.

use libc::c_long;

pub use super::calls::{ALLOWED, Call, Group};
pub use super::rules::{RULES, Rule, Test};

/// What a system call is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is carried out.
    Allow,
    /// It fails with this errno; 0 is "done", without doing it.
    Errno(u16),
    /// It depends on the arguments.
    Depends(&'static Rule),
}

/// Calls that are refused with an errno of their own, and why with that one.
#[derive(Debug)]
pub struct Refusal {
    /// The errno; 0 is "done", without doing it.
    pub errno: i32,
    /// Why.
    pub why: &'static str,
    /// The calls, and their names in the kernel's tables.
    pub calls: &'static [(c_long, &'static str)],
}

/// The first number that this table has not considered.
pub const FIRST_UNKNOWN: c_long = 463;

macro_rules! numbers {
    ($($name:ident)*) => { &[$(libc::$name),*] };
}
macro_rules! named {
    ($($name:ident)*) => { &[$((libc::$name, stringify!($name))),*] };
}

/// Refused otherwise than with `EPERM`.
pub const REFUSED: &[Refusal] = &[
    Refusal {
        errno: libc::ENOSYS,
        why: "its flags lie behind a pointer, where a filter cannot look; glibc falls back to clone",
        calls: named![SYS_clone3],
    },
    Refusal {
        errno: libc::ENOSYS,
        why: "they carry out other calls past the filter; libuv and databases fall back to threads",
        calls: named![
            SYS_io_uring_setup SYS_io_uring_enter SYS_io_uring_register
            SYS_io_setup SYS_io_destroy SYS_io_getevents SYS_io_submit SYS_io_cancel
        ],
    },
    Refusal {
        errno: libc::ENOSYS,
        why: "filters of the program's own would fill the kernel's memory for compiled ones",
        calls: named![
            SYS_seccomp
            SYS_landlock_create_ruleset SYS_landlock_add_rule SYS_landlock_restrict_self
        ],
    },
    Refusal {
        errno: libc::ENOSYS,
        why: "System V IPC and POSIX queues: no mainstream runtime needs them (multiprocessing and Java use files of \
              /dev/shm and futexes), and without them a program can write nothing to its IPC namespace",
        calls: named![
            SYS_shmget SYS_shmat SYS_shmdt SYS_shmctl SYS_semget SYS_semop SYS_semtimedop SYS_semctl
            SYS_msgget SYS_msgsnd SYS_msgrcv SYS_msgctl SYS_mq_open SYS_mq_unlink SYS_mq_timedsend
            SYS_mq_timedreceive SYS_mq_notify SYS_mq_getsetattr
        ],
    },
    Refusal {
        errno: libc::ENOSYS,
        why: "forms whose callers have another one to fall back to",
        calls: named![
            SYS_preadv2 SYS_pwritev2 SYS_copy_file_range SYS_renameat2 SYS_faccessat2 SYS_fchmodat2
            SYS_execveat SYS_epoll_pwait2 SYS_signalfd4 SYS_futex_waitv SYS_pidfd_open
            SYS_pidfd_send_signal SYS_getcpu
        ],
    },
    Refusal {
        errno: libc::ENOSYS,
        why: "the futex calls of Linux 6.7, which no libc makes",
        calls: &[
            (454, "futex_wake"),
            (455, "futex_wait"),
            (456, "futex_requeue"),
        ],
    },
    Refusal {
        errno: libc::ENOSYS,
        why: "memory policies, protection keys, secret and sealed memory: used only where they are there",
        calls: named![
            SYS_get_mempolicy SYS_set_mempolicy SYS_mbind SYS_pkey_alloc SYS_pkey_free
            SYS_pkey_mprotect SYS_memfd_secret SYS_mseal
        ],
    },
    Refusal {
        errno: libc::ENOSYS,
        why: "they tell which pages of shared files others have read",
        calls: &[(libc::SYS_mincore, "mincore"), (451, "cachestat")],
    },
    Refusal {
        errno: libc::ENOSYS,
        why: "newer than the libraries that could need them",
        calls: &[
            (453, "map_shadow_stack"),
            (457, "statmount"),
            (458, "listmount"),
        ],
    },
    Refusal {
        errno: libc::ENOSYS,
        why: "settings and figures that no program depends on",
        calls: named![SYS_timer_getoverrun SYS_timer_gettime SYS_timerfd_gettime SYS_ioprio_get SYS_ioprio_set SYS_sched_getattr],
    },
    Refusal {
        errno: libc::EOPNOTSUPP,
        why: "extended attributes: every program knows file systems without them; those of a tmpfs are kernel memory",
        calls: named![
            SYS_setxattr SYS_lsetxattr SYS_fsetxattr SYS_getxattr SYS_lgetxattr SYS_fgetxattr
            SYS_listxattr SYS_llistxattr SYS_flistxattr SYS_removexattr SYS_lremovexattr
            SYS_fremovexattr
        ],
    },
    Refusal {
        errno: 0,
        why: "everything writable is in memory, and flushing the host's disks is an attack",
        calls: named![SYS_sync SYS_syncfs SYS_fsync SYS_fdatasync SYS_sync_file_range],
    },
    Refusal {
        errno: 0,
        why: "advice about the page cache that others share: what is dropped or read ahead shows in their times",
        calls: named![SYS_fadvise64 SYS_readahead],
    },
    OLD_FORMS,
];

/// Old forms that x86-64's C libraries do not use any more.
#[cfg(target_arch = "x86_64")]
const OLD_FORMS: Refusal = Refusal {
    errno: libc::ENOSYS,
    why: "old forms that no C library makes on x86-64 any more, or only where a newer one is missing",
    calls: named![
        SYS_getdents SYS_epoll_create SYS_eventfd SYS_signalfd SYS_inotify_init SYS_utime SYS_utimes
        SYS_futimesat SYS_time
    ],
};
#[cfg(not(target_arch = "x86_64"))]
const OLD_FORMS: Refusal = Refusal {
    errno: libc::ENOSYS,
    why: "old forms: none on this architecture",
    calls: &[],
};

/// Calls that the kernel lets past every filter: `uretprobe` and `uprobe`. They end their caller
/// with a signal unless it comes from a probe, which only the host's root sets
/// (`arch/x86/kernel/uprobes.c`, `__seccomp_filter`). The answers are those of kernels without.
#[cfg(target_arch = "x86_64")]
pub const UNFILTERED: &[(c_long, &str)] = &[(335, "uretprobe"), (336, "uprobe")];
/// Calls that the kernel lets past every filter: none on this architecture.
#[cfg(not(target_arch = "x86_64"))]
pub const UNFILTERED: &[(c_long, &str)] = &[];

/// What the nursery, inits and runtime processes still need before the program runs. None of it is
/// allowed to the program.
pub const SETUP: &[c_long] = numbers![
    SYS_clone3 SYS_unshare SYS_setns SYS_sethostname SYS_mount SYS_move_mount SYS_pidfd_send_signal
    SYS_execveat SYS_seccomp
    SYS_landlock_create_ruleset SYS_landlock_add_rule SYS_landlock_restrict_self
];

/// The published answer to a system call number of this architecture's own ABI.
pub fn answer(call: c_long) -> Answer {
    let refuses = |refusal: &Refusal| refusal.calls.iter().any(|(refused, _)| *refused == call);
    let allowed = |group: &Group| group.calls.iter().any(|allowed| allowed.number == call);
    if let Some(rule) = RULES.iter().find(|rule| rule.call == call) {
        Answer::Depends(rule)
    } else if ALLOWED.iter().any(allowed) {
        Answer::Allow
    } else if let Some(refusal) = REFUSED.iter().find(|refusal| refuses(refusal)) {
        Answer::Errno(refusal.errno as u16)
    } else if !(0..FIRST_UNKNOWN).contains(&call) {
        Answer::Errno(libc::ENOSYS as u16)
    } else {
        Answer::Errno(libc::EPERM as u16)
    }
}

/// The numbers that are carried out, for all or some arguments, in ascending order.
pub fn reachable() -> Vec<c_long> {
    let mut numbers: Vec<c_long> = (0..FIRST_UNKNOWN)
        .filter(|number| !matches!(answer(*number), Answer::Errno(_)))
        .chain(UNFILTERED.iter().map(|(number, _)| *number))
        .collect();
    numbers.sort_unstable();
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every number that is listed anywhere.
    fn listed() -> Vec<c_long> {
        let allowed = ALLOWED.iter().flat_map(|group| group.calls);
        let refused = REFUSED.iter().flat_map(|refusal| refusal.calls);
        allowed
            .map(|call| call.number)
            .chain(RULES.iter().map(|rule| rule.call))
            .chain(UNFILTERED.iter().map(|(number, _)| *number))
            .chain(refused.map(|(number, _)| *number))
            .collect()
    }

    #[test]
    fn at_most_180_calls_are_reachable() {
        let len = reachable().len();
        assert!(len <= 180, "{len} calls");
    }

    #[test]
    fn every_call_is_listed_once_and_below_the_first_unknown() {
        let mut numbers = listed();
        numbers.sort_unstable();
        let doubled = numbers.windows(2).find(|pair| pair[0] == pair[1]);
        assert_eq!(doubled, None);
        assert!(
            numbers
                .iter()
                .all(|number| (0..FIRST_UNKNOWN).contains(number))
        );
    }

    #[test]
    fn every_call_has_a_reason() {
        let reasons = ALLOWED
            .iter()
            .flat_map(|group| group.calls)
            .map(|call| call.why);
        let rules = RULES.iter().flat_map(|rule| [rule.why, rule.when]);
        let refusals = REFUSED.iter().map(|refusal| refusal.why);
        for reason in reasons.chain(rules).chain(refusals) {
            assert!(reason.len() > 1, "{reason:?}");
        }
    }
}
