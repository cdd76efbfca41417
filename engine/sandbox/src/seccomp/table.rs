//! The published list: which system call gets which answer.
//!
//! What is not listed is answered `EPERM`, and `ENOSYS` from [`FIRST_UNKNOWN`] on, so that a libc
//! falls back to the older call. Answers are errors, never a kill: runtimes probe (libuv tries
//! `io_uring_setup`, glibc `clone3`) and must find a refusal that they understand.

use libc::c_long;

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

/// Allowed when all tests of one of the alternatives hold.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// The system call.
    pub call: c_long,
    /// One list of tests each.
    pub allow_when: &'static [&'static [Test]],
    /// The errno otherwise.
    pub otherwise: i32,
}

/// A test of one argument's lower 32 bits: all of these arguments are `int` or `unsigned int` in
/// the kernel, or flags of which it reads 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test {
    /// The argument of this index equals the value.
    Equals(u8, u32),
    /// It differs from the value.
    Differs(u8, u32),
    /// It has none of the mask's bits.
    NoneOf(u8, u32),
}

/// The first number that this table has not considered.
pub const FIRST_UNKNOWN: c_long = 463;

macro_rules! calls {
    ($($name:ident)*) => { &[$(libc::$name),*] };
}

/// Carried out, whatever the arguments.
pub const ALLOWED: &[&[c_long]] = &[
    // Files and directories, by descriptor. The sandbox's mounts decide what can be reached.
    calls![
        SYS_read SYS_write SYS_pread64 SYS_pwrite64 SYS_readv SYS_writev SYS_preadv SYS_pwritev
        SYS_preadv2 SYS_pwritev2 SYS_lseek SYS_openat SYS_openat2 SYS_close SYS_close_range
        SYS_fstat SYS_newfstatat SYS_statx SYS_statfs SYS_fstatfs SYS_faccessat SYS_faccessat2
        SYS_getdents64 SYS_readlinkat SYS_mkdirat SYS_mknodat SYS_unlinkat SYS_renameat
        SYS_renameat2 SYS_linkat SYS_symlinkat SYS_fchmod SYS_fchmodat SYS_fchmodat2 SYS_fchown
        SYS_fchownat SYS_utimensat SYS_truncate SYS_ftruncate SYS_fallocate SYS_fsync
        SYS_fdatasync SYS_sync_file_range SYS_fadvise64 SYS_readahead SYS_copy_file_range
        SYS_sendfile SYS_splice SYS_tee SYS_flock SYS_fcntl SYS_dup SYS_dup3 SYS_pipe2
        SYS_getcwd SYS_chdir SYS_fchdir SYS_umask SYS_memfd_create
        SYS_setxattr SYS_lsetxattr SYS_fsetxattr SYS_getxattr SYS_lgetxattr SYS_fgetxattr
        SYS_listxattr SYS_llistxattr SYS_flistxattr SYS_removexattr SYS_lremovexattr
        SYS_fremovexattr
    ],
    // Waiting for events.
    calls![
        SYS_ppoll SYS_pselect6 SYS_epoll_create1 SYS_epoll_ctl SYS_epoll_pwait SYS_epoll_pwait2
        SYS_eventfd2 SYS_signalfd4 SYS_timerfd_create SYS_timerfd_settime SYS_timerfd_gettime
        SYS_inotify_init1 SYS_inotify_add_watch SYS_inotify_rm_watch
    ],
    // Memory.
    calls![
        SYS_brk SYS_mmap SYS_munmap SYS_mremap SYS_mprotect SYS_madvise SYS_msync SYS_mincore
        SYS_mlock SYS_mlock2 SYS_munlock SYS_mlockall SYS_munlockall SYS_membarrier
        SYS_pkey_alloc SYS_pkey_free SYS_pkey_mprotect SYS_get_mempolicy SYS_mseal
    ],
    // Processes and threads of the own PID namespace (`clone` itself: see RULES).
    calls![
        SYS_execve SYS_execveat SYS_exit SYS_exit_group SYS_wait4 SYS_waitid SYS_kill SYS_tkill
        SYS_tgkill SYS_rt_sigqueueinfo SYS_rt_tgsigqueueinfo SYS_pidfd_open
        SYS_pidfd_send_signal SYS_set_tid_address SYS_set_robust_list SYS_get_robust_list
        SYS_rseq SYS_futex SYS_futex_waitv SYS_restart_syscall SYS_getpid SYS_gettid SYS_getppid
        SYS_getpgid SYS_setpgid SYS_getsid SYS_setsid SYS_getrusage SYS_times SYS_prlimit64
        SYS_getpriority SYS_setpriority SYS_ioprio_get SYS_ioprio_set SYS_getcpu
    ],
    // futex_wake, futex_wait, futex_requeue (Linux 6.7), which the libc crate does not name.
    &[454, 455, 456],
    // Signals.
    calls![
        SYS_rt_sigaction SYS_rt_sigprocmask SYS_rt_sigreturn SYS_rt_sigpending
        SYS_rt_sigtimedwait SYS_rt_sigsuspend SYS_sigaltstack
    ],
    // Scheduling: the sandbox's share is its cgroup's, whatever it sets here.
    calls![
        SYS_sched_yield SYS_sched_getaffinity SYS_sched_setaffinity SYS_sched_getparam
        SYS_sched_setparam SYS_sched_getscheduler SYS_sched_setscheduler SYS_sched_getattr
        SYS_sched_setattr SYS_sched_get_priority_max SYS_sched_get_priority_min
        SYS_sched_rr_get_interval
    ],
    // Clocks and timers, read and armed; never set.
    calls![
        SYS_clock_gettime SYS_clock_getres SYS_clock_nanosleep SYS_nanosleep SYS_gettimeofday
        SYS_getitimer SYS_setitimer SYS_timer_create SYS_timer_settime SYS_timer_gettime
        SYS_timer_getoverrun SYS_timer_delete
    ],
    // Sockets of the own network namespace (`socket` itself: see RULES).
    calls![
        SYS_connect SYS_accept SYS_accept4 SYS_bind SYS_listen SYS_getsockname SYS_getpeername
        SYS_getsockopt SYS_setsockopt SYS_shutdown SYS_sendto SYS_recvfrom SYS_sendmsg
        SYS_recvmsg SYS_sendmmsg SYS_recvmmsg
    ],
    // System V IPC and POSIX queues: the namespace is the sandbox's own.
    calls![
        SYS_shmget SYS_shmat SYS_shmdt SYS_shmctl SYS_semget SYS_semop SYS_semtimedop SYS_semctl
        SYS_msgget SYS_msgsnd SYS_msgrcv SYS_msgctl SYS_mq_open SYS_mq_unlink SYS_mq_timedsend
        SYS_mq_timedreceive SYS_mq_notify SYS_mq_getsetattr
    ],
    // Identity: no capability is left that could make these gain anything.
    calls![
        SYS_getuid SYS_geteuid SYS_getgid SYS_getegid SYS_getresuid SYS_getresgid SYS_getgroups
        SYS_setuid SYS_setgid SYS_setreuid SYS_setregid SYS_setresuid SYS_setresgid
        SYS_setgroups SYS_setfsuid SYS_setfsgid SYS_capget SYS_capset
    ],
    // About the machine.
    calls![SYS_uname SYS_sysinfo SYS_getrandom],
    LEGACY,
];

