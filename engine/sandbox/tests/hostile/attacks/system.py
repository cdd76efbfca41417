"""The machine itself: clocks, names, swap, log, ports, accounting (S14)."""

import ctypes
import os
import signal
import struct

from hostile import LIBC, Refused, attack, attempt, code, in_child, main, past_check, syscall, token_in


def text(value):
    return ctypes.create_string_buffer(value)


@attack
def settimeofday():
    """A time zone that no clock has: refused for its value to who may set one, and never set."""
    with attempt("settimeofday"):
        return past_check(164, 0, text(struct.pack("<ii", 100000, 0)))


@attack
def clock_settime():
    """A time before the machine's start, which the kernel refuses for its value to who may set one."""
    with attempt("clock_settime"):
        return past_check(227, 0, text(struct.pack("<2Q", 0, 1)))


def adjusted(number, *first):
    now = text(bytes(208))
    syscall(159, now)
    # ADJ_TICK with the tick that it has: a change by rights, and by effect none.
    struct.pack_into("<I", now, 0, 0x4000)
    syscall(number, *first, now)
    return "adjusted"


@attack
def adjtimex():
    with attempt("adjtimex"):
        return adjusted(159)


@attack
def clock_adjtime():
    with attempt("clock_adjtime"):
        return adjusted(305, 0)


@attack
def sethostname():
    with attempt("sethostname"):
        syscall(170, text(b"hostile"), 7)
    return os.uname().nodename


@attack
def setdomainname():
    with attempt("setdomainname"):
        syscall(171, text(b"hostile"), 7)
    return open("/proc/sys/kernel/domainname").read().strip()


@attack
def swapon():
    with attempt("swapon"):
        return past_check(167, text(b"/nonexistent"), 0)


@attack
def swapoff():
    with attempt("swapoff"):
        return past_check(168, text(b"/nonexistent"))


@attack
def reboot():
    """In a PID namespace this ends its init with SIGHUP; in one of its own where it may make one."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        LIBC.unshare(0x20000000)
        init = os.fork()
        if init == 0:
            try:
                syscall(169, 0xFEE1DEAD, 672274793, 0x1234567, 0)
            except OSError as error:
                os.write(writer, os.strerror(error.errno).encode())
            os._exit(0)
        _, status = os.waitpid(init, 0)
        os._exit(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0)
    os.close(writer)
    _, status = os.waitpid(pid, 0)
    if os.waitstatus_to_exitcode(status) == signal.SIGHUP:
        return "hung-up"
    raise Refused(os.read(reader, 100).decode() or "nothing happened")


@attack
def syslog():
    buffer = ctypes.create_string_buffer(65536)
    with attempt("syslog"):
        length = syscall(103, 3, buffer, 65536)
    return "read" if length else "empty"


@attack
def acct():
    """Accounting of all processes of a PID namespace, written by the kernel."""
    path = f"/tmp/acct-{os.getpid()}"
    open(path, "x").close()
    with attempt("acct"):
        syscall(163, text(path.encode()))
    if os.fork() == 0:
        os._exit(0)
    os.wait()
    syscall(163, 0)
    return "written" if os.path.getsize(path) else "empty"


@attack
def iopl():
    with attempt("iopl"):
        return past_check(172, 3)


@attack
def ioperm():
    with attempt("ioperm"):
        return past_check(173, 0x80, 1, 1)


@attack
def quotactl():
    with attempt("quotactl"):
        return past_check(179, 0x800002 << 8, text(b"/dev/null"), 2, text(b"/nonexistent"))


@attack
def nfsservctl():
    with attempt("nfsservctl"):
        return past_check(180, 0, 0, 0)


@attack
def vhangup():
    """In a session of its own, so that no terminal of a developer's is hung up."""

    def hang_up():
        os.setsid()
        with attempt("vhangup"):
            syscall(153)
        return "hung-up"

    return in_child(hang_up)


@attack
def become_root():
    """Root by setuid, and proof by a file that only root may read."""

    def become():
        for number, arguments in ((106, (0,)), (105, (0,)), (119, (0, 0, 0)), (117, (0, 0, 0))):
            try:
                syscall(number, *arguments)
            except OSError:
                continue
        with attempt("read a file of root's"):
            return token_in(open(code("planted/private"), "rb").read())

    return in_child(become)


@attack
def take_groups():
    with attempt("setgroups"):
        os.setgroups([0, 6])
    return "disk" if 6 in os.getgroups() else "none"


@attack
def capset():
    """CAP_SYS_ADMIN, in all sets."""
    header = text(struct.pack("<Ii", 0x20080522, 0))
    data = text(struct.pack("<6I", *[1 << 21] * 3, 0, 0, 0))
    with attempt("capset"):
        syscall(126, header, data)
    return "set"


@attack
def ambient():
    with attempt("prctl"):
        if LIBC.prctl(47, 2, 7, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
    return "raised"


@attack
def type_into_terminal():
    """TIOCSTI, also with bits that a filter of 64 would compare and the kernel does not see (CVE-2019-7303)."""

    def type_in():
        os.setsid()
        with attempt("open a terminal"):
            _, terminal = os.openpty()
        syscall(16, terminal, 0x540E, 0)
        with attempt("TIOCSTI"):
            syscall(16, terminal, 0x5412, text(b"x"))
        return "typed"

    return in_child(type_in)


@attack
def ioctl_high_bits():
    """The filter's answer to TIOCSTI must not depend on bits that the kernel ignores."""
    answers = []
    for command in (0x5412, 0x5412 | 1 << 32, 0x541C, 0x541C | 1 << 63):
        try:
            syscall(16, 0, command, text(b"x"))
            return "carried-out"
        except OSError as error:
            answers.append(error.errno)
    if set(answers) == {1}:
        raise Refused("EPERM for all four")
    return "looked-at"


main()
