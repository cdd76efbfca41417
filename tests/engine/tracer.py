"""A tracer that ends, or fails, one system call of one process in a family. strace(1) could inject, but counts in each
process by itself and hits all of them; here a case names the role of the process. See ptrace(2)."""

import ctypes
import errno
import os
import signal
import struct
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = [ctypes.c_long] * 4
LIBC.ptrace.restype = ctypes.c_long

TRACEME, POKEUSER, EXITKILL = 0, 6, 0x100000
SYSCALL, SETOPTIONS, GETEVENTMSG, GET_SYSCALL_INFO = 24, 0x4200, 0x4201, 0x420E
OPTIONS = EXITKILL | 1 | 2 | 4 | 8 | 16  # SYSGOOD, FORK, VFORK, CLONE, EXEC; all die with the tracer
EVENT_FORK, EVENT_VFORK, EVENT_CLONE, EVENT_EXEC = 1, 2, 3, 4
MKDIR, MKDIRAT, SIGRETURN, PTRACE, SETREGS = 83, 258, 15, 101, 13
RAX, ORIG_RAX = 80, 120  # offsets in struct user
WALL = 0x40000000
SUBREAPER = 36


@dataclass(frozen=True)
class Point:
    """The `occurrence`th call (from 1) of system call `number` by the process with a role."""

    role: str
    number: int
    occurrence: int


@dataclass
class Outcome:
    """What came of a traced run."""

    calls: Counter = field(default_factory=Counter)  # (role, number) -> how often
    hit: bool = False
    code: int | None = None  # of the first process: exit code, or a negative signal
    in_time: bool = True
    ends: dict = field(default_factory=dict)  # role -> wait status
    left: list = field(default_factory=list)  # (pid, role) that did not end
    folders: list = field(default_factory=list)  # what was to be made with mkdir(2) and mkdirat(2)
    registers_set: int = 0  # how often a process was given registers with ptrace(2) ...
    registers_set_before_hit: int = 0  # ... before the point was reached


class Patience(Exception):
    """Time is up."""


@dataclass
class Tracee:
    role: str
    entering: bool = True
    injected: int = 0
    started: bool = False


