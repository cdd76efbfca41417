"""Traces in kernel objects: System V and POSIX queues, timers, keys, settings, memory."""

import ctypes
import mmap
import os
import resource
import signal
import socket
import struct
import time

import dirt_processes
from dirt_files import CANARY, KEPT, LIBC, syscall

TRACES = {}
LIBC.shmat.restype = ctypes.c_void_p


def trace(function):
    TRACES[function.__name__] = function
    return function


def called(result):
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def segment(key, size):
    number = called(LIBC.shmget(key, size, 0o1666))
    ctypes.memmove(LIBC.shmat(number, None, 0), CANARY, min(size, len(CANARY)))


@trace
def sysv_segment():
    segment(0x5EED, 1 << 16)


@trace
def sysv_segment_removed_but_attached():
    number = called(LIBC.shmget(0, 4096, 0o600))
    LIBC.shmat(number, None, 0)
    called(LIBC.shmctl(number, 0, 0))


@trace
def sysv_queue():
    queue = called(LIBC.msgget(0x5EED, 0o1666))
    called(LIBC.msgsnd(queue, struct.pack("<q", 1) + CANARY, len(CANARY), 0))


@trace
def sysv_semaphore():
    called(LIBC.semget(0x5EED, 8, 0o1666))


@trace
def sysv_undo():
    number = called(LIBC.semget(0x5EEE, 1, 0o1666))
    called(LIBC.semop(number, struct.pack("<Hhh", 0, 1, 0x1000), 1))


@trace
def sysv_ids():
    """Moves the numbers that are given out next."""
    for _ in range(50):
        number = called(LIBC.shmget(0, 4096, 0o600))
        called(LIBC.shmctl(number, 0, 0))


@trace
def posix_queue():
    queue = called(LIBC.mq_open(b"/dirt", os.O_CREAT | os.O_RDWR, 0o666, None))
    called(LIBC.mq_send(queue, CANARY, len(CANARY), 1))


@trace
def posix_queue_notification():
    queue = called(LIBC.mq_open(b"/notify", os.O_CREAT | os.O_RDWR, 0o666, None))
    called(LIBC.mq_notify(queue, struct.pack("<QiiQQQQQQ", 0, 10, 0, 0, 0, 0, 0, 0, 0)))


@trace
def posix_timer():
    timer = ctypes.c_int()
    syscall(222, 1, 0, ctypes.byref(timer))
    syscall(223, timer.value, 0, struct.pack("<4q", 1000, 0, 1000, 0), 0)


@trace
def interval_timer():
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, 1000, 1000)


@trace
def timer_descriptor():
    KEPT.append(timer := syscall(283, 1, 0))
    syscall(286, timer, 0, struct.pack("<4q", 1000, 0, 1000, 0), 0)


@trace
def pending_signals():
    signal.pthread_sigmask(signal.SIG_BLOCK, [40])
    for _ in range(100):
        syscall(129, os.getpid(), 40, struct.pack("<iii", 40, 0, -1) + bytes(116))


@trace
def user_key():
    syscall(248, b"user", b"dirt", CANARY, len(CANARY), -4)


@trace
def session_key():
    syscall(250, 1, b"dirt-session")


@trace
def persistent_keyring():
    syscall(250, 22, -1, -3)


@trace
def host_name():
    syscall(170, b"dirty", 5)


@trace
def personality():
    syscall(135, 0x40000)


def sysctl(path):
    def write():
        value = open(f"/proc/sys/{path}").read()
        with open(f"/proc/sys/{path}", "w") as file:
            file.write(value)

    return write


for path in ("kernel/shmmax", "kernel/msgmni", "kernel/sem", "kernel/hostname", "kernel/domainname", "kernel/ns_last_pid",
             "fs/mqueue/msg_max", "net/core/somaxconn", "net/ipv4/ip_local_port_range", "net/ipv4/tcp_rmem",
             "net/ipv4/ip_forward", "net/ipv6/conf/lo/disable_ipv6", "net/unix/max_dgram_qlen"):  # fmt: skip
    TRACES["sysctl_" + path.replace("/", "_")] = sysctl(path)


@trace
def memory_high_water():
    pages = mmap.mmap(-1, 100 << 20)
    for at in range(0, 100 << 20, 4096):
        pages[at] = 1
    pages.close()


@trace
def memory_with_canaries():
    KEPT.append(bytearray(CANARY * 100000))


@trace
def out_of_memory_kill():
    """A child that takes all that there is, and is killed for it."""
    pid = os.fork()
    if pid == 0:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
        hoard = []
        for _ in range(512):
            hoard.append(b"x" * (4 << 20))
        os._exit(1)
    if os.waitpid(pid, 0)[1] != signal.SIGKILL:
        raise OSError("it was not killed")


@trace
def locked_memory():
    LIBC.mlock.restype = ctypes.c_int
    KEPT.append(page := mmap.mmap(-1, 4096))
    called(LIBC.mlock(ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(page))), 4096))


@trace
def sealed_memfd():
    KEPT.append(file := os.memfd_create("dirt", os.MFD_ALLOW_SEALING))
    os.write(file, CANARY)
    import fcntl

    fcntl.fcntl(file, 1033, 15)


@trace
def descriptors_in_flight():
    """Memory in a socket that nobody reads, and in which the socket itself travels: only the kernel's collector ends it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    memory = os.memfd_create("in-flight")
    os.write(memory, CANARY)
    socket.send_fds(ours, [b"x"], [memory, theirs.fileno(), ours.fileno()])
    ours.close()
    theirs.close()


@trace
def lower_limits():
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, 1024))


@trace
def oom_score():
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("900")


@trace
def nice_value():
    dirt_processes.background(lambda: os.setpriority(os.PRIO_PROCESS, 0, 19))


@trace
def idle_io_priority():
    syscall(251, 1, 0, 3 << 13)


@trace
def scheduling_batch():
    syscall(144, 0, 3, struct.pack("<i", 0))


@trace
def affinity():
    dirt_processes.background(lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}))


@trace
def full_pipe():
    _, writer = os.pipe()
    os.set_blocking(writer, False)
    KEPT.append(writer)
    os.write(writer, bytes(65536))


@trace
def epoll_chain():
    KEPT.append(os.eventfd(1))
    for _ in range(4):
        KEPT.append(poll := syscall(291, 0))
        syscall(233, poll, 1, KEPT[-2], struct.pack("<IQ", 1, 0))


@trace
def cpu_time():
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
