//! System calls and flags as plans have them: of x86-64, whatever machine compiles.

pub(super) use libc::{
    SYS_arch_prctl as ARCH_PRCTL, SYS_bind as BIND, SYS_chdir as CHDIR, SYS_dup3 as DUP3,
    SYS_epoll_create1 as EPOLL_CREATE1, SYS_epoll_ctl as EPOLL_CTL, SYS_eventfd2 as EVENTFD2,
    SYS_fcntl as FCNTL, SYS_ftruncate as FTRUNCATE, SYS_getpid as GETPID, SYS_gettid as GETTID,
    SYS_inotify_add_watch as INOTIFY_ADD_WATCH, SYS_inotify_init1 as INOTIFY_INIT1,
    SYS_inotify_rm_watch as INOTIFY_RM_WATCH, SYS_ioprio_set as IOPRIO_SET, SYS_listen as LISTEN,
    SYS_lseek as LSEEK, SYS_madvise as MADVISE, SYS_memfd_create as MEMFD_CREATE,
    SYS_mlock2 as MLOCK2, SYS_mmap as MMAP, SYS_mprotect as MPROTECT, SYS_mremap as MREMAP,
    SYS_open as OPEN, SYS_personality as PERSONALITY, SYS_pipe2 as PIPE2, SYS_prctl as PRCTL,
    SYS_pread64 as PREAD64, SYS_prlimit64 as PRLIMIT64, SYS_read as READ,
    SYS_rt_sigaction as RT_SIGACTION, SYS_rt_sigprocmask as RT_SIGPROCMASK,
    SYS_rt_sigqueueinfo as RT_SIGQUEUEINFO, SYS_rt_tgsigqueueinfo as RT_TGSIGQUEUEINFO,
    SYS_sched_setaffinity as SCHED_SETAFFINITY, SYS_sched_setattr as SCHED_SETATTR,
    SYS_sendfile as SENDFILE, SYS_sendto as SENDTO, SYS_set_robust_list as SET_ROBUST_LIST,
    SYS_setitimer as SETITIMER, SYS_setsockopt as SETSOCKOPT, SYS_signalfd4 as SIGNALFD4,
    SYS_socket as SOCKET, SYS_socketpair as SOCKETPAIR, SYS_timer_create as TIMER_CREATE,
    SYS_timer_settime as TIMER_SETTIME, SYS_timerfd_create as TIMERFD_CREATE,
    SYS_timerfd_settime as TIMERFD_SETTIME, SYS_umask as UMASK, SYS_write as WRITE,
};

/// `mseal(2)`, since Linux 6.10.
pub(super) const MSEAL: i64 = 462;

pub(super) const MAP_SHARED: u64 = 0x01;
pub(super) const MAP_PRIVATE: u64 = 0x02;
pub(super) const MAP_DROPPABLE: u64 = 0x08;
pub(super) const MAP_FIXED: u64 = 0x10;
pub(super) const MAP_ANONYMOUS: u64 = 0x20;
pub(super) const MAP_GROWSDOWN: u64 = 0x100;
pub(super) const MAP_NORESERVE: u64 = 0x4000;
pub(super) const O_CLOEXEC: u64 = 0o2_000_000;
pub(super) const O_NONBLOCK: u64 = 0o4_000;
