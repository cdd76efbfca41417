"""Calls that open large parts of the kernel (S14)."""

import ctypes
import os
import struct

from hostile import attack, attempt, code, in_child, main, past_check, syscall, token_in


def text(value):
    return ctypes.create_string_buffer(value)


@attack
def userfaultfd():
    """USER_MODE_ONLY is allowed to everybody by the kernel."""
    with attempt("userfaultfd"):
        fault = syscall(323, os.O_CLOEXEC | 1)
    api = text(struct.pack("<3Q", 0xAA, 0, 0))
    with attempt("UFFDIO_API"):
        syscall(16, fault, 0xC018AA3F, api)
    return "api"


@attack
def bpf():
    attributes = text(struct.pack("<4I", 2, 4, 8, 1))
    with attempt("map create"):
        made = syscall(321, 0, attributes, 16)
    key, value = text(struct.pack("<I", 0)), text(struct.pack("<Q", 4711))
    entry = text(struct.pack("<IIQQQ", made, 0, ctypes.addressof(key), ctypes.addressof(value), 0))
    syscall(321, 2, entry, 32)
    struct.pack_into("<Q", value, 0, 0)
    syscall(321, 1, entry, 32)
    return str(struct.unpack_from("<Q", value)[0])


@attack
def perf_event_open():
    # A software event (CPU clock), of this process, without the kernel's part.
    attributes = text(struct.pack("<IIQQQQQ", 1, 64, 0, 0, 0, 0, 1 << 5) + bytes(16))
    with attempt("perf_event_open"):
        counter = syscall(298, attributes, 0, -1, -1, 0)
    sum(range(100000))
    return "counted" if struct.unpack("<Q", os.read(counter, 8))[0] else "nothing"


FILTER = [
    (0x20, 0, 0, 0),  # load the number
    (0x15, 0, 1, 110),  # getppid?
    (0x06, 0, 0, 0x50000 | 77),  # errno 77
    (0x06, 0, 0, 0x7FFF0000),  # allow
]


def filtered(install):
    def load():
        code_bytes = text(b"".join(struct.pack("<HBBI", *instruction) for instruction in FILTER))
        program = text(struct.pack("<HxxxxxxQ", len(FILTER), ctypes.addressof(code_bytes)))
        with attempt("install"):
            install(program)
        try:
            return str(syscall(110))
        except OSError as error:
            return f"errno-{error.errno}"

    return in_child(load)


@attack
def seccomp_filter():
    """Compiled filters of the tenant's own fill memory that all sandboxes share."""
    return filtered(lambda program: syscall(317, 1, 0, program))


@attack
def seccomp_by_prctl():
    return filtered(lambda program: syscall(157, 22, 2, program, 0, 0))


@attack
def seccomp_notify():
    """A listener decides on another process's calls."""
    return filtered(lambda program: syscall(317, 1, 8, program))


@attack
def memfd_secret():
    with attempt("memfd_secret"):
        file = syscall(447, 0)
    return os.readlink(f"/proc/self/fd/{file}").split()[0]


@attack
def add_key():
    payload = open(code("token"), "rb").read()
    with attempt("add_key"):
        key = syscall(248, text(b"user"), text(b"hostile"), text(payload), len(payload), -2)
    return read_key(key)


def read_key(key):
    buffer = text(bytes(256))
    with attempt("keyctl"):
        syscall(250, 11, key, buffer, 256)
    return token_in(buffer.raw)


@attack
def request_key():
    """Upcalls start a program of the host's; without a callout this only searches."""
    with attempt("request_key"):
        return past_check(249, text(b"user"), text(b"hostile-absent"), 0, 0)


@attack
def keyctl():
    """The keyring of the uid, which outlives every process of it."""
    with attempt("keyctl"):
        return "ring" if syscall(250, 0, -4, 1) else "none"


@attack
def kexec_load():
    with attempt("kexec_load"):
        return past_check(246, 0, 0, 0, 0)


@attack
def kexec_file_load():
    with attempt("kexec_file_load"):
        return past_check(320, -1, -1, 0, 0, 0)


@attack
def init_module():
    with attempt("init_module"):
        return past_check(175, 0, 0, text(b""))


@attack
def finit_module():
    with attempt("finit_module"):
        return past_check(313, -1, text(b""), 0)


@attack
def delete_module():
    with attempt("delete_module"):
        return past_check(176, text(b"hostile-absent"), os.O_NONBLOCK)


@attack
def landlock():
    """Rules of the tenant's own are harmless, but each is a kernel object."""
    with attempt("landlock_create_ruleset"):
        return past_check(444, 0, 0, 1)


@attack
def modify_ldt():
    """Segments of 16 bits have been a way into the kernel more than once."""
    entry = text(struct.pack("<IIII", 0, 0, 0xFFF, 1))
    with attempt("modify_ldt"):
        # The call's result is an int that the kernel leaves without its sign.
        result = ctypes.c_int(syscall(154, 1, entry, 16)).value
        if result < 0:
            raise OSError(-result, os.strerror(-result))
    return "written"


@attack
def set_mempolicy():
    with attempt("set_mempolicy"):
        syscall(238, 0, 0, 0)
    return "set"


@attack
def lsm_list():
    size = ctypes.c_uint32(64)
    with attempt("lsm_list_modules"):
        return past_check(461, text(bytes(64)), ctypes.byref(size), 0)


@attack
def cachestat():
    """How much of a shared file is in memory: what others read."""
    file = os.open("/usr/bin/env", os.O_RDONLY)
    window, counts = text(struct.pack("<2Q", 0, 0)), text(bytes(40))
    with attempt("cachestat"):
        syscall(451, file, window, counts, 0)
    return "told"


main()
