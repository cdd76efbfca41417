"""What a run must not leave behind: processes, mounts, cgroups, changed pools, open descriptors."""

import ctypes
import os
import signal
import time
from pathlib import Path

from tracer import LIBC

NEW_MOUNT_NAMESPACE = 0x20000
PRIVATE, RECURSIVE = 0x40000, 0x4000


def be_alone_with_mounts():
    """Enters a mount namespace of our own: whatever appears in it is the work of what we have started."""
    if LIBC.unshare(NEW_MOUNT_NAMESPACE) != 0 or LIBC.mount(b"none", b"/", None, PRIVATE | RECURSIVE, None) != 0:
        raise OSError(ctypes.get_errno(), "cannot enter a mount namespace")


class Watch:
    """The state of things before a run, to be compared with the state after it."""

    def __init__(self, pool, names):
        """`pool` is a directory that must not change; processes called `names` are ours, whoever is their parent."""
        self.pool, self.names = pool, names
        self.before = self.look()

    def look(self):
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
        return {
            "mount": {line.split(" ", 1)[1] for line in mounts},
            "cgroup": cgroups(),
            "pool file": {(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in self.pool.iterdir()},
            "own descriptor": descriptors(),
        }

    def problems(self, may_make_cgroups):
        """What is left, in words. Others make cgroups too: new ones are ours only if the run could make any."""
        found = [f"process {pid} is left: {what}" for pid, what in self.processes().items()]
        now = self.look()
        for kind, old in self.before.items():
            if kind == "cgroup" and not may_make_cgroups:
                continue
            found += [f"{kind} is new: {one}" for one in sorted(map(str, now[kind] - old))]
            if kind in ("mount", "pool file", "own descriptor"):
                found += [f"{kind} is gone: {one}" for one in sorted(map(str, old - now[kind]))]
        return found

    def processes(self):
        """Descendants of this process, and all with one of the names."""
        table = process_table()
        ours, found = {os.getpid()}, {}
        while more := {pid for pid, (parent, _) in table.items() if parent in ours and pid not in ours}:
            ours |= more
        for pid, (_, name) in table.items():
            if pid != os.getpid() and (pid in ours or name in self.names):
                found[pid] = f"{name}, {where(pid)}"
        return found

    def await_end(self, timeout_s):
        """Waits until no process is left, or time is up; reaps what came to us."""
        deadline = time.monotonic() + timeout_s
        reap()
        while self.processes() and time.monotonic() < deadline:
            time.sleep(0.01)
            reap()

    def clear(self):
        """Kills what is left, so that the next run is not blamed for it."""
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.await_end(5)


def reap():
    """Takes the exit statuses of all children that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG | 0x40000000)[0]:
            pass
    except ChildProcessError:
        pass


def process_table():
    """pid -> (parent, name), without those that have ended and only wait for their parents."""
    table = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                head, _, tail = Path(f"/proc/{entry}/stat").read_text().rpartition(")")
            except OSError:
                continue
            state, parent = tail.split()[:2]
            if state not in "ZX":
                table[int(entry)] = (int(parent), head.partition("(")[2])
    return table


def where(pid):
    """What a process is doing."""
    try:
        state = Path(f"/proc/{pid}/status").read_text().partition("State:\t")[2].partition("\n")[0]
        waits = Path(f"/proc/{pid}/wchan").read_text()
        return f"{state}, in {waits}" if waits not in ("", "0") else state
    except OSError:
        return "ends just now"


def cgroups():
    return {folder for folder, _, _ in os.walk("/sys/fs/cgroup")}


def descriptors():
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            found.add(f"{number} {os.readlink(f'/proc/self/fd/{number}')}")
        except OSError:
            continue  # the listing's own
    return found
