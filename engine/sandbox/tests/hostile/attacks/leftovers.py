"""What an engine that injects, traces or clones may leave in a process (S15).

`leftovers.py --plant NAME` is the control: the same look, after each has been left on purpose."""

import ctypes
import mmap
import os
import re
import sys

from hostile import LIBC, Refused, attack, main, syscall

KNOWN = re.compile(r"/usr/\S+|\[(heap|stack|vdso|vvar\w*|vsyscall|anon:\S+)\]|")
FIRST_FREE = 3


@attack
def tracer():
    pid = int(open("/proc/self/status").read().split("TracerPid:")[1].split()[0])
    if not pid:
        raise Refused("TracerPid is 0")
    return "traced"


@attack
def mappings():
    """A mapping of anything but the system's files and the process's own memory."""
    for line in open("/proc/self/maps"):
        fields = line.split(maxsplit=5)
        name = fields[5].strip() if len(fields) == 6 else ""
        if not KNOWN.fullmatch(name):
            return "mapped"
        if "wx" in fields[1] and not name:
            return "writable-code"
    raise Refused("all are known")


@attack
def userfault():
    for line in open("/proc/self/smaps"):
        if line.startswith("VmFlags:") and {"um", "uw", "ui"} & set(line.split()):
            return "registered"
    names = [os.readlink(f"/proc/self/fd/{number}") for number in open_descriptors()]
    if any("userfaultfd" in name for name in names):
        return "descriptor"
    raise Refused("none")


def open_descriptors():
    found = []
    for number in range(1024):
        try:
            os.fstat(number)
            found.append(number)
        except OSError:
            continue
    return found


@attack
def descriptors():
    above = [number for number in open_descriptors() if number >= FIRST_FREE]
    if not above:
        raise Refused("0, 1 and 2")
    return "descriptor"


@attack
def timers_and_signals():
    """Armed timers, blocked, ignored or handled signals that the program did not make."""
    status = open("/proc/self/status").read()
    blocked, pending = (int(re.search(rf"{name}:\t(\w+)", status).group(1), 16) for name in ("SigBlk", "ShdPnd"))
    # Python itself ignores SIGPIPE and SIGXFSZ.
    ignored = int(re.search(r"SigIgn:\t(\w+)", status).group(1), 16) & ~(1 << 12 | 1 << 24)
    timers = open("/proc/self/timers").read() if os.path.exists("/proc/self/timers") else ""
    found = {"blocked": blocked, "pending": pending, "timers": timers, "ignored": ignored}
    for name, value in found.items():
        if value:
            return name
    raise Refused("none")


@attack
def threads():
    if len(os.listdir("/proc/self/task")) > 1:
        return "thread"
    raise Refused("one thread")


@attack
def parent():
    """Orphans and strangers in the sandbox at its first instruction: only init and this."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    if [pid for pid in pids if pid not in (1, os.getpid())]:
        return "process"
    raise Refused("alone")


def be_traced():
    """The parent stays as tracer; the child goes on."""
    pid = os.fork()
    if pid == 0:
        while "TracerPid:\t0" in open("/proc/self/status").read():
            pass
        return
    syscall(101, 0x4206, pid, 0, 0)
    os.waitpid(pid, 0)
    os._exit(0)


def leave_mapping():
    os.environ["LEFT"] = str(memory := os.memfd_create("parasite"))
    os.ftruncate(memory, 4096)
    LEFT.append(mmap.mmap(memory, 4096))


def leave_userfault():
    LEFT.append(syscall(323, 1))


def leave_descriptor():
    LEFT.append(os.dup(0))


def leave_timer():
    LIBC.alarm(1000)
    ctypes.pythonapi.PyErr_CheckSignals()
    import signal

    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])


def leave_thread():
    import threading

    threading.Thread(target=threading.Event().wait, daemon=True).start()


def leave_process():
    import signal

    pid = os.fork()
    if pid == 0:
        LIBC.prctl(1, signal.SIGKILL, 0, 0, 0)
        while True:
            signal.pause()


LEFT = []
PLANT = {"tracer": be_traced, "mappings": leave_mapping, "userfault": leave_userfault, "descriptors": leave_descriptor,
         "timers_and_signals": leave_timer, "threads": leave_thread, "parent": leave_process}  # fmt: skip

if sys.argv[1] == "--plant":
    del sys.argv[1]
    PLANT[sys.argv[1]]()
main()
