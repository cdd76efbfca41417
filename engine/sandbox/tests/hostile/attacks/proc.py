"""What /proc and /sys tell of the host, and what writing there would do to it (S14, S12, runc's procfs redirects)."""

import os
import struct

from hostile import Refused, attack, attempt, family, main

SYSCTLS = [
    "kernel/core_pattern", "kernel/modprobe", "kernel/poweroff_cmd", "kernel/hostname", "kernel/randomize_va_space",
    "kernel/shmmax", "kernel/msgmax", "kernel/ns_last_pid", "kernel/keys/maxkeys", "vm/overcommit_memory",
    "vm/panic_on_oom", "fs/file-max", "fs/mqueue/queues_max", "fs/suid_dumpable", "fs/protected_symlinks",
    "net/core/somaxconn", "net/ipv4/ip_forward", "net/ipv4/ip_local_port_range", "net/ipv4/ping_group_range",
]  # fmt: skip
FILES = [
    "kcore", "kmsg", "kallsyms", "keys", "key-users", "timer_list", "sched_debug", "interrupts", "softirqs", "vmallocinfo",
    "iomem", "ioports", "slabinfo", "kpageflags", "kpagecount", "pagetypeinfo", "1/environ", "1/maps", "1/auxv", "1/stack",
    "self/stack", "1/cmdline", "cmdline", "sysvipc/shm",
]  # fmt: skip
OF_THE_HOST = [
    "/sys/kernel", "/sys/fs/cgroup", "/sys/class/net", "/sys/block", "/sys/firmware", "/sys/kernel/debug",
    "/sys/devices", "/boot", "/root", "/home", "/etc/shadow", "/etc/machine-id", "/var/log", "/var/lib", "/run/lock",
    "/mnt", "/srv", "/media", "/etc/ssh", "/etc/ssl/private",
    "/proc/fs/ext4", "/proc/fs/jbd2", "/proc/fs/xfs",
]  # fmt: skip


def key(path):
    return path.strip("/").replace("/", "_").replace(".", "_").replace("-", "_")


@family("sysctl", {key(path): path for path in SYSCTLS})
def sysctl(path):
    """Writes the value that it has."""
    path = f"/proc/sys/{path}"
    with attempt("open"):
        value = open(path, "rb").read()
    with attempt("write"):
        file = os.open(path, os.O_WRONLY)
        try:
            os.write(file, value)
        finally:
            os.close(file)
    return "written"


@family("read", {key(path): path for path in FILES})
def secret_of_proc(path):
    with attempt("open"):
        file = os.open(f"/proc/{path}", os.O_RDONLY | os.O_NONBLOCK)
    with attempt("read"):
        text = os.read(file, 4096)
    os.close(file)
    if path == "kallsyms" and text.startswith(b"0000000000000000"):
        raise Refused("addresses are zero")
    if path == "sysvipc/shm":
        text = b"\n".join(text.splitlines()[1:])
    if path in ("iomem", "ioports") and not any(line.split(b" : ")[0].strip(b" 0-") for line in text.splitlines()):
        raise Refused("addresses are zero")
    if not text:
        raise Refused("empty")
    return "read"


@family("exists", {key(path): path for path in OF_THE_HOST})
def of_the_host(path):
    with attempt("look"):
        if os.path.isdir(path):
            content = os.listdir(path)
        else:
            content = open(path, "rb").read()
    if not content:
        raise Refused("empty")
    return "found"


@attack
def sysrq():
    with attempt("open"):
        os.close(os.open("/proc/sysrq-trigger", os.O_WRONLY))
    return "opened"


@attack
def binfmt():
    with attempt("open"):
        os.close(os.open("/proc/sys/fs/binfmt_misc/register", os.O_WRONLY))
    return "opened"


@attack
def page_frames():
    """Physical addresses of one's own pages, for Rowhammer."""
    buffer = bytearray(b"x" * 8192)
    address = id(buffer)
    with attempt("open"):
        file = os.open("/proc/self/pagemap", os.O_RDONLY)
    with attempt("read"):
        entry = struct.unpack("<Q", os.pread(file, 8, address // 4096 * 8))[0]
    if entry & (1 << 55) - 1 == 0:
        raise Refused("frame number is zero")
    return "frame"


@attack
def other_processes():
    """Processes of other users: init, to begin with."""
    for name in os.listdir("/proc"):
        if name.isdigit() and os.stat(f"/proc/{name}").st_uid != os.getuid():
            return "seen"
    raise Refused("none is seen")


@attack
def host_groups():
    """The name of the control group tells the function's and the daemon's."""
    for line in open("/proc/self/cgroup"):
        if line.strip().split(":", 2)[2] != "/":
            return "named"
    raise Refused("all groups are called /")


@attack
def host_mounts():
    """Paths of the host in the table of mounts."""
    for line in open("/proc/self/mountinfo"):
        fields = line.split()
        after = fields[fields.index("-") + 1 :]
        if fields[4].startswith("/sys") or after[0] in ("cgroup", "cgroup2", "devtmpfs", "sysfs", "debugfs"):
            return "seen"
    raise Refused("none of the host's")


@attack
def drop_caches():
    with attempt("open"):
        os.close(os.open("/proc/sys/vm/drop_caches", os.O_WRONLY))
    return "opened"


main()
