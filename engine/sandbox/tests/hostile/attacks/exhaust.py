"""Takes as much of one resource as it gets (S13), and holds it when HOSTILE_HOLD is set.

Success is a GOAL that no sandbox may reach; `exhaust.py --starve NAME` is the control of what the kernel counts per user:
attacker and victim of one user, and success is that the victim starves."""

import ctypes
import fcntl
import mmap
import os
import resource
import signal
import socket
import subprocess
import sys
import threading

from hostile import ATTACKS, LIBC, Refused, main, syscall

MIB = 1 << 20
KEPT = []


def processes():
    KEPT.append(subprocess.Popen(["/usr/bin/sleep", "1000"], close_fds=False))


def threads():
    threading.stack_size(65536)
    try:
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    except RuntimeError as error:
        raise OSError(11, str(error)) from None


def descriptors():
    KEPT.append(os.open("/dev/null", os.O_RDONLY))


def descriptors_in_flight():
    """A batch of descriptors in a socket that nobody reads: no limit on open ones sees them."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    for _ in range(5):
        socket.send_fds(ours, [b"x"], [0] * 200)
    KEPT.extend([ours, theirs])


def memory():
    page = mmap.mmap(-1, MIB)
    for at in range(0, MIB, 4096):
        page[at] = 1
    KEPT.append(page)


def file_of_a_mebibyte(directory):
    path = f"{directory}/fill-{os.getpid()}-{len(KEPT)}"
    KEPT.append(file := os.open(path, os.O_CREAT | os.O_WRONLY))
    os.unlink(path)
    if os.write(file, bytes(MIB)) < MIB:
        raise OSError(28, "short write")


def tmp():
    file_of_a_mebibyte("/tmp")


def shm():
    file_of_a_mebibyte("/dev/shm")


def memory_and_files():
    """Both of them together count as the sandbox's memory."""
    (tmp, shm, memory)[len(KEPT) % 3]()


def memfd():
    KEPT.append(file := os.memfd_create("fill"))
    os.write(file, bytes(MIB))


def inodes(directory):
    for _ in range(100):
        os.close(os.open(f"{directory}/i{len(KEPT)}", os.O_CREAT | os.O_WRONLY))
        KEPT.append(0)


def inodes_tmp():
    inodes("/tmp")


def inodes_shm():
    inodes("/dev/shm")


def attributes():
    """Extended attributes are kernel memory."""
    file = f"/tmp/attributes{len(KEPT)}"
    open(file, "x").close()
    KEPT.append(file)
    for number in range(17):
        os.setxattr(file, f"user.{number}", bytes(61440))


def pipes():
    reader, writer = os.pipe()
    KEPT.extend([reader, writer])
    fcntl.fcntl(writer, 1031, MIB)
    os.set_blocking(writer, False)
    if os.write(writer, bytes(MIB)) < MIB:
        raise OSError(11, "short write")


def locked():
    LIBC.mmap.restype = ctypes.c_void_p
    address = LIBC.mmap(None, MIB, 3, 0x22, -1, 0)
    if LIBC.mlock(ctypes.c_void_p(address), MIB) != 0:
        raise OSError(ctypes.get_errno(), "mlock")


def segments():
    LIBC.shmat.restype = ctypes.c_void_p
    number = LIBC.shmget(0, MIB, 0o600)
    if number == -1:
        raise OSError(ctypes.get_errno(), "shmget")
    address = LIBC.shmat(number, None, 0)
    LIBC.shmctl(number, 0, 0)
    ctypes.memset(address, 1, MIB)


def unix_buffers():
    """A mebibyte in buffers of local sockets."""
    for _ in range(5):
        ours, theirs = socket.socketpair(socket.AF_UNIX)
        ours.setblocking(False)
        try:
            while True:
                ours.send(bytes(65536))
        except BlockingIOError:
            KEPT.extend([ours, theirs])


def inotify():
    KEPT.append(syscall(294, 0))


def timers():
    """Each takes a place among the user's pending signals as well (`RLIMIT_SIGPENDING`)."""
    timer = ctypes.c_int()
    for _ in range(1000):
        syscall(222, 1, 0, ctypes.byref(timer))


# The goal; and whether the one who takes is likely to be killed for it, so that a child does it.
GOALS = {
    processes: (1100, False), threads: (1100, False), descriptors: (1500, False), descriptors_in_flight: (12, False),
    memory: (400, True), tmp: (64, False), shm: (96, False), memory_and_files: (400, True), memfd: (400, True),
    inodes_tmp: (300, False), inodes_shm: (300, False), attributes: (400, True), pipes: (400, True), locked: (10, False),
    segments: (400, True), unix_buffers: (400, True), inotify: (129, False), timers: (100, False),
}  # fmt: skip


def take(function, goal, tell):
    count = 0
    try:
        while count < goal:
            function()
            count += 1
            tell(count)
    except (OSError, MemoryError) as error:
        return count, getattr(error, "strerror", None) or "no memory"
    return count, None


def taken_by_child(function, goal):
    shared = mmap.mmap(-1, 4096)
    pid = os.fork()
    if pid == 0:
        # The kernel's choice must fall on this one.
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
        count, why = take(function, goal, lambda count: shared.__setitem__(slice(0, 4), count.to_bytes(4, "little")))
        os._exit(1 if why else 0)
    _, status = os.waitpid(pid, 0)
    count = int.from_bytes(shared[:4], "little")
    if os.WIFSIGNALED(status):
        return count, f"killed by signal {os.WTERMSIG(status)}"
    return count, "refused" if status else None


def attack_of(function):
    goal, dies = GOALS[function]

    def run():
        count, why = taken_by_child(function, goal) if dies else take(function, goal, lambda _: None)
        if why:
            raise Refused(f"{why} at {count} of {goal}")
        return f"goal-{goal}"

    return run


for entry in GOALS:
    ATTACKS[entry.__name__] = attack_of(entry)


def starve(name):
    """As user, both: takes all, then asks whether a victim of the same user still gets some."""
    function = next(entry for entry in GOALS if entry.__name__ == name)
    resource.setrlimit(resource.RLIMIT_SIGPENDING, (50000, 50000))
    take(function, GOALS[function][0], lambda _: None)
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "victim.py")
    done = subprocess.run([sys.executable, "-SEB", program, name], capture_output=True, text=True, check=False)
    print(f"success {name} starved" if "starved" in done.stdout else done.stdout + done.stderr, flush=True)
    for entry in KEPT:
        if isinstance(entry, subprocess.Popen):
            entry.kill()


if sys.argv[1] == "--starve":
    starve(sys.argv[2])
else:
    main()
    if os.environ.get("HOSTILE_HOLD"):
        print("holding", flush=True)
        signal.pause()
