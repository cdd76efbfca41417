//! The calls that are carried out whatever their arguments, one a line with who needs it.
//!
//! The reasons follow what real programs were seen to call inside sandboxes (`tests/programs/`) and the sources of
//! the C libraries: glibc and musl still make many of x86-64's oldest calls, Go makes some that glibc does not.

use libc::c_long;

/// A system call, and why it is on the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// Its number in this architecture's own ABI.
    pub number: c_long,
    /// Its name in the kernel's tables.
    pub name: &'static str,
    /// Who needs it, or what it gives.
    pub why: &'static str,
}

/// Calls of one subject.
#[derive(Debug)]
pub struct Group {
    /// The subject.
    pub title: &'static str,
    /// The calls.
    pub calls: &'static [Call],
}

macro_rules! group {
    ($title:literal: $($number:ident $why:literal)*) => {
        Group {
            title: $title,
            calls: &[$(Call { number: libc::$number, name: stringify!($number), why: $why }),*],
        }
    };
}

/// Carried out, whatever the arguments.
pub const ALLOWED: &[Group] = &[
    group! { "Open files: the sandbox's mounts decide what can be opened":
        SYS_openat "every open of glibc, Python, Node, Go"
        SYS_openat2 "set-up attaches code by it; libraries that ask for RESOLVE_BENEATH"
        SYS_close "every program"
        SYS_close_range "closing all descriptors before an exec (Python's subprocess, posix_spawn)"
        SYS_read "every program"
        SYS_write "every program"
        SYS_pread64 "reading at a position: the dynamic linker, SQLite, libuv"
        SYS_pwrite64 "writing at a position: SQLite, libuv"
        SYS_readv "musl's stdio, JVM and Rust sockets"
        SYS_writev "musl's stdio, libuv streams, Go's net.Buffers"
        SYS_preadv "fs.readv with a position"
        SYS_pwritev "fs.writev with a position"
        SYS_lseek "stdio, archives"
        SYS_fstat "every program"
        SYS_ftruncate "POSIX shared memory (multiprocessing), archives, databases"
        SYS_fallocate "posix_fallocate; /tmp has a quota"
        SYS_fchmod "archives; own files only"
        SYS_fchown "archives; without a capability to the own uid only"
        SYS_flock "locks between processes"
        SYS_fcntl "close-on-exec, non-blocking, record locks (SQLite)"
        SYS_dup "redirection"
        SYS_dup3 "redirection (Go)"
        SYS_pipe2 "pipes of every shell and runtime"
        SYS_sendfile "shutil.copyfile, Java's transferTo, Go's http.ServeFile, libuv's copyFile"
        SYS_splice "io.Copy between sockets in Go, which has no way round it"
        SYS_memfd_create "memory as a file (libffi, JIT compilers); charged to the sandbox"
    },
    group! { "Names of files":
        SYS_newfstatat "stat of glibc 2.33 and later, Go"
        SYS_statx "stat of libuv, Rust, coreutils"
        SYS_statfs "free space (df, Java's FileStore)"
        SYS_fstatfs "the same by descriptor: what kind of file system"
        SYS_faccessat "access of Go, test -r"
        SYS_getdents64 "listing directories"
        SYS_readlinkat "links, by directory (Go, coreutils)"
        SYS_mkdirat "Go, os.mkdir with dir_fd"
        SYS_unlinkat "shutil.rmtree, rm, Go"
        SYS_renameat "rename of Go"
        SYS_linkat "Go, ln"
        SYS_symlinkat "Go, ln"
        SYS_fchmodat "Go, chmod"
        SYS_fchownat "Go, chown; without a capability to the own uid only"
        SYS_utimensat "file times: cp, tar, shutil.copystat"
        SYS_truncate "os.truncate by name"
        SYS_getcwd "every shell and runtime"
        SYS_chdir "every shell, subprocess with cwd"
        SYS_fchdir "find, git"
        SYS_umask "shells, mkstemp of some libraries"
    },
    group! { "Waiting for events":
        SYS_ppoll "Rust, Go's and libc's newer poll"
        SYS_pselect6 "select of glibc"
        SYS_epoll_create1 "event loops: libuv, asyncio, Go, Java, tokio"
        SYS_epoll_ctl "event loops"
        SYS_epoll_pwait "event loops: libuv, Go, musl"
        SYS_eventfd2 "waking an event loop: libuv, tokio, Java"
        SYS_timerfd_create "timers as descriptors (libevent, GLib)"
        SYS_timerfd_settime "timers as descriptors"
        SYS_inotify_init1 "fs.watch, watchdog"
        SYS_inotify_add_watch "fs.watch; can watch shared files of /usr (known limit)"
        SYS_inotify_rm_watch "fs.watch"
    },
    group! { "Memory: charged to the sandbox":
        SYS_brk "malloc"
        SYS_mmap "malloc, shared libraries, stacks"
        SYS_munmap "giving memory back"
        SYS_mremap "realloc of large blocks"
        SYS_mprotect "the dynamic linker, JIT compilers, thread stacks"
        SYS_madvise "giving pages back: malloc, V8, Go, JVM"
        SYS_membarrier "JIT compilers and lock-free libraries (.NET, JVM, liburcu)"
    },
    group! { "Processes and threads of the own PID namespace (clone: see the rules)":
        SYS_execve "every child process"
        SYS_exit "the end of a thread"
        SYS_exit_group "the end of a process"
        SYS_wait4 "children: shells, Python, Go"
        SYS_waitid "children: Go, posix_spawn users"
        SYS_kill "signals to own processes; init is of another uid"
        SYS_tkill "raise and pthread_kill of musl"
        SYS_tgkill "raise of glibc, preemption in Go"
        SYS_set_tid_address "start of every libc"
        SYS_set_robust_list "start of every libc"
        SYS_rseq "start of glibc 2.35 and later"
        SYS_futex "every lock between threads; multiprocessing's semaphores"
        SYS_restart_syscall "the kernel itself, after a stop in a sleep"
        SYS_getpid "every program"
        SYS_gettid "thread ids"
        SYS_getppid "daemons, multiprocessing"
        SYS_getpgid "job control"
        SYS_setpgid "job control, process groups for children"
        SYS_getsid "job control"
        SYS_setsid "start_new_session of subprocess, detached children of Node"
        SYS_getrusage "CPU time and peak memory"
        SYS_times "time of shells, os.times"
        SYS_prlimit64 "reading limits; they can be lowered only"
        SYS_getpriority "os.getPriority"
        SYS_setpriority "nice; priorities can be lowered only"
    },
    group! { "Signals":
        SYS_rt_sigaction "every program"
        SYS_rt_sigprocmask "every program"
        SYS_rt_sigreturn "the return from every handler"
        SYS_rt_sigpending "signal.sigpending"
        SYS_rt_sigtimedwait "sigwait: gunicorn, tini"
        SYS_rt_sigsuspend "bash waiting for a child"
        SYS_sigaltstack "stack overflow detection: Go, JVM, Rust, faulthandler"
    },
    group! { "Scheduling: the sandbox's share is its cgroup's":
        SYS_sched_yield "spin locks: OpenBLAS, Go, JVM"
        SYS_sched_getaffinity "the number of CPUs, for every runtime"
        SYS_sched_setaffinity "OpenMP, OpenBLAS, torch; within the sandbox's CPUs"
        SYS_sched_getparam "pthread_getschedparam (.NET)"
        SYS_sched_getscheduler "pthread_getschedparam (.NET)"
        SYS_sched_get_priority_max "pthread attributes"
        SYS_sched_get_priority_min "pthread attributes"
    },
    group! { "Clocks, read and never set; timers":
        SYS_clock_gettime "time, where the vDSO does not answer"
        SYS_clock_getres "time.get_clock_info, libuv"
        SYS_clock_nanosleep "sleep of glibc"
        SYS_nanosleep "sleep of Go and musl"
        SYS_gettimeofday "time, where the vDSO does not answer"
        SYS_getitimer "signal.getitimer"
        SYS_setitimer "signal.setitimer, profilers, timeouts"
        SYS_timer_create "Go's profiler, timeout of coreutils"
        SYS_timer_settime "Go's profiler, timeout of coreutils"
        SYS_timer_delete "timer_create's users"
    },
    group! { "Sockets of the own network namespace (socket, socketpair: see the rules)":
        SYS_connect "clients"
        SYS_accept "servers of musl and old programs"
        SYS_accept4 "servers"
        SYS_bind "servers, resolvers"
        SYS_listen "servers"
        SYS_getsockname "every socket library"
        SYS_getpeername "every socket library"
        SYS_getsockopt "SO_ERROR after a connect"
        SYS_setsockopt "TCP_NODELAY, SO_REUSEADDR"
        SYS_shutdown "half-closed connections"
        SYS_sendto "datagrams, and send"
        SYS_recvfrom "datagrams, and recv"
        SYS_sendmsg "descriptors between processes; QUIC"
        SYS_recvmsg "descriptors between processes; libuv"
        SYS_sendmmsg "the two questions of glibc's resolver"
        SYS_recvmmsg "libuv's UDP sockets"
    },
    group! { "Identity: no capability is left that could make these gain anything":
        SYS_getuid "every shell and runtime"
        SYS_geteuid "every shell and runtime"
        SYS_getgid "every shell and runtime"
        SYS_getegid "every shell and runtime"
        SYS_getresuid "os.getresuid, secure_getenv of libraries"
        SYS_getresgid "os.getresgid"
        SYS_getgroups "id, os.getgroups"
        SYS_setresuid "set-up itself; afterwards the own uid only"
        SYS_setresgid "set-up itself; afterwards the own gid only"
        SYS_capget "libcap, ls --color"
        SYS_capset "set-up itself; afterwards it can only drop what is not there"
    },
    group! { "About the machine":
        SYS_uname "platform.uname, configure scripts"
        SYS_sysinfo "the amount of memory (Node, JVM, OpenMP)"
        SYS_getrandom "every source of randomness"
    },
    OLD_FORMS,
];