def adopt_orphans():
    """From now on orphans of this process's family become its children: none can hide."""
    if LIBC.prctl(SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


class Tracer:
    """Runs a command with all its descendants. `error` is the errno that the call at `point` fails with; without one,
    the process is killed there. `role_of(creator's role, how it began, known roles)` names each process."""

    def __init__(self, role_of, point=None, error=None):
        self.role_of, self.point, self.error = role_of, point, error
        self.tracees, self.outcome = {}, Outcome()
        self.creators, self.orphaned_stops = {}, set()

    def run(self, command, files, limit_s, linger_s):
        """The command gets `limit_s`, whatever it leaves `linger_s` more. `files` are its descriptors 0, 1, 2. Reaps
        all children of this process that end meanwhile."""
        first = self.start(command, files)
        previous = signal.signal(signal.SIGALRM, self.interrupt)
        deadline = time.monotonic() + limit_s
        try:
            signal.setitimer(signal.ITIMER_REAL, limit_s)
            while self.tracees or self.creators or self.orphaned_stops:
                try:
                    pid, status = os.waitpid(-1, WALL)
                except ChildProcessError:
                    break  # a child ended before its creator's event told of it, and was nobody's to be waited for
                self.handle(pid, status)
                if pid == first and self.outcome.code is not None and deadline is not None:
                    signal.setitimer(signal.ITIMER_REAL, linger_s)
                    deadline = None
        except Patience:
            self.outcome.in_time = deadline is None
            self.outcome.left = [(pid, tracee.role) for pid, tracee in self.tracees.items()]
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, previous)
        return self.outcome

    @staticmethod
    def interrupt(_number, _frame):
        raise Patience

    def start(self, command, files):
        pid = os.fork()
        if pid == 0:
            try:
                os.setsid()
                for number, file in enumerate(files):
                    os.dup2(file, number)
                ptrace(TRACEME, 0)
                os.kill(os.getpid(), signal.SIGSTOP)
                os.execve(command[0], command, {"PATH": os.environ["PATH"], "NO_COLOR": "1"})
            finally:
                os._exit(127)
        os.waitpid(pid, WALL)
        ptrace(SETOPTIONS, pid, OPTIONS)
        self.first = pid
        self.tracees[pid] = Tracee(self.role_of(None, "exec", ()), started=True)
        ptrace(SYSCALL, pid)
        return pid

    def handle(self, pid, status):
        if os.WIFEXITED(status) or os.WIFSIGNALED(status):
            tracee = self.tracees.pop(pid, None)
            if tracee:
                self.outcome.ends[tracee.role] = status
            if pid == self.first:
                self.outcome.code = os.waitstatus_to_exitcode(status)
            return
        tracee = self.tracees.get(pid)
        if tracee is None:  # its creator's event may come later
            creator = self.creators.pop(pid, None)
            if creator is None:
                self.orphaned_stops.add(pid)
                return
            tracee = self.begin(pid, creator)
        stop, event = os.WSTOPSIG(status), status >> 16
        deliver = 0
        if stop == signal.SIGTRAP | 0x80:
            self.at_call(pid, tracee)
        elif event in (EVENT_FORK, EVENT_VFORK, EVENT_CLONE):
            self.created(pid, tracee.role)
        elif event == EVENT_EXEC:
            tracee.role = self.role_of(tracee.role, "exec", self.roles())
        elif stop == signal.SIGSTOP and not tracee.started:
            tracee.started = True
        elif event == 0:
            deliver = stop
        ptrace_if_alive(SYSCALL, pid, deliver)

    def created(self, pid, role):
        message = ctypes.c_ulong()
        ptrace_if_alive(GETEVENTMSG, pid, ctypes.addressof(message))
        child = message.value
        if child in self.orphaned_stops:
            self.orphaned_stops.discard(child)
            self.begin(child, role).started = True
            ptrace_if_alive(SYSCALL, child)
        elif child:
            self.creators[child] = role

    def begin(self, pid, creator):
        how = "process" if is_process(pid) else "thread"
        tracee = self.tracees[pid] = Tracee(self.role_of(creator, how, self.roles()))
        return tracee

    def roles(self):
        return {role for role, _ in self.outcome.calls} | {tracee.role for tracee in self.tracees.values()}

    def at_call(self, pid, tracee):
        info = ctypes.create_string_buffer(128)
        if ptrace_if_alive(GET_SYSCALL_INFO, pid, ctypes.addressof(info), 128) is None:
            return
        kind = info.raw[0]
        if kind == 2 and tracee.injected:  # leaving
            ptrace_if_alive(POKEUSER, pid, -tracee.injected, RAX)
            tracee.injected = 0
        if kind != 1:
            return
        number, *arguments = struct.unpack_from("3Q", info.raw, 24)
        if number in (MKDIR, MKDIRAT):
            self.outcome.folders.append(read_path(pid, arguments[number == MKDIRAT]))
        self.outcome.calls[tracee.role, number] += 1
        occurrence = self.outcome.calls[tracee.role, number]
        if self.point == Point(tracee.role, number, occurrence):
            self.outcome.hit = True
            self.outcome.registers_set_before_hit = self.outcome.registers_set
            if self.error is None:
                os.kill(pid, signal.SIGKILL)
            else:
                ptrace_if_alive(POKEUSER, pid, -1, ORIG_RAX)
                tracee.injected = self.error
        self.outcome.registers_set += number == PTRACE and arguments[0] == SETREGS
        self.called(tracee, number)

    def called(self, tracee, number):
        """The program's own life begins when the clone returns from the engine's signal frame."""
        if number == SIGRETURN:
            tracee.role = self.role_of(tracee.role, "sigreturn", self.roles())


def is_process(pid):
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True
    return f"\nTgid:\t{pid}\n" in status


def read_path(pid, address):
    try:
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            memory.seek(address)
            return memory.read(4096).partition(b"\0")[0].decode(errors="replace")
    except OSError:
        return "?"


def ptrace(request, pid, data=0, address=0):
    ctypes.set_errno(0)
    if LIBC.ptrace(request, pid, address, data) == -1 and ctypes.get_errno():
        raise OSError(ctypes.get_errno(), f"ptrace {request:#x} of {pid}")


def ptrace_if_alive(request, pid, data=0, address=0):
    """None if the process has been killed meanwhile."""
    try:
        ptrace(request, pid, data, address)
    except OSError as error:
        if error.errno != errno.ESRCH:
            raise
        return None
    return True
