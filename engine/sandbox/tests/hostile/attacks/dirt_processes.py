"""Traces in processes: those that stay, those that nobody waits for, and the numbers that they used up."""

import ctypes
import os
import signal

LIBC = ctypes.CDLL(None, use_errno=True)
TRACES = {}


def trace(function):
    TRACES[function.__name__] = function
    return function


def background(prepare):
    """A process that does something and stays; raises what that raised."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            prepare()
            os.write(writer, b"0")
        except OSError as error:
            os.write(writer, str(error.errno).encode())
        # The program's output must end with the program.
        null = os.open("/dev/null", os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(null, number)
        while True:
            signal.pause()
    os.close(writer)
    code = int(os.read(reader, 16) or b"5")
    os.close(reader)
    if code:
        raise OSError(code, os.strerror(code))
    return pid


@trace
def background_process():
    background(lambda: None)


@trace
def session_daemon():
    background(os.setsid)


@trace
def double_fork():
    pid = os.fork()
    if pid == 0:
        background(os.setsid)
        os._exit(0)
    os.waitpid(pid, 0)


@trace
def process_group():
    background(lambda: os.setpgid(0, 0))


@trace
def zombie():
    if os.fork() == 0:
        os._exit(3)


@trace
def zombie_of_a_daemon():
    def leave():
        if os.fork() == 0:
            os._exit(0)

    background(leave)


@trace
def stopped_process():
    os.kill(background(lambda: None), signal.SIGSTOP)


@trace
def deaf_process():
    def deafen():
        for number in range(1, 32):
            if number not in (signal.SIGKILL, signal.SIGSTOP):
                signal.signal(number, signal.SIG_IGN)

    background(deafen)


@trace
def subreaper():
    def become():
        LIBC.prctl(36, 1, 0, 0, 0)
        if os.fork() == 0:
            if os.fork() == 0:
                signal.pause()
            os._exit(0)

    background(become)


@trace
def named_process():
    background(lambda: LIBC.prctl(15, b"kworker/0:1", 0, 0, 0))


@trace
def hidden_process():
    background(lambda: LIBC.prctl(4, 0, 0, 0, 0))


@trace
def many_threads():
    import threading

    def start():
        threading.stack_size(65536)
        for _ in range(20):
            threading.Thread(target=threading.Event().wait, daemon=True).start()

    background(start)


@trace
def pid_cursor():
    """The next process's number is a thousand further on."""
    for _ in range(200):
        if os.fork() == 0:
            os._exit(0)
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


@trace
def fork_of_a_fork():
    """A chain in which each is the other's parent, ended in the middle."""
    pids = [background(lambda: None) for _ in range(3)]
    os.kill(pids[1], signal.SIGKILL)


@trace
def umask():
    background(lambda: os.umask(0) and None)


@trace
def traced_child():
    if LIBC.ptrace(0x4206, background(lambda: None), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")