/// Older forms of the above that only this architecture still has.
#[cfg(target_arch = "x86_64")]
const LEGACY: &[c_long] = calls![
    SYS_open SYS_creat SYS_stat SYS_lstat SYS_access SYS_readlink SYS_mkdir SYS_rmdir SYS_mknod
    SYS_unlink SYS_rename SYS_link SYS_symlink SYS_chmod SYS_chown SYS_lchown SYS_utime
    SYS_utimes SYS_futimesat SYS_getdents SYS_dup2 SYS_pipe SYS_poll SYS_select
    SYS_epoll_create SYS_epoll_wait SYS_eventfd SYS_signalfd SYS_inotify_init SYS_fork SYS_vfork
    SYS_getpgrp SYS_pause SYS_alarm SYS_time SYS_getrlimit SYS_setrlimit SYS_arch_prctl
];
#[cfg(not(target_arch = "x86_64"))]
const LEGACY: &[c_long] = &[];

/// Answered as if the kernel did not have them, because callers fall back then.
pub const ABSENT: &[&[c_long]] = &[
    // Its flags lie behind a pointer, where a filter cannot look; glibc falls back to `clone`.
    calls![SYS_clone3],
    // Carries out other system calls past the filter; libuv and others fall back to threads.
    calls![SYS_io_uring_setup SYS_io_uring_enter SYS_io_uring_register],
    calls![SYS_io_setup SYS_io_destroy SYS_io_getevents SYS_io_submit SYS_io_cancel],
    // Filters of the tenant's own would fill the kernel's memory for compiled ones.
    calls![SYS_seccomp],
    calls![SYS_landlock_create_ruleset SYS_landlock_add_rule SYS_landlock_restrict_self],
    calls![SYS_memfd_secret],
    // cachestat (tells what others read), map_shadow_stack, statmount, listmount.
    &[451, 453, 457, 458],
];

