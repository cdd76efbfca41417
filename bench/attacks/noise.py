"""Functions that take all that they can get of one thing, for a given time, and tell what they got.

The event: `{"seconds": 1.5}`. The answer: when it began and ended by the clock that the whole machine shares
(`CLOCK_MONOTONIC` goes on in clones where their seed stopped: `time_namespaces(7)`), and counts.
What a sandbox refuses is part of the attack; it is counted as `refused`."""

import gc
import mmap
import os
import signal
import socket
import struct
import time

MIB = 1 << 20
FOLDERS = ("/tmp", "/dev/shm")
HOSTS_PIDS = 0xEFFFFFFC  # the host's namespace of process ids (PROC_PID_INIT_INO in the kernel's linux/proc_ns.h)


def attack(event, run):
    """Runs until the time is over. Never outside of a sandbox, whose limits are what makes it harmless."""
    if os.getuid() == 0 or os.stat("/proc/self/ns/pid").st_ino == HOSTS_PIDS:
        raise RuntimeError("this is no sandbox")
    begun = time.time_ns()
    until = begun + int(event["seconds"] * 1e9)
    counts = run(until)
    return {"begun_ns": begun, "ended_ns": time.time_ns(), "counts": counts}


def over(until):
    return time.time_ns() >= until


class Counts:
    """Counters that all children share. Two that count at once may lose one: they are lower bounds."""

    def __init__(self, *names):
        self.names, self.memory = names, mmap.mmap(-1, 4096)

    def add(self, name, count=1):
        at = 8 * self.names.index(name)
        (old,) = struct.unpack_from("q", self.memory, at)
        struct.pack_into("q", self.memory, at, old + count)

    def all(self):
        return {name: struct.unpack_from("q", self.memory, 8 * at)[0] for at, name in enumerate(self.names)}


def child_until_killed(work):
    """Has a child do it, whom the kernel's choice falls upon if memory runs out; whether it was killed."""
    pid = os.fork()
    if pid == 0:
        try:
            with open("/proc/self/oom_score_adj", "w") as file:
                file.write("1000")
            work()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def fork(event, _):
    """Every child forks as fast as it can, as its parent does."""

    def run(until):
        counts = Counts("forks", "refused")
        first = os.getpid()
        # Children write to as few pages as can be: it is processes that shall run out, and not memory.
        gc.disable()
        gc.freeze()
        while not over(until):
            try:
                if os.fork() == 0:
                    continue
                counts.add("forks")
            except OSError:
                counts.add("refused")
        if os.getpid() != first:
            os._exit(0)
        # Those who have not seen the end yet. There is nobody else whom this process may signal.
        try:
            os.kill(-1, signal.SIGKILL)
        except OSError:
            pass
        reap()
        return counts.all()

    return attack(event, run)


def reap():
    try:
        while True:
            os.waitpid(-1, 0)
    except ChildProcessError:
        pass


def memory(event, _):
    """Files in memory, then memory, until the kernel ends it; again and again."""

    def fill(counts, until):
        kept = []
        number = 0
        while not over(until):
            for folder in FOLDERS:
                try:
                    with open(f"{folder}/fill{number}", "wb") as file:
                        file.write(bytes(MIB))
                    counts.add("mib")
                except OSError:
                    counts.add("refused")
            page = mmap.mmap(-1, 4 * MIB)
            for at in range(0, 4 * MIB, 4096):
                page[at] = 1
            kept.append(page)
            counts.add("mib", 4)
            number += 1

    def run(until):
        counts = Counts("mib", "refused", "killed")
        while not over(until):
            if child_until_killed(lambda: fill(counts, until)):
                counts.add("killed")
            empty()
        return counts.all()

    return attack(event, run)


def empty():
    for folder in FOLDERS:
        for name in os.listdir(folder):
            os.unlink(f"{folder}/{name}")


def inodes(event, _):
    """Empty files until there are no more to be had; again and again."""

    def run(until):
        files = refused = 0
        while not over(until):
            for folder in FOLDERS:
                try:
                    while not over(until):
                        os.close(os.open(f"{folder}/{files}", os.O_CREAT | os.O_WRONLY))
                        files += 1
                except OSError:
                    refused += 1
            empty()
        return {"files": files, "refused": refused}

    return attack(event, run)


def descriptors(event, _):
    """Open files and sockets until there are no more to be had; again and again."""

    def run(until):
        opened = refused = 0
        kept = []
        while not over(until):
            try:
                kept.append(os.open("/dev/null", os.O_RDONLY))
                kept.extend(each.detach() for each in socket.socketpair())
                opened += 3
            except OSError:
                refused += 1
                for each in kept:
                    os.close(each)
                kept = []
        for each in kept:
            os.close(each)
        return {"opened": opened, "refused": refused}

    return attack(event, run)


def log(event, _):
    """Lines, as fast as they are taken."""

    def run(until):
        written = 0
        lines = b"the quick brown fox jumps over the lazy dog\n" * 1000
        while not over(until):
            written += os.write(1, lines)
        return {"kib": written >> 10, "lines": written // 44}

    return attack(event, run)


def cache(event, _):
    """Reads all of the files that it finds, whose page cache is more than its memory; again and again."""

    def run(until):
        block = bytearray(MIB)
        read = 0
        while not over(until):
            for folder, _, names in os.walk("/usr"):
                for name in names:
                    read += sweep(f"{folder}/{name}", block, until)
                if over(until):
                    break
        return {"mib": read // MIB}

    return attack(event, run)


def sweep(path, block, until):
    read = 0
    try:
        with open(path, "rb", buffering=0) as file:
            while not over(until) and (got := file.readinto(block)):
                read += got
    except OSError:
        pass
    return read


def cpu(event, _):
    """As many loops as there are processors."""

    def run(until):
        before = os.times().children_user
        for _ in os.sched_getaffinity(0):
            if os.fork() == 0:
                while not over(until):
                    pass
                os._exit(0)
        reap()
        return {"cpu_ms": int(1000 * (os.times().children_user - before))}

    return attack(event, run)
