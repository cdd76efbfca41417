"""Makes system calls by number and prints what came of each: `ABI NUMBER OUTCOME`.

    python3 probe.py ABI:FIRST-LAST ...        ABI is native, x32 or i386

Each call is made by a child process of its own, with arguments that no call accepts (-1, or what ARGUMENTS says), so
that a call which ends, blocks or breaks its caller does no harm. OUTCOME is the call's result, negative for an errno,
or `ended` if the child did not live to tell. x86-64 only.
"""
import ctypes
import mmap
import os
import signal
import struct
import sys

NATIVE = bytes.fromhex(
    "89f8"  # mov eax, edi: the number
    "488b3e488b5610"  # mov rdi, [rsi]; mov rdx, [rsi+16]
    "4c8b56184c8b46204c8b4e28"  # mov r10, [rsi+24]; mov r8, [rsi+32]; mov r9, [rsi+40]
    "488b7608"  # mov rsi, [rsi+8]
    "0f05"  # syscall
    "c3"
)
# The same for a call that makes a process: the child exits at once, without using the stack.
FORKING = NATIVE[:-1] + bytes.fromhex(
    "85c0"  # test eax, eax
    "7509"  # jne to the return
    "b83c00000031ff0f05"  # exit(0)
    "c3"
)
I386 = bytes.fromhex(
    "5355"  # push rbx; push rbp
    "89f8"  # mov eax, edi
    "8b1e8b4e088b56108b7e208b6e28"  # ebx, ecx, edx, edi, ebp from [rsi]...
    "8b7618"  # mov esi, [rsi+24]
    "cd80"  # int 0x80
    "5d5bc3"
)
X32_BIT = 0x40000000
FORKS = {57, 58}
PAUSE = 34
# Arguments for which a carried-out call cannot be mistaken for a refused one: with -1 the rules refuse these, or the
# kernel itself says ENOSYS or EPERM.
ARGUMENTS = {
    16: (-1, 0),  # ioctl
    26: (-1, -1, 2),  # msync with MS_INVALIDATE, of an address that is none
    41: (1, -1),  # socket of AF_UNIX, of a type that is none
    53: (1, -1),  # socketpair
    56: (0x10000,),  # clone with CLONE_THREAD alone: EINVAL
    133: (-1, 0),  # mknod
    202: (-1, 1),  # futex: FUTEX_WAKE of an address that is none
    259: (-1, -1, 0),  # mknodat
}


MAPPINGS = []


def function(code):
    memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(code)
    MAPPINGS.append(ctypes.c_char.from_buffer(memory))
    address = ctypes.addressof(MAPPINGS[-1])
    return ctypes.CFUNCTYPE(ctypes.c_long, ctypes.c_long, ctypes.c_void_p)(address)


CALLS = {"native": function(NATIVE), "x32": function(NATIVE), "i386": function(I386)}
FORKING_CALL = function(FORKING)


def probe(abi, number):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        # Blocked for good, it ends by the alarm; a call that is refused returns at once.
        signal.setitimer(signal.ITIMER_REAL, 0.05 if (abi, number) == ("native", PAUSE) else 30)
        given = ARGUMENTS.get(number, ()) if abi == "native" else ()
        arguments = (ctypes.c_long * 6)(*(given + (-1,) * (6 - len(given))))
        call = FORKING_CALL if abi == "native" and number in FORKS else CALLS[abi]
        result = call(number | X32_BIT if abi == "x32" else number, ctypes.addressof(arguments))
        if abi == "i386":
            result = ctypes.c_int(result).value
        os.write(writing, struct.pack("q", result))
        os._exit(0)
    os.close(writing)
    told = os.read(reading, 8)
    os.close(reading)
    os.waitpid(child, 0)
    return str(struct.unpack("q", told)[0]) if len(told) == 8 else "ended"


def main():
    for asked in sys.argv[1:]:
        abi, numbers = asked.split(":")
        first, last = map(int, numbers.split("-"))
        for number in range(first, last + 1):
            print(abi, number, probe(abi, number), flush=True)


main()
