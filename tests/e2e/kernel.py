"""What exists in the kernel on behalf of a daemon, before and after: processes, control groups, mounts, links.

Objects that bear the daemon's name are told apart from those of the machine. The machine's counts mean nothing
while other programs make sandboxes, too: OFFSHOOT_E2E_SHARED_MACHINE=1 leaves them out.
"""

import os
import time
from pathlib import Path

SHARED_MACHINE = os.environ.get("OFFSHOOT_E2E_SHARED_MACHINE") == "1"
SETTLE_LIMIT_S = 8
# The daemon keeps some connections and files open or not, as it likes.
DESCRIPTOR_SLACK = 6
# The kernel frees a control group when the last page that was charged to it goes.
CGROUP_COUNT_SLACK = 4


def cgroup_tops():
    """Where daemons make control groups: below each hierarchy's root, or below the own group if that is refused."""
    own = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        own.update(dict.fromkeys(controllers.split(","), path.strip("/")))
    tops = set()
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        place, kind = line.split(" - ", 1)
        kind, _, options = kind.split(" ", 2)
        if kind in ("cgroup", "cgroup2"):
            mount = Path(place.split()[4])
            tops.add(mount / "offshoot")
            groups = (
                {own[name] for name in options.split(",") if name in own} if kind == "cgroup" else {own.get("", "")}
            )
            tops.update(mount / group / "offshoot" for group in groups)
    return tops


def owned_cgroups(owner):
    """The directories of an owner's sandboxes in all hierarchies."""
    found = set()
    for top in cgroup_tops():
        try:
            found.update(entry.path for entry in os.scandir(top / owner) if entry.is_dir())
        except FileNotFoundError:
            continue
    return found


def occupied(owner):
    """The names of an owner's sandboxes in which a program runs: something beside their init."""
    found = set()
    for directory in owned_cgroups(owner):
        try:
            if len((Path(directory) / "cgroup.procs").read_text().split()) > 1:
                found.add(os.path.basename(directory))
        except (FileNotFoundError, OSError):
            continue
    return found


def processes():
    """Process id to parent's id and command, of all processes."""
    table = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        command, rest = stat[stat.index("(") + 1 :].rsplit(")", 1)
        fields = rest.split()
        # A zombie whose parent is gone is PID 1's to reap, in its own time.
        if fields[0] != "X" and not (fields[0] == "Z" and fields[1] == "1"):
            table[int(entry.name)] = (int(fields[1]), command)
    return table


def command_line(pid):
    """The words of a process, each with a zero behind it; none if it has ended."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""


def below(pid):
    """Processes that descend from `pid`."""
    table = processes()
    found, todo = {}, [pid]
    while todo:
        parent = todo.pop()
        for child, (its_parent, command) in table.items():
            if its_parent == parent and child not in found:
                found[child] = command
                todo.append(child)
    return found


def in_cgroups(owner):
    """Processes in an owner's control groups."""
    found = set()
    for directory in owned_cgroups(owner):
        try:
            found.update(int(pid) for pid in (Path(directory) / "cgroup.procs").read_text().split())
        except (FileNotFoundError, OSError):
            continue
    return found


def links():
    return set(os.listdir("/sys/class/net"))


def link_numbers():
    """The numbers of sandboxes' links: names are used again, numbers are not."""
    numbers = set()
    for path in Path("/sys/class/net").glob("off*/ifindex"):
        try:
            numbers.add(int(path.read_text()))
        except (FileNotFoundError, OSError):
            continue
    return numbers


def mounts():
    return [line.split(" ", 1)[1] for line in Path("/proc/self/mountinfo").read_text().splitlines()]


def cgroup_counts():
    """The number of control groups of each controller, `/proc/cgroups`."""
    counts = {}
    for line in Path("/proc/cgroups").read_text().splitlines():
        if not line.startswith("#"):
            name, _, number, _ = line.split()
            counts[name] = int(number)
    return counts


class Snapshot:
    """Counts of a daemon's objects and, of a machine of its own, of the machine's."""

    def __init__(self, daemon):
        pid, owner = daemon.pid, daemon.owner
        self.counts = {
            "processes below the daemon": (len(below(pid)), 0),
            "processes in its control groups": (len(in_cgroups(owner) - set(below(pid))), 0),
            "control groups": (len(owned_cgroups(owner)), 0),
            "descriptors": (len(os.listdir(f"/proc/{pid}/fd")), DESCRIPTOR_SLACK),
        }
        if not SHARED_MACHINE:
            self.counts["mounts"] = (len(mounts()), 0)
            self.counts["links"] = (len(links()), 0)
            for name, count in cgroup_counts().items():
                self.counts[f"{name} groups of the machine"] = (count, CGROUP_COUNT_SLACK)

    def drift(self, after):
        """What differs by more than its slack, as lines of text."""
        lines = []
        for name, (before, slack) in self.counts.items():
            now = after.counts[name][0]
            grown = now - before
            # Groups of others, removed before, go when the kernel frees them: fewer of the machine's are no leak.
            if grown > slack or (grown < -slack and not name.endswith("of the machine")):
                lines.append(f"{name}: {before} became {now}")
        return lines


def settled_drift(before, daemon, limit_s=SETTLE_LIMIT_S):
    """The drift that is still there after `limit_s`: the kernel frees some objects late."""
    begun = time.monotonic()
    while True:
        found = before.drift(Snapshot(daemon))
        if not found or time.monotonic() - begun > limit_s:
            return found
        time.sleep(0.1)


def left_by(owner, limit_s=5):
    """Processes and control groups that bear the name of a daemon that has ended."""
    begun = time.monotonic()
    while True:
        left = sorted(owned_cgroups(owner)) + sorted(map(str, in_cgroups(owner)))
        if not left or time.monotonic() - begun > limit_s:
            return left
        time.sleep(0.05)
