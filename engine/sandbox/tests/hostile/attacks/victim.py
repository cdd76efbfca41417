"""A tenant that goes about its work: `victim.py [ONE]` uses a little of every resource and says `fine`, or which of them it
did not get."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading

from hostile import syscall


def processes():
    assert subprocess.run(["/usr/bin/true"], check=True).returncode == 0


def threads():
    worker = threading.Thread(target=lambda: None)
    worker.start()
    worker.join()


def descriptors():
    for number in [os.open("/dev/null", os.O_RDONLY) for _ in range(100)]:
        os.close(number)


def memory():
    assert bytes(32 << 20).count(0) == 32 << 20


def files():
    for directory in ("/tmp", "/dev/shm"):
        path = f"{directory}/victim-{os.getpid()}"
        with open(path, "wb") as file:
            file.write(bytes(1 << 20))
        os.unlink(path)


def inotify():
    os.close(syscall(294, 0))


def signals():
    signal.pthread_sigmask(signal.SIG_BLOCK, [41])
    os.kill(os.getpid(), 41)
    assert signal.sigwait([41]) == 41


def timers():
    timer = ctypes.c_int()
    syscall(222, 1, 0, ctypes.byref(timer))
    syscall(226, timer.value)


def pipes():
    reader, writer = os.pipe()
    os.write(writer, bytes(65536))
    assert len(os.read(reader, 65536)) == 65536


def sockets():
    server = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(server.getsockname())
    accepted, _ = server.accept()
    client.sendall(b"x")
    assert accepted.recv(1) == b"x"
    ours, theirs = socket.socketpair()
    socket.send_fds(ours, [b"x"], [0])
    assert theirs.recv(1) == b"x"


WORK = [processes, threads, descriptors, memory, files, inotify, signals, timers, pipes, sockets]
for part in WORK:
    if sys.argv[1:] and part.__name__ != sys.argv[1]:
        continue
    try:
        part()
    except (OSError, RuntimeError, MemoryError) as error:
        print(f"starved of {part.__name__}: {error}", flush=True)
        sys.exit()
print("fine", flush=True)
