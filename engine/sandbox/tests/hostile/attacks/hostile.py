"""What the attack programs share.

An attack is a function that returns its proof when it succeeds. A step that the sandbox may refuse stands inside
`attempt`; an error anywhere else is a mistake of the program's and ends it with a traceback, so that a broken attack is
never taken for a good defence.

    success NAME PROOF
    refused NAME: STEP: REASON
"""

import ctypes
import errno
import os
import re
import signal
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
TOKEN = re.compile(rb"hostile-secret-[0-9a-f]{32}")
NEVER_CHECKED = (errno.EPERM, errno.EACCES, errno.ENOSYS)
ATTACKS = {}


class Refused(Exception):
    """The sandbox did not allow a step, or the step had no effect."""


class attempt:
    """A step that may be refused."""

    def __init__(self, step):
        self.step = step

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        if isinstance(error, OSError):
            raise Refused(f"{self.step}: {errno.errorcode.get(error.errno, error)}") from None
        return False


def attack(function):
    ATTACKS[function.__name__] = function
    return function


def family(prefix, table):
    """Registers one attack for each entry of a table: `prefix_key`, called with the entry."""

    def register(function):
        for key, value in table.items():
            ATTACKS[f"{prefix}_{key}"] = lambda value=value: function(value)
        return function

    return register


def syscall(number, *arguments):
    """A system call by number; raises OSError when it fails."""
    widened = [ctypes.c_ulong(a & (2**64 - 1)) if isinstance(a, int) else a for a in arguments]
    result = LIBC.syscall(ctypes.c_long(number), *widened)
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def past_check(number, *arguments):
    """A privileged call with arguments that do no harm: any answer that does not come from a check of rights proves that
    the caller got past it."""
    try:
        return f"answer-{syscall(number, *arguments)}"
    except OSError as error:
        if error.errno in NEVER_CHECKED:
            raise
        return errno.errorcode[error.errno]


def code(name):
    """A file of the code directory: /var/task inside, its host path in a control."""
    return os.path.join(os.environ["HOSTILE_CODE"], name)


def outside():
    """The host's path of a file that everybody may read, and that no sandbox has."""
    return os.environ["HOSTILE_OUTSIDE"]


def read_token(path, **how):
    """The secret in a file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK, **how)
    try:
        return token_in(os.read(descriptor, 4096))
    finally:
        os.close(descriptor)


def token_in(text):
    found = TOKEN.search(text)
    if not found:
        raise Refused("no secret in it")
    return found.group().decode()


def in_child(function):
    """What a function returns or how it is refused, in a process of its own."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        try:
            answer = "+" + str(function())
        except Refused as refused:
            answer = "-" + str(refused)
        os.write(writer, answer.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read().decode()
    _, status = os.waitpid(pid, 0)
    if answer.startswith("+"):
        return answer[1:]
    if answer.startswith("-"):
        raise Refused(answer[1:])
    raise RuntimeError(f"child of an attack ended with {status}")


class Victim:
    """A process of the same user that holds the code directory's token in its memory."""

    def __enter__(self):
        ready, told = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            self.buffer = ctypes.create_string_buffer(open(code("token"), "rb").read())
            self.descriptor = os.open(code("token"), os.O_RDONLY)
            os.write(told, b"%d %d\n" % (ctypes.addressof(self.buffer), self.descriptor))
            while True:
                signal.pause()
        os.close(told)
        with os.fdopen(ready, "rb") as pipe:
            self.address, self.descriptor = map(int, pipe.readline().split())
        return self

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def main():
    name = sys.argv[1]
    if name == "--list":
        print(*ATTACKS)
        return
    try:
        proof = ATTACKS[name]()
    except Refused as refused:
        print(f"refused {name}: {refused}", flush=True)
    else:
        print(f"success {name} {proof}", flush=True)
