"""A tenant that leaves as many traces as a process without rights can: `dirtier.py SEED [EXTRAS]`.

Prints `planted NAME` or `refused NAME: REASON` for each, and ends; what it started goes on. The same seed chooses the
same EXTRAS (12) random ones. The traces are in `dirt_*.py`; each is a function that raises OSError when it is refused."""

import errno
import os
import random
import sys

import dirt_files
import dirt_kernel
import dirt_network
import dirt_processes

MODULES = (dirt_files, dirt_kernel, dirt_network, dirt_processes)


def extra(chance, number):
    """A file, segment, socket or process with random names and sizes."""
    kind = chance.choice(["file", "segment", "socket", "process", "directory", "link", "attribute"])
    name = f"{chance.choice(['/tmp', '/dev/shm'])}/extra-{number}-{chance.randrange(1 << 30)}"
    if kind == "file":
        with open(name, "wb") as file:
            file.write(chance.randbytes(chance.randrange(1, 65536)))
        os.utime(name, (chance.randrange(1 << 31),) * 2)
    elif kind == "segment":
        dirt_kernel.segment(chance.randrange(1, 1 << 31), chance.randrange(1, 1 << 16))
    elif kind == "socket":
        dirt_network.listen("\0" + name)
    elif kind == "process":
        dirt_processes.background(lambda: None)
    elif kind == "directory":
        os.makedirs("/".join([name, *(str(chance.randrange(9)) for _ in range(chance.randrange(1, 20)))]))
    elif kind == "link":
        os.symlink("x" * chance.randrange(1, 4000), name)
    else:
        open(name, "x").close()
        os.chmod(name, chance.randrange(0o1000))
    return kind


def plant(name, function):
    try:
        function()
    except OSError as error:
        print(f"refused {name}: {errno.errorcode.get(error.errno, error)}", flush=True)
    else:
        print(f"planted {name}", flush=True)


def main():
    chance = random.Random(int(sys.argv[1]) if sys.argv[1:] else 0)
    for module in MODULES:
        for name, function in module.TRACES.items():
            plant(name, function)
    for number in range(int(sys.argv[2]) if sys.argv[2:] else 12):
        plant(f"extra_{number}", lambda number=number: extra(chance, number))
    # Somebody holds what a process must hold: sockets, locks, watches, memory.
    dirt_processes.background(lambda: None)


main()