/// What only x86-64 still has: its C libraries call these where other architectures have the newer form.
#[cfg(target_arch = "x86_64")]
const OLD_FORMS: Group = group! { "Old forms that x86-64's C libraries still use":
    SYS_open "musl's open"
    SYS_creat "creat of glibc (git)"
    SYS_stat "musl's stat, glibc before 2.33 (static programs)"
    SYS_lstat "musl's lstat, glibc before 2.33 (static programs)"
    SYS_access "access of glibc and musl; the dynamic linker"
    SYS_readlink "readlink of glibc and musl"
    SYS_mkdir "mkdir of glibc and musl"
    SYS_rmdir "rmdir of glibc and musl"
    SYS_unlink "unlink of glibc and musl"
    SYS_rename "rename of glibc and musl"
    SYS_link "link of glibc and musl"
    SYS_symlink "symlink of glibc and musl"
    SYS_chmod "chmod of glibc and musl"
    SYS_chown "chown of glibc and musl; without a capability to the own uid only"
    SYS_lchown "lchown of glibc and musl; the same"
    SYS_dup2 "dup2 of glibc and musl"
    SYS_pipe "pipe of musl"
    SYS_poll "poll of glibc and musl"
    SYS_select "select of musl"
    SYS_epoll_wait "epoll_wait of glibc (asyncio, Java)"
    SYS_fork "fork of musl"
    SYS_vfork "vfork of glibc and musl (subprocess)"
    SYS_getpgrp "getpgrp of glibc (shells)"
    SYS_pause "pause of glibc and musl"
    SYS_alarm "alarm of glibc (signal.alarm)"
    SYS_getrlimit "Go before 1.21"
    SYS_arch_prctl "start of every program: the thread pointer"
};
/// Other architectures have no old forms.
#[cfg(not(target_arch = "x86_64"))]
const OLD_FORMS: Group = group! { "Old forms": };
