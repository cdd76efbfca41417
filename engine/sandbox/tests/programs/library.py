"""Python's standard library, where it meets the kernel. Prints what fails, and `done`."""
import asyncio
import concurrent.futures
import fcntl
import http.server
import mmap
import multiprocessing
import multiprocessing.shared_memory
import os
import resource
import select
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.request
import uuid


def square(number):
    return number * number


def processes():
    assert subprocess.check_output(["/bin/echo", "a"]) == b"a\n"
    assert subprocess.run("echo a | cat", shell=True, capture_output=True, start_new_session=True).stdout == b"a\n"
    assert os.system("true") == 0
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        assert list(pool.map(square, [1, 2])) == [1, 4]
    for method in ("fork", "spawn", "forkserver"):
        child = multiprocessing.get_context(method).Process(target=square, args=(2,))
        child.start()
        child.join()
        assert child.exitcode == 0, method


def sharing():
    queue, lock, semaphore = multiprocessing.Queue(), multiprocessing.Lock(), multiprocessing.Semaphore(2)
    queue.put(1)
    assert queue.get() == 1
    with lock, semaphore:
        pass
    memory = multiprocessing.shared_memory.SharedMemory(create=True, size=4096)
    memory.buf[0] = 1
    memory.close()
    memory.unlink()
    with multiprocessing.Manager() as manager:
        manager.dict()[1] = 2


async def event_loop():
    process = await asyncio.create_subprocess_exec("/bin/true")
    assert await process.wait() == 0
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    assert await reader.read() == b""
    writer.close()
    server.close()
    await asyncio.to_thread(time.sleep, 0.001)
    came = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, came.set)
    os.kill(os.getpid(), signal.SIGUSR1)
    await came.wait()


def files():
    folder = tempfile.mkdtemp()
    path = os.path.join(folder, "a")
    with open(path, "w+b") as file:
        file.write(b"x" * 100)
        file.flush()
        os.fsync(file.fileno())
        os.fdatasync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        os.posix_fallocate(file.fileno(), 0, 4096)
        fcntl.flock(file, fcntl.LOCK_EX)
        fcntl.lockf(file, fcntl.LOCK_UN)
        with mmap.mmap(file.fileno(), 4096) as memory:
            memory[0] = 1
            memory.flush()
    shutil.copy2(path, path + "b")
    os.rename(path + "b", path + "c")
    os.link(path, path + "l")
    os.symlink(path, path + "s")
    os.mkfifo(path + "f")
    for change in (os.chown, os.lchown):
        change(path, os.getuid(), os.getgid())
    os.chmod(path, 0o600)
    os.utime(path)
    os.truncate(path, 5)
    os.unlink(path + "f")
    shutil.copytree(folder, folder + "x")
    shutil.make_archive(folder + "t", "gztar", folder)
    shutil.unpack_archive(folder + "t.tar.gz", folder + "z")
    shutil.rmtree(folder)
    shutil.rmtree(folder + "x")


def databases():
    with tempfile.TemporaryDirectory() as folder:
        connection = sqlite3.connect(os.path.join(folder, "db"))
        assert connection.execute("pragma journal_mode=wal").fetchone() == ("wal",)
        connection.execute("create table t (a)")
        connection.executemany("insert into t values (?)", [(number,) for number in range(100)])
        connection.commit()
        connection.close()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"x")

    def log_message(self, *_):
        pass


def network():
    ssl.create_default_context()
    socket.getaddrinfo("localhost", 80)
    socket.if_nameindex()
    one, other = socket.socketpair()
    one.send(b"x")
    poll = select.epoll()
    poll.register(other.fileno(), select.EPOLLIN)
    assert poll.poll(-1) and select.select([other], [], [])[0]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    assert opener.open(f"http://127.0.0.1:{server.server_port}/").read() == b"x"
    server.shutdown()


def machine():
    uuid.uuid1()
    resource.getrusage(resource.RUSAGE_SELF)
    resource.setrlimit(resource.RLIMIT_NOFILE, resource.getrlimit(resource.RLIMIT_NOFILE))
    os.times(), os.nice(0), os.getloadavg(), os.getpgrp(), os.getsid(0), os.statvfs("/"), os.getresuid()
    os.sched_setaffinity(0, os.sched_getaffinity(0))
    os.sched_yield()
    signal.setitimer(signal.ITIMER_REAL, 1000)
    signal.getitimer(signal.ITIMER_REAL)
    signal.alarm(0)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    signal.pthread_kill(threading.get_ident(), signal.SIGUSR2)
    assert signal.sigpending() == {signal.SIGUSR2}
    assert signal.sigwait([signal.SIGUSR2]) == signal.SIGUSR2


def main():
    for part in (processes, sharing, lambda: asyncio.run(event_loop()), files, databases, network, machine):
        try:
            part()
        except Exception as error:
            print(getattr(part, "__name__", "part"), repr(error))
    print("done")


if __name__ == "__main__":
    main()
