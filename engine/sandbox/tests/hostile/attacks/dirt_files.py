"""Traces in files: all kinds of them, in every place that might be writable, and what hangs on files."""

import ctypes
import fcntl
import os
import signal
import socket
import stat
import struct

LIBC = ctypes.CDLL(None, use_errno=True)
TRACES = {}
KEPT = []
CANARY = b"canary-" * 5
PLACES = ["/tmp", "/dev/shm", "/var/tmp", "/run", "/dev", "/home", "/root", "/etc", "/var/task", "/opt", "/", "/usr/lib"]


def trace(function):
    TRACES[function.__name__] = function
    return function


def syscall(number, *arguments):
    widened = [ctypes.c_ulong(a & (2**64 - 1)) if isinstance(a, int) else a for a in arguments]
    result = LIBC.syscall(ctypes.c_long(number), *widened)
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def write(path, content=CANARY):
    with open(path, "wb") as file:
        file.write(content)
    return path


for place in PLACES:
    TRACES["file_in_" + (place.strip("/").replace("/", "_") or "root")] = lambda place=place: write(f"{place}/dirt")

for place in ("/tmp", "/dev/shm"):
    kind = place.strip("/").replace("/", "_")
    TRACES[f"directory_in_{kind}"] = lambda place=place: os.makedirs(f"{place}/deep" + "/d" * 50)
    TRACES[f"link_in_{kind}"] = lambda place=place: os.symlink("/proc/self/mem", f"{place}/link")
    TRACES[f"hard_link_in_{kind}"] = lambda place=place: os.link(write(f"{place}/one"), f"{place}/two")
    TRACES[f"fifo_in_{kind}"] = lambda place=place: os.mkfifo(f"{place}/fifo")
    TRACES[f"attribute_in_{kind}"] = lambda place=place: os.setxattr(write(f"{place}/attr"), "user.dirt", CANARY)
    TRACES[f"mode_of_{kind}"] = lambda place=place: os.chmod(place, 0o777)
    TRACES[f"time_of_{kind}"] = lambda place=place: os.utime(place, (1, 1))
    TRACES[f"set_user_id_in_{kind}"] = lambda place=place: os.chmod(write(f"{place}/suid"), 0o6777)
    TRACES[f"long_name_in_{kind}"] = lambda place=place: write(f"{place}/" + "n" * 255)
    TRACES[f"strange_name_in_{kind}"] = lambda place=place: write(f"{place}/".encode() + b"\n\xff\x1b[2J")
    TRACES[f"socket_file_in_{kind}"] = lambda place=place: bound(f"{place}/socket")
    TRACES[f"whiteout_in_{kind}"] = lambda place=place: os.mknod(f"{place}/whiteout", stat.S_IFCHR | 0o600, 0)
    TRACES[f"sparse_file_in_{kind}"] = lambda place=place: os.truncate(write(f"{place}/sparse"), 1 << 40)


def bound(path):
    opened = socket.socket(socket.AF_UNIX)
    opened.bind(path)
    KEPT.append(opened)


@trace
def unlinked_open_file():
    KEPT.append(open("/tmp/unlinked", "wb"))
    KEPT[-1].write(CANARY)
    os.unlink("/tmp/unlinked")


@trace
def flock_on_system_file():
    KEPT.append(open("/usr/bin/env", "rb"))
    fcntl.flock(KEPT[-1], fcntl.LOCK_SH | fcntl.LOCK_NB)


@trace
def record_lock():
    KEPT.append(open("/tmp/locked", "wb"))
    fcntl.lockf(KEPT[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)


@trace
def lease():
    """Somebody who opens the file waits for the holder's leave."""
    KEPT.append(open(write("/tmp/leased"), "rb"))
    fcntl.fcntl(KEPT[-1], fcntl.F_SETLEASE, fcntl.F_RDLCK)


@trace
def lease_on_system_file():
    KEPT.append(open("/usr/bin/env", "rb"))
    fcntl.fcntl(KEPT[-1], fcntl.F_SETLEASE, fcntl.F_RDLCK)


@trace
def inotify_watches():
    KEPT.append(watch := syscall(294, 0))
    for path in (b"/tmp", b"/usr/lib", b"/etc", b"/proc"):
        syscall(254, watch, path, 0xFFF)


@trace
def dnotify():
    signal.signal(signal.SIGIO, signal.SIG_IGN)
    KEPT.append(os.open("/tmp", os.O_RDONLY))
    fcntl.fcntl(KEPT[-1], fcntl.F_NOTIFY, fcntl.DN_MULTISHOT | fcntl.DN_CREATE)
    fcntl.fcntl(KEPT[-1], fcntl.F_SETSIG, 0)


@trace
def page_cache():
    """Reads files that everybody shares: whoever reads first is charged."""
    for name in os.listdir("/usr/bin")[:200]:
        try:
            open(f"/usr/bin/{name}", "rb").read(1 << 16)
        except OSError:
            continue


@trace
def access_time_of_code():
    os.utime("/var/task", (1, 1))


@trace
def immutable_flag():
    file = os.open(write("/tmp/flagged"), os.O_RDWR)
    KEPT.append(file)
    syscall(16, file, 0x40086602, ctypes.byref(ctypes.c_long(0x40)))


@trace
def filled_inodes():
    os.mkdir("/dev/shm/many")
    for number in range(2000):
        os.close(os.open(f"/dev/shm/many/{number}", os.O_CREAT | os.O_WRONLY))


@trace
def mount_over_tmp():
    syscall(165, b"none", b"/tmp", b"tmpfs", 0, 0)


@trace
def write_mapped_by_others():
    """A shared mapping of a file in /dev/shm that a process which stays goes on writing to."""
    import dirt_processes

    path = write("/dev/shm/mapped", bytes(4096))
    file = open(path, "r+b")
    KEPT.append(file)
    dirt_processes.background(lambda: file.write(struct.pack("<Q", 1)))
