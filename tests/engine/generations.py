#!/usr/bin/python3
"""Are clones as good as the process that they were made of? A seed becomes an image, its clone the next, and so on.

Of each generation three images are made: by itself and with a parent while it goes on, and one with a parent that ends
it. Everything must be answered rightly, images with a parent must be small, and the address space must not fray.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = """
import os, sys
kept = [bytes([i]) * 4096 for i in range(250)]
large = bytearray(os.urandom(4 << 20))
check = sum(large)
print('ready', flush=True)
for line in sys.stdin:
    kept.append(line.encode() * 100)
    print(len(kept), sum(large) == check, all(kept[i] == bytes([i]) * 4096 for i in range(250)), os.getpid(), flush=True)
"""
# Reads single pages, too, so far apart that an image has a run for each, and never huge ones: of a huge page all is accessed
# if some is, and whether there are any depends on where the kernel has put the memory.
SPREAD = PROGRAM.replace("print('ready'", """
import mmap
spread = mmap.mmap(-1, 64 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
spread.madvise(mmap.MADV_NOHUGEPAGE)
places = range(0, len(spread), 32 * mmap.PAGESIZE)
for place in places:
    spread[place] = 1
print('ready'""").replace("sum(large) == check", "sum(large) == check and sum(spread[place] for place in places) == len(places)")
GENERATIONS = 3
TIMEOUT_S = 60


class Failure(Exception):
    """What went wrong."""


class Talker:
    """A process that answers lines."""

    def __init__(self, command, log):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, bufsize=1
        )

    def line(self):
        return self.process.stdout.readline().split()

    def ask(self, expected):
        """Sends a line; the id of who answered rightly."""
        self.process.stdin.write("line\n")
        self.process.stdin.flush()
        answer = self.line()
        if answer[:3] != [str(expected), "True", "True"]:
            raise Failure(f"{answer} instead of {expected}")
        return int(answer[3])

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(TIMEOUT_S)


class Bench:
    """An offshoot, its pool, and the files that its messages go to."""

    def __init__(self, offshoot, scratch):
        self.offshoot, self.scratch = offshoot, Path(scratch)
        self.common = ["--pool", str(self.scratch / "pool"), "--key", str(self.scratch / "key")]
        self.log = (self.scratch / "log").open("w")

    def checkpoint(self, pid, name, *more):
        command = [self.offshoot, "checkpoint", str(pid), "--image", name, "--json", *self.common, *more]
        command += [word for number in "012" for word in ("--external", number)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        if done.returncode:
            raise Failure(f"image {name}: {done.stderr}")
        report = json.loads(done.stdout)
        shown = {key: report[key] for key in ("mappings", "runs", "pages", "parent_pages")}
        print(f"  {name}: {shown}")
        return report

    def remove(self, name):
        subprocess.run([self.offshoot, "image", "rm", name, *self.common], timeout=TIMEOUT_S, check=True)

    def seed(self, program=PROGRAM):
        talker = Talker(["/usr/bin/python3", "-I", "-c", program], self.log)
        if talker.line() != ["ready"]:
            raise Failure("the seed does not start")
        return talker

    def clone(self, name, backing, *more):
        return Talker([self.offshoot, "clone", name, "--backing", backing, *self.common, *more], self.log)


def ensure(holds, what):
    if not holds:
        raise Failure(what)


def generations(bench, backing):
    """Clones of clones; the lines that the last image has had, and its name."""
    parent, lines = f"{backing}-0", 251
    seed = bench.seed()
    first = bench.checkpoint(seed.ask(lines), parent)
    seed.end()
    for number in range(1, GENERATIONS + 1):
        name, lines = f"{backing}-{number}", lines + 1
        clone = bench.clone(parent, backing)
        pid = clone.ask(lines)
        alone = bench.checkpoint(pid, f"{name}-alone", "--leave-running")
        again = bench.checkpoint(pid, f"{name}-again", "--leave-running", "--parent", parent)
        last = bench.checkpoint(pid, name, "--parent", parent)
        clone.end()
        ensure(alone["mappings"] <= first["mappings"], "the address space frays")
        ensure(alone["parent_pages"] == 0 and alone["pages"] <= first["pages"] * 11 // 10, "the image grows")
        for report in (again, last):
            ensure(report["pages"] * 8 < alone["pages"], "an image with a parent is not small")
        parent = name
    for name in (parent, f"{parent}-alone", f"{parent}-again"):
        for other in ("local", "mapped"):
            clone = bench.clone(name, other)
            clone.ask(lines + 1)
            clone.ask(lines + 2)
            clone.end()


def removed_parent(bench, backing):
    """An image without parent needs none, even if its process was a clone of an image that has been removed."""
    seed, name = bench.seed(), f"{backing}-removed"
    bench.checkpoint(seed.ask(251), name)
    seed.end()
    clone = bench.clone(name, backing)
    pid = clone.ask(252)
    bench.remove(name)
    bench.checkpoint(pid, f"{name}-alone")
    clone.end()
    clone = bench.clone(f"{name}-alone", backing)
    clone.ask(253)
    clone.end()


def faults(pid):
    """Page faults that a process has taken without reading from a disk (`proc_pid_stat(5)`)."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[7])


def learned(bench, backing):
    """What one clone needed, those of the image that was made of that find ready: they take far fewer faults."""
    # Of a single page that is mapped each clone takes the fault: that is cheaper than to have it ready.
    seed, name = bench.seed(SPREAD if backing == "local" else PROGRAM), f"{backing}-unlearned"
    bench.checkpoint(seed.ask(251), name)
    seed.end()
    watched = bench.clone(name, backing, "--learn", f"{backing}-learned", "--learn-after-ms", "500")
    watched.ask(252)
    image, limit = bench.scratch / "pool" / f"{backing}-learned", time.monotonic() + TIMEOUT_S
    while not image.exists():
        ensure(time.monotonic() < limit, "the watched clone makes no image")
        time.sleep(0.05)
    watched.end()
    taken = {}
    for image in (name, f"{backing}-learned"):
        clone = bench.clone(image, backing)
        taken[image] = faults(clone.ask(252))
        clone.ask(253)
        clone.end()
    print(f"  faults until the first answer: {taken}")
    ensure(taken[f"{backing}-learned"] * 2 < taken[name], f"{taken}: nothing was learned")


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]


def age(pid):
    """Sorts processes: the youngest last. Not by their ids alone, which begin anew at `pid_max`."""
    started_ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return int(started_ticks), pid


def untouched_kb(pid):
    """Private memory that is there in small pages, and that the process has not accessed yet (`proc_pid_smaps(5)`)."""
    kb, unaccessed_kb, is_private = 0, 0, False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        name, value = line.split()[:2]
        if not name.endswith(":"):
            is_private = value.startswith("rw") and value.endswith("p")
        elif name == "Rss:":
            unaccessed_kb = int(value)
        elif name == "Referenced:":
            unaccessed_kb -= int(value)
        elif name == "AnonHugePages:" and is_private and value == "0":
            kb += unaccessed_kb
    return kb


def parked(bench, backing):
    """A clone that waits has touched what its image says is needed; one of an image that has not learned has not."""
    if backing == "mapped":
        return  # What is mapped from the pool is not there before it is accessed.
    left = {}
    for image in (f"{backing}-unlearned", f"{backing}-learned"):
        clone = bench.clone(image, backing, "--park")
        limit = time.monotonic() + TIMEOUT_S
        while len(family := [pid for nursery in children(clone.process.pid) for pid in children(nursery)]) < 2:
            ensure(time.monotonic() < limit, "no clone is made")
            time.sleep(0.05)
        # The template is older; the clone parks within milliseconds.
        time.sleep(0.5)
        left[image] = untouched_kb(max(family, key=age))
        clone.end()
    print(f"  untouched KiB of parked clones: {left}")
    ensure(left[f"{backing}-unlearned"] > 2000, f"{left}: the pages that an answer reads are accessed by themselves")
    ensure(left[f"{backing}-learned"] * 4 < left[f"{backing}-unlearned"], f"{left}: nothing was touched")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", default="target/release/offshoot", help="the offshoot to test")
    parser.add_argument("--keep", action="store_true", help="keep the scratch directory")
    options = parser.parse_args()
    scratch = tempfile.mkdtemp(prefix="offshoot-generations-", dir="/dev/shm")
    bench = Bench(os.path.abspath(options.bin), scratch)
    failed = 0
    for backing in ("local", "mapped"):
        for trial in (generations, removed_parent, learned, parked):
            print(f"{backing}, {trial.__name__}")
            try:
                trial(bench, backing)
            except Failure as failure:
                failed += 1
                bench.log.flush()
                said = (bench.scratch / "log").read_text()[-300:]
                print(f"failed: {backing}, {trial.__name__}: {failure} {said}")
    if not options.keep:
        shutil.rmtree(scratch)
    print("failed" if failed else "passed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
