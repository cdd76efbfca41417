"""Prints all that a tenant can see of its sandbox, so that two sandboxes can be compared byte for byte.

Left out or replaced, because two fresh sandboxes differ in it by nature:
 1. uid and gid of the sandbox: `UID`; each live sandbox has its own.
 2. numbers of mounts, peer groups, devices, inodes and autogroups: dropped; the kernel counts them for the whole machine.
 3. files of /proc that show the machine (MACHINE, softnet_stat, ptype): every tenant's work moves them.
 4. times: dropped; a sandbox is as old as it is.
 5. addresses in memory, and sizes that follow from their randomisation: dropped.
 6. counters of this process's own run (CPU time, faults, context switches): dropped.
 7. column of the kernel's socket addresses in /proc/net: dropped (zeroed for tenants or random).
 8. memory and sockets that the network's counters hold for the whole machine (sockstat, protocols): names only.
"""

import ctypes
import hashlib
import os
import re
import resource
import socket
import stat
import struct
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
UID = os.getuid()
MACHINE = re.compile(
    r"/proc/sys/(fs/(dentry-state|file-nr|inode-nr|inode-state|aio-nr)|kernel/(random/\w+|pty/nr|ns_last_pid|"
    r"sched_\w+|perf_event_max_sample_rate|tainted)|vm/stat_\w+|net/netfilter/nf_conntrack_count|debug/.*)"
)
TREES = ["/dev", "/etc", "/home", "/opt", "/root", "/run", "/sys", "/tmp", "/var"]
OF_PROCESS = ["limits", "cgroup", "oom_score_adj", "oom_adj", "loginuid", "sessionid", "coredump_filter", "personality",
              "timerslack_ns", "uid_map", "gid_map", "setgroups", "timers", "attr/current", "autogroup", "wchan",
              "cpuset", "comm"]  # fmt: skip
STATUS = re.compile(r"^(Vm|Rss|Hugetlb|\w*voluntary|FDSize|SigQ|Pid|Tgid|NS)")


def say(name, value):
    text = value if isinstance(value, str) else repr(value)
    for line in text.splitlines() or [""]:
        print(name, re.sub(rf"\b{UID}\b", "UID", line))


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read().decode(errors="backslashreplace")
    except OSError as error:
        return f"errno {error.errno}"


def sysctls():
    for top, directories, names in os.walk("/proc/sys"):
        directories.sort()
        for name in sorted(names):
            path = os.path.join(top, name)
            if not MACHINE.fullmatch(path):
                say(path, read(path))


def networks():
    for name in sorted(os.listdir("/proc/self/net")):
        path = f"/proc/self/net/{name}"
        if name in ("sockstat", "sockstat6", "protocols"):
            say(path, re.sub(r"\s+\d+|\b(mem|memory|alloc|orphan) -?\d+", " #", read(path)) if name == "protocols" else
                re.sub(r"(mem|memory|alloc|orphan) -?\d+", r"\1 #", read(path)))
        elif name == "rt_acct":
            # Binary.
            say(path, digest(path, 0))
        elif name in ("softnet_stat", "ptype") or os.path.isdir(path):
            # The processors' and the machine's.
            continue
        else:
            # Socket and inode numbers; ages of routes and of the timers of sockets.
            text = re.sub(r"\b[0-9a-f]{16}\b:?", "ADDRESS", read(path))
            if name in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6", "icmp", "unix", "netlink", "packet"):
                text = "\n".join(socket_line(name, line) for line in text.splitlines())
            say(path, text)


def socket_line(name, line):
    fields = line.split()
    if name == "unix":
        return " ".join(fields[:6] + fields[7:]) if fields[:1] != ["Num"] else line
    if name in ("netlink", "packet"):
        # The kernel's own sockets have numbers only.
        return " ".join(fields[:4])
    return " ".join(fields[:8]) if fields[:1] != ["sl"] else line


def mounts():
    for line in open("/proc/self/mountinfo"):
        fields = line.split()
        after = fields[fields.index("-") :]
        propagation = [field.split(":")[0] for field in fields[6 : fields.index("-")]]
        say("mount", " ".join([fields[3], fields[4], fields[5], *propagation, *after]))


def tree(top):
    entries = [top]
    for directory, directories, names in os.walk(top):
        directories.sort()
        entries += [os.path.join(directory, name) for name in sorted(directories + names)]
    for path in entries:
        about = os.lstat(path)
        text = f"{stat.filemode(about.st_mode)} {about.st_nlink} {about.st_uid} {about.st_gid} {about.st_rdev}"
        if stat.S_ISLNK(about.st_mode):
            text += " -> " + os.readlink(path)
        elif stat.S_ISREG(about.st_mode) and os.access(path, os.R_OK):
            text += f" {about.st_size if length_is_fixed(path) else '#'} {digest(path, about.st_size)}"
        try:
            text += f" {sorted(os.listxattr(path, follow_symlinks=False))}"
        except OSError as error:
            text += f" errno {error.errno}"
        # Names may hold anything.
        say(ascii(path)[1:-1], ascii(text)[1:-1])


