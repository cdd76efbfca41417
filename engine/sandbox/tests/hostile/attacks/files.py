"""Handles, devices, and executables that would give rights (S12, S14, CVE-2025-31133 and relatives)."""

import ctypes
import os
import stat
import subprocess

from hostile import Refused, attack, attempt, code, family, main, past_check, syscall, token_in

DEVICES = {"kvm": "kvm", "fuse": "fuse", "tun": "net/tun", "vhost": "vhost-net", "vsock": "vhost-vsock", "mem": "mem",
           "kmsg": "kmsg", "ptmx": "ptmx", "tty": "tty0", "console": "console", "loop": "loop-control", "disk": "loop0",
           "hwrng": "hwrng", "userfaultfd": "userfaultfd", "snd": "snd/seq", "dri": "dri/card0"}  # fmt: skip


@family("device", DEVICES)
def device(name):
    with attempt("open"):
        os.close(os.open(f"/dev/{name}", os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY))
    return "opened"


@family("mknod", {"block": "block", "mem": "mem", "kmsg": "kmsg"})
def mknod(kind):
    path = f"/tmp/node-{kind}-{os.getpid()}"
    mode, number = {
        "block": (stat.S_IFBLK, os.makedev(7, 0)),
        "mem": (stat.S_IFCHR, os.makedev(1, 1)),
        "kmsg": (stat.S_IFCHR, os.makedev(1, 11)),
    }[kind]
    with attempt("mknod"):
        os.mknod(path, mode | 0o600, number)
    try:
        with attempt("open"):
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    finally:
        os.unlink(path)
    return "opened"


@family("planted", {"block": "disk", "kmsg": "kmsg", "null": "null"})
def planted_device(name):
    """A device that lies in the code directory, open to everybody."""
    with attempt("open"):
        os.close(os.open(code(f"planted/{name}"), os.O_RDONLY | os.O_NONBLOCK))
    return "opened"


@attack
def set_user_id():
    """A program of root's with the set-user-id bit, in the code directory."""
    user = subprocess.run([code("planted/suid"), "-u"], capture_output=True, check=True).stdout.strip()
    if user != b"0":
        raise Refused(f"effective user {'own' if int(user) == os.getuid() else 'other'}")
    return "root"


@attack
def file_capability():
    """A program with a capability in its attributes, in the code directory: it may read everything."""
    done = subprocess.run([code("planted/capable"), code("planted/private")], capture_output=True, check=False)
    if done.returncode:
        raise Refused(done.stderr.decode().strip().rsplit(": ", 1)[-1])
    return token_in(done.stdout)


@attack
def system_set_user_id():
    """The host's own programs with that bit."""
    for name in ("su", "mount", "umount", "passwd", "chsh", "newgrp", "sudo", "pkexec"):
        path = f"/usr/bin/{name}"
        if os.path.exists(path) and os.stat(path).st_mode & stat.S_ISUID:
            break
    else:
        raise Refused("no such program on this machine")
    program = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                status = open(f"/proc/{program.pid}/status").read()
            except OSError:
                return "root"  # Another user's process, which this one may not see.
            if f"Name:\t{name}\n" in status or program.poll() is not None:
                break
    finally:
        program.kill()
    if f"Uid:\t{os.getuid()}\t0\t" not in status:
        raise Refused("effective user own")
    return "root"


@attack
def name_to_handle_at():
    handle, mount = ctypes.create_string_buffer(136), ctypes.c_int()
    handle[0:4] = (128).to_bytes(4, "little")
    with attempt("name_to_handle_at"):
        syscall(303, -100, b"/usr", handle, ctypes.byref(mount), 0)
    return "handle"


@attack
def fanotify():
    """Tells who opens what, on all of a file system."""
    with attempt("fanotify_init"):
        syscall(300, 0x200, os.O_RDONLY)
    return "group"


@attack
def quota_by_descriptor():
    with attempt("quotactl_fd"):
        return past_check(443, os.open("/usr", os.O_RDONLY), 0x800002 << 8, 2, 0)


@attack
def immutable():
    """FS_IOC_SETFLAGS: an attribute that only root may set."""
    path = f"/tmp/immutable-{os.getpid()}"
    file = os.open(path, os.O_CREAT | os.O_RDWR)
    flags = ctypes.c_long(0x10)
    with attempt("FS_IOC_SETFLAGS"):
        syscall(16, file, 0x40086602, ctypes.byref(flags))
    flags.value = 0
    syscall(16, file, 0x40086602, ctypes.byref(flags))
    os.unlink(path)
    return "set"


@attack
def trusted_attribute():
    path = f"/tmp/trusted-{os.getpid()}"
    open(path, "x").close()
    try:
        with attempt("setxattr"):
            os.setxattr(path, "trusted.overlay.opaque", b"y")
    finally:
        os.unlink(path)
    return "set"


main()
