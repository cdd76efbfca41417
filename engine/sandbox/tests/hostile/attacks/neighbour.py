"""What another tenant beside this one can be reached by (S17). `neighbour.py --victim` is that other tenant: it offers one
secret in every way that two processes of one machine could share, says `up`, and waits.

`neighbour.py --together NAME` is the control: both in the same namespaces, of the same user."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading

from hostile import LIBC, Refused, attack, attempt, code, main, read_token, token_in

NAME, KEY, PORT, QUEUE = "hostile-neighbour", 0x5EED, 7777, b"/hostile-neighbour"
LIBC.shmat.restype = ctypes.c_void_p


def called(result):
    if result == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def offer(secret):
    """Everything that a tenant might leave open; what its sandbox refuses is not offered."""

    def serve(listener):
        while True:
            connection, _ = listener.accept()
            connection.sendall(secret)
            connection.close()

    abstract = socket.socket(socket.AF_UNIX)
    abstract.bind("\0" + NAME)
    abstract.listen()
    for listener in (abstract, socket.create_server(("127.0.0.1", PORT))):
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
    segment = LIBC.shmget(KEY, 4096, 0o1666)
    if segment != -1:
        ctypes.memmove(LIBC.shmat(segment, None, 0), secret, len(secret))
    queue = LIBC.mq_open(QUEUE, os.O_CREAT | os.O_RDWR, 0o666, None)
    if queue != -1:
        LIBC.mq_send(queue, secret, len(secret), 0)
    for directory in ("/tmp", "/dev/shm"):
        with open(f"{directory}/{NAME}", "wb") as file:
            file.write(secret)


def victim():
    LIBC.prctl(1, signal.SIGKILL, 0, 0, 0)
    offer(open(code("token"), "rb").read())
    print("up", os.getpid(), flush=True)
    for line in open(3) if sys.argv[2:] == ["channel"] else sys.stdin:
        print("well", line.strip(), flush=True)
    signal.pause()


@attack
def abstract_socket():
    client = socket.socket(socket.AF_UNIX)
    with attempt("connect"):
        client.connect("\0" + NAME)
    return token_in(client.recv(100))


@attack
def loopback_port():
    with attempt("connect"):
        return token_in(socket.create_connection(("127.0.0.1", PORT), 5).recv(100))


@attack
def shared_memory():
    with attempt("shmget"):
        segment = called(LIBC.shmget(KEY, 4096, 0))
    with attempt("shmat"):
        return token_in(ctypes.string_at(called(LIBC.shmat(segment, None, 0)), 4096))


@attack
def message_queue():
    with attempt("mq_open"):
        queue = called(LIBC.mq_open(QUEUE, os.O_RDONLY | os.O_NONBLOCK, 0, None))
    buffer = ctypes.create_string_buffer(8192)
    with attempt("mq_receive"):
        called(LIBC.mq_receive(queue, buffer, 8192, None))
    return token_in(buffer.raw)


@attack
def file_in_tmp():
    with attempt("open"):
        return read_token(f"/tmp/{NAME}")


@attack
def file_in_shm():
    with attempt("open"):
        return read_token(f"/dev/shm/{NAME}")


def victims():
    """The numbers by which the neighbour is known: those that the host uses, and what it said itself."""
    return [int(text) for text in os.environ["HOSTILE_NEIGHBOURS"].split(",")]


@attack
def signal_process():
    for pid in victims():
        try:
            if pid > 2:
                os.kill(pid, signal.SIGCONT)
                return "sent"
        except OSError:
            continue
    raise Refused("no such process")


@attack
def signal_everybody():
    """kill(-1) reaches whom the sender may signal: itself and its own, with the kernel's leave."""
    signal.signal(signal.SIGCONT, signal.SIG_IGN)
    with attempt("kill"):
        os.kill(-1, signal.SIGCONT)
    return "sent"


@attack
def files_of_process():
    for pid in victims():
        for name in ("environ", "maps", "cmdline"):
            try:
                if pid > 2 and open(f"/proc/{pid}/{name}", "rb").read():
                    return "read"
            except OSError:
                continue
    raise Refused("none can be read")


@attack
def root_of_process():
    for pid in victims():
        try:
            if pid > 2:
                return read_token(f"/proc/{pid}/root/dev/shm/{NAME}")
        except OSError:
            continue
    raise Refused("none can be entered")


@attack
def pidfd_of_process():
    for pid in victims():
        try:
            if pid > 2:
                os.pidfd_open(pid)
                return "opened"
        except OSError:
            continue
    raise Refused("no such process")


@attack
def count_of_processes():
    """How many processes there are besides one's own."""
    others = [name for name in os.listdir("/proc") if name.isdigit() and int(name) not in (1, os.getpid())]
    if not others:
        raise Refused("none is seen")
    return "counted"


@attack
def sockets_of_neighbour():
    """The tables of sockets in /proc/net."""
    if NAME in open("/proc/net/unix").read():
        return "listed"
    if f"{PORT:04X}" in open("/proc/net/tcp").read():
        return "listed"
    raise Refused("not listed")


def together():
    with subprocess.Popen(
        [sys.executable, "-SEB", __file__, "--victim"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        os.environ["HOSTILE_NEIGHBOURS"] = other.stdout.readline().split()[1]
        main()
        other.kill()


if sys.argv[1] == "--victim":
    victim()
elif sys.argv[1] == "--together":
    del sys.argv[1]
    together()
else:
    main()