def digest(path, size):
    """Of the content; a file of holes is known by its size."""
    if size > 64 << 20:
        return "large"
    with open(path, "rb") as file:
        return hashlib.blake2b(file.read().replace(str(UID).encode(), b"UID"), digest_size=16).hexdigest()


def length_is_fixed(path):
    """Whether the length of a file does not depend on how many digits the uid has."""
    return not path.startswith("/run/offshoot")


def file_systems():
    for path in ("/", "/tmp", "/dev", "/dev/shm", "/run/offshoot", "/proc", "/usr"):
        about = os.statvfs(path)
        writable = path in ("/tmp", "/dev/shm", "/run/offshoot")
        free = [about.f_bfree, about.f_ffree] if writable else []
        say(f"statvfs {path}", [about.f_bsize, about.f_flag, about.f_namemax, *free])


def process():
    for line in read("/proc/self/status").splitlines():
        if not STATUS.match(line):
            say("status", line)
    for name in OF_PROCESS:
        say(f"/proc/self/{name}", re.sub(r"/autogroup-\d+", "/autogroup", read(f"/proc/self/{name}")))
    say("namespaces", sorted(os.listdir("/proc/self/ns")))
    say("processes", sorted((int(name) for name in os.listdir("/proc") if name.isdigit())))
    say("own ids", [os.getpid(), os.getppid(), os.getpgid(0), os.getsid(0)])
    say("descriptors", [(name, re.sub(r"\d+", "#", os.readlink(f"/proc/self/fd/{name}"))) for name in ("0", "1", "2")])
    say("priority", [os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0), sorted(os.sched_getaffinity(0))])
    say("environment", sorted(os.environ.items()))
    say("directory", os.getcwd())
    umask = os.umask(0)
    os.umask(umask)
    say("umask", umask)
    for name in sorted(dir(resource)):
        if name.startswith("RLIMIT_"):
            say(name, resource.getrlimit(getattr(resource, name)))


def next_ids():
    """What the kernel gives out next, where it counts for the sandbox alone."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    say("next pid", pid)
    for name, made in (
        ("shm", lambda: LIBC.shmget(0, 4096, 0o600)),
        ("sem", lambda: LIBC.semget(0, 1, 0o600)),
        ("msg", lambda: LIBC.msgget(0, 0o600)),
    ):
        number = made()
        say(f"next {name}", number if number != -1 else f"errno {ctypes.get_errno()}")
        if number != -1:
            remove = {"shm": LIBC.shmctl, "msg": LIBC.msgctl}.get(name)
            remove(number, 0, 0) if remove else LIBC.semctl(number, 0, 0)
    for name in ("shm", "sem", "msg"):
        say(f"/proc/sysvipc/{name}", read(f"/proc/sysvipc/{name}"))
    for key in (b"/hostile", b"/dirt"):
        say(f"queue {key}", LIBC.mq_open(key, os.O_RDONLY))
    say("key", [LIBC.syscall(250, 0, ring, 0) for ring in (-1, -2, -3, -4, -5)])


def routing():
    """The kernel's own answers: links, addresses, routes, neighbours, rules."""
    route = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    for name, kind, length in (("link", 18, 16), ("address", 22, 8), ("route", 26, 12), ("neighbour", 30, 12), ("rule", 34, 12)):
        route.send(struct.pack("<IHHII", 16 + length, kind, 0x301, 1, 0) + bytes(length))
        messages, done = [], False
        while not done:
            data = route.recv(65536)
            while data:
                size, answer = struct.unpack_from("<IH", data)
                done = done or answer in (2, 3)
                if answer not in (2, 3):
                    messages.append(data[16:size])
                data = data[(size + 3) & ~3 :]
        say(name, [summary(message, length) for message in messages])


def summary(message, length):
    """The header and the attributes that are no statistics: those are counted, and told by /proc/net/dev."""
    attributes, rest = [], message[length:]
    while len(rest) >= 4:
        size, kind = struct.unpack_from("<HH", rest)
        if size < 4:
            break
        if size <= 24 and kind not in (6, 12):
            attributes.append((kind, rest[4:size].hex()))
        rest = rest[(size + 3) & ~3 :]
    return message[:length].hex(), attributes


def main():
    say("names", [os.uname().nodename, socket.gethostname(), read("/proc/sys/kernel/domainname")])
    process()
    mounts()
    file_systems()
    sysctls()
    networks()
    routing()
    for top in TREES + ["/dev/shm", "/proc/fs", "/proc/bus"]:
        tree(top)
    next_ids()
    sys.stdout.flush()


main()
