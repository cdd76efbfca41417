"""System calls of x86-64 by number, as far as the engine makes them (`asm/unistd_64.h`)."""

from pathlib import Path

HEADERS = ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h")


def read_names():
    """number -> name."""
    for header in filter(lambda header: Path(header).exists(), HEADERS):
        lines = Path(header).read_text().splitlines()
        defined = [line.split() for line in lines if line.startswith("#define __NR_")]
        return {int(number): name.removeprefix("__NR_") for _, name, number in defined}
    raise FileNotFoundError(f"{HEADERS[0]}: install the kernel's headers (linux-libc-dev)")


NAMES = read_names()
NUMBERS = {name: number for number, name in NAMES.items()}


def numbers(text):
    return {NUMBERS[name] for name in text.split() if name in NUMBERS}


# Calls that fail with ENOMEM, and with EMFILE, according to their manual pages.
SHORT_OF_MEMORY = numbers(
    "mmap mprotect mremap brk clone clone3 vfork fork memfd_create openat open socketpair sendmsg recvmsg pread64 read"
    " write ftruncate fallocate setns unshare prctl execve epoll_create1 epoll_ctl eventfd2 timerfd_create timer_create"
    " pipe2 fcntl poll dup3 rt_sigqueueinfo"
)
SHORT_OF_DESCRIPTORS = numbers(
    "openat open socketpair memfd_create recvmsg fcntl dup dup2 dup3 pipe2 eventfd2 signalfd4 timerfd_create"
    " epoll_create1 pidfd_open pidfd_getfd inotify_init1 socket clone3 execve"
)
# Calls that a security module or a container's filter may refuse with EPERM.
REFUSED = numbers(
    "clone3 unshare setns prctl arch_prctl mremap memfd_create rseq set_robust_list setgroups setresuid setresgid"
    " capset prlimit64 setpriority sched_setscheduler sched_setattr sched_setaffinity timer_create rt_sigqueueinfo"
    " rt_tgsigqueueinfo personality set_tid_address sigaltstack"
)