/// Answered "done": everything writable is in memory, and flushing the host's disks is an attack.
pub const NOTHING_TO_DO: &[c_long] = calls![SYS_sync SYS_syncfs];

/// What the nursery, inits and runtime processes still need before the program runs. None of it is
/// allowed to the program.
pub const SETUP: &[c_long] = calls![
    SYS_clone3 SYS_unshare SYS_setns SYS_sethostname SYS_mount SYS_move_mount SYS_seccomp
];

const NEW_NAMESPACES: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u32;

/// Carried out for some arguments.
pub const RULES: &[Rule] = &[
    // Threads and processes, but no new namespaces: user namespaces open most of the kernel.
    Rule {
        call: libc::SYS_clone,
        allow_when: &[&[Test::NoneOf(0, NEW_NAMESPACES)]],
        otherwise: libc::EPERM,
    },
    // Local and internet sockets; routing queries, which getaddrinfo and getifaddrs make.
    Rule {
        call: libc::SYS_socket,
        allow_when: &[
            &[Test::Equals(0, libc::AF_UNIX as u32)],
            &[Test::Equals(0, libc::AF_INET as u32)],
            &[Test::Equals(0, libc::AF_INET6 as u32)],
            &[
                Test::Equals(0, libc::AF_NETLINK as u32),
                Test::Equals(2, libc::NETLINK_ROUTE as u32),
            ],
        ],
        otherwise: libc::EAFNOSUPPORT,
    },
    Rule {
        call: libc::SYS_socketpair,
        allow_when: &[&[Test::Equals(0, libc::AF_UNIX as u32)]],
        otherwise: libc::EAFNOSUPPORT,
    },
    // Asking, and choosing what is already so.
    Rule {
        call: libc::SYS_personality,
        allow_when: &[&[Test::Equals(0, 0)], &[Test::Equals(0, u32::MAX)]],
        otherwise: libc::EPERM,
    },
    // No typing into a terminal that somebody else reads (TIOCSTI, TIOCLINUX).
    Rule {
        call: libc::SYS_ioctl,
        allow_when: &[&[
            Test::Differs(1, libc::TIOCSTI as u32),
            Test::Differs(1, libc::TIOCLINUX as u32),
        ]],
        otherwise: libc::EPERM,
    },
    // No filters (see ABSENT) and no other layout of the process's memory.
    Rule {
        call: libc::SYS_prctl,
        allow_when: &[&[
            Test::Differs(0, libc::PR_SET_SECCOMP as u32),
            Test::Differs(0, libc::PR_SET_MM as u32),
        ]],
        otherwise: libc::EINVAL,
    },
];

/// The published answer to a system call number of this architecture's own ABI.
pub fn answer(call: c_long) -> Answer {
    let among = |lists: &[&[c_long]]| lists.iter().any(|list| list.contains(&call));
    if let Some(rule) = RULES.iter().find(|rule| rule.call == call) {
        Answer::Depends(rule)
    } else if among(ALLOWED) {
        Answer::Allow
    } else if NOTHING_TO_DO.contains(&call) {
        Answer::Errno(0)
    } else if among(ABSENT) || !(0..FIRST_UNKNOWN).contains(&call) {
        Answer::Errno(libc::ENOSYS as u16)
    } else {
        Answer::Errno(libc::EPERM as u16)
    }
}
