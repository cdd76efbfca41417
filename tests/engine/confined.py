#!/usr/bin/python3
"""Is a clone in a sandbox confined as a program that was started there: by the filter of system calls in every thread, by
limits, by rules for paths, and by nothing that its image says? Asked inside, by seeds with threads, one of which has a
filter of its own."""

import argparse
import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from generations import TIMEOUT_S, Bench, Failure, Talker, children, ensure

# What each thread finds: its own status, what the kernel answers when it asks for what the stub has just used, and whether
# it can open a file of the host's by a directory that it was given on purpose.
PROGRAM = """
import ctypes, errno, json, mmap, os, queue, resource, signal, subprocess, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
room = ctypes.create_string_buffer(4096)
CALLS = {
    'clone3': (435, 0, 0), 'kcmp': (312, 0, 0, 1), 'mlock2': (325, 0, 0, 0),
    'rt_sigqueueinfo': (129, 0, 0, 0), 'sched_setattr': (314, 0, 0, 1), 'seccomp': (317, 2, 0, room),
    'setgroups': (116, -1, 0), 'setns': (308, -1, 0), 'signalfd4': (289, -1, room, 8, 0), 'unshare': (272, 0),
    'ioprio_set': (251, 9, 0, 0), 'personality': (135, 0xffffffff), 'getppid': (110,),
}
LEAKED = 50
os.dup2(os.open('/dev/null', os.O_RDONLY), LEAKED)
KEPT = ('CORE', 'FSIZE', 'MEMLOCK', 'NOFILE', 'NPROC', 'RTPRIO')

def call(number, *arguments):
    done = libc.syscall(number, *arguments)
    return errno.errorcode[ctypes.get_errno()] if done == -1 else 'done'

def look():
    fields = dict(line.rstrip().split(':', 1) for line in open('/proc/thread-self/status'))
    wanted = {name: fields[name].strip() for name in ('Seccomp', 'Seccomp_filters', 'NoNewPrivs', 'CapEff')}
    return {**wanted, 'calls': {name: call(*numbers) for name, numbers in CALLS.items()}}

def trapped():
    kept.madvise(mmap.MADV_DONTNEED)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGSYS])
    return [kept[0], kept[-1], signal.SIGSYS in signal.pthread_sigmask(signal.SIG_BLOCK, [])]

def leaked():
    try:
        os.close(os.open('file', os.O_RDWR, dir_fd=LEAKED))
        return 'opened'
    except OSError as error:
        return errno.errorcode[error.errno]

def leaked_in_threads():
    found = [leaked()]
    for asked in ask:
        asked.put(leaked)
    return found + [answers.get() for _ in ask]

def report():
    for asked in ask:
        asked.put(look)
    found = [look(), *(answers.get() for _ in ask)]
    limits = {name: max(resource.getrlimit(getattr(resource, 'RLIMIT_' + name))) for name in KEPT}
    child = subprocess.run(['grep', 'Seccomp_filters', '/proc/self/status'], capture_output=True, text=True).stdout.split()
    own = {'leads': os.getsid(0) == os.getpid(), 'nice': os.getpriority(os.PRIO_PROCESS, 0), 'child': child[-1]}
    return {'threads': found, 'limits': limits, **own, 'trapped': trapped(), 'leaked': leaked_in_threads()}

def worker(asked):
    while True:
        answers.put(asked.get()())

os.chdir(sys.argv[1])
if sys.argv[2] == 'timed':
    signal.setitimer(signal.ITIMER_REAL, 10000)
if sys.argv[2] == 'filtered':
    allow = ctypes.create_string_buffer(bytes.fromhex('060000000000ff7f'))
    program = (ctypes.c_uint64 * 2)(1, ctypes.addressof(allow))
    assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.syscall(317, 1, 0, program) == 0
else:
    os.nice(-5)
kept = mmap.mmap(-1, 1 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
kept.write(b'x' * len(kept))
answers, ask = queue.Queue(), [queue.Queue() for _ in range(3)]
for asked in ask:
    threading.Thread(target=worker, args=(asked,), daemon=True).start()
print('ready', os.getpid(), flush=True)
for line in sys.stdin:
    print(json.dumps(report()), flush=True)
"""

NODE = """
const fs = require('fs');
process.chdir('/');
fs.readFile('/proc/self/stat', () => console.log('ready', process.pid)); // Which starts the threads of its pool.
process.stdin.on('data', () => console.log(JSON.stringify(fs.readdirSync('/proc/self/task').map((thread) =>
  fs.readFileSync('/proc/self/task/' + thread + '/status', 'utf8').match(/Seccomp(_filters)?:\\s*\\d+/g).join(' ')))));
"""

# docs/design/syscalls.md
REFUSED = {
    **dict.fromkeys(("clone3", "seccomp", "signalfd4", "ioprio_set"), "ENOSYS"),
    **dict.fromkeys(("kcmp", "mlock2", "rt_sigqueueinfo", "sched_setattr", "setgroups", "setns", "unshare"), "EPERM"),
    "personality": "EPERM",
    "getppid": "done",
}
# What the kernel says without the filter to root, who has the seed's own rights.
FREE = {
    **dict.fromkeys(("mlock2", "seccomp", "signalfd4", "unshare", "personality", "getppid"), "done"),
    **dict.fromkeys(("clone3", "sched_setattr", "ioprio_set", "setgroups"), "EINVAL"),
    "rt_sigqueueinfo": "EFAULT",
    "setns": "EBADF",
    "kcmp": "ESRCH",
}
# The descriptor that is a directory of the host's in clones.
LEAKED = 50
LIMITS = {"CORE": 1, "FSIZE": 10240 << 20, "MEMLOCK": 64 << 10, "NOFILE": 1024, "NPROC": 742, "RTPRIO": 0}


def ask(talker):
    talker.process.stdin.write("line\n")
    talker.process.stdin.flush()
    line = talker.process.stdout.readline()
    ensure(line, "no answer")
    return json.loads(line)


def has_landlock():
    """Whether the kernel has as much of it as sandboxes use (`landlock_create_ruleset(2)`)."""
    return ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1) >= 2


def host_directory(bench):
    """A directory of the host's, with a file that everybody may write to, for the descriptor that seeds have from outside."""
    directory = bench.scratch / "host"
    directory.mkdir(exist_ok=True)
    directory.chmod(0o755)
    (directory / "file").touch()
    (directory / "file").chmod(0o666)
    return "--fd", f"{LEAKED}={directory}"


def seed(bench, name, cwd, kind):
    talker = Talker(["/usr/bin/python3", "-I", "-c", PROGRAM, cwd, kind], bench.log)
    bench.checkpoint(int(talker.line()[1]), name, "--external", str(LEAKED))
    return talker


def refused(bench, name, *more):
    """What the command says that does not make a clone."""
    command = [bench.offshoot, "clone", name, *bench.common, *host_directory(bench), *more]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
    ensure(done.returncode != 0, f"a clone of {name} was made")
    return done.stderr


def ask_clone(bench, name, backing, *more):
    clone = bench.clone(name, backing, *more)
    found = ask(clone)
    clone.end()
    return found


def check_inside(found, backing):
    """Local: the two filters of every program of a sandbox. Mapped: the one that traps besides."""
    filters = {"local": "2", "mapped": "3"}[backing]
    status = {"Seccomp": "2", "Seccomp_filters": filters, "NoNewPrivs": "1", "CapEff": "0" * 16, "calls": REFUSED}
    ensure(found["threads"] == [status] * 4, f"{backing}: {found['threads']} instead of {status}")
    ensure(found["child"] == filters, f"{backing}: a child has {found['child']} filters")
    over = {name: most for name, most in found["limits"].items() if not 0 <= most <= LIMITS[name]}
    ensure(found["limits"].keys() == LIMITS.keys() and not over, f"{backing}: limits {over}")
    ensure(found["leads"] and found["nice"] == 0, f"{backing}: {found}")
    opened = "EACCES" if has_landlock() else "opened"
    ensure(found["leaked"] == [opened] * 4, f"{backing}: by a directory of the host's: {found['leaked']}")
    ensure(found["trapped"] == [0, 0, True], f"{backing}: memory that was dropped reads {found['trapped']}")


def check_free(found, backing):
    """The positive control: outside a clone may all that its seed might, and is as urgent."""
    filters = {"local": "0", "mapped": "1"}[backing]
    for thread in found["threads"]:
        free = thread["NoNewPrivs"] == "0" and thread["CapEff"] != "0" * 16 and thread["calls"] == FREE
        ensure(free and thread["Seccomp_filters"] == filters, f"{backing}: {thread} instead of {FREE}")
    over = [name for name, most in found["limits"].items() if not 0 <= most <= LIMITS[name]]
    ensure(over and found["nice"] == -5, f"{backing}: {found}")
    ensure(found["leaked"] == ["opened"] * 4, f"{backing}: by a directory of the host's: {found['leaked']}")
    ensure(found["trapped"] == [0, 0, True], f"{backing}: memory that was dropped reads {found['trapped']}")


def check_python(bench):
    seed(bench, "free", "/", "free").end()
    seed(bench, "filtered", "/", "filtered").end()
    leaked = host_directory(bench)
    for backing in ("local", "mapped"):
        check_free(ask_clone(bench, "free", backing, *leaked), backing)
        for name in ("free", "filtered"):
            check_inside(ask_clone(bench, name, backing, "--sandbox", *leaked), backing)
    said = refused(bench, "filtered")
    ensure("seccomp filter" in said, f"the clone of a filtered seed is refused: {said}")


def descendants(pid):
    for child in children(pid):
        yield child
        yield from descendants(child)


def waits_in_sandbox(pid):
    """Whether it is a seed's program, in another PID namespace than this one, and in `read`, as a clone that parks; a template
    is in `recvmsg` (`proc_pid_syscall(5)`)."""
    proc = Path(f"/proc/{pid}")
    try:
        is_program = b"setitimer" in (proc / "cmdline").read_bytes()
        ids = re.search(r"NSpid:(.*)", (proc / "status").read_text())[1].split()
        return is_program and len(ids) > 1 and (proc / "syscall").read_text().startswith("0 ")
    except (FileNotFoundError, ProcessLookupError):
        return False


def filters_of_parked(bench, name):
    """How many filters of system calls each thread of a clone has that waits, and its limit of open files."""
    clone = bench.clone(name, "local", "--sandbox", "--park", *host_directory(bench))
    limit = time.monotonic() + TIMEOUT_S
    while not (found := [pid for pid in descendants(clone.process.pid) if waits_in_sandbox(pid)]):
        ensure(time.monotonic() < limit, f"no clone of {name} waits")
        time.sleep(0.05)
    [pid] = found
    threads = [status.read_text() for status in Path(f"/proc/{pid}/task").glob("*/status")]
    files = next(line.split()[3] for line in Path(f"/proc/{pid}/limits").read_text().splitlines() if line.startswith("Max open files"))
    clone.end()
    return [re.search(r"Seccomp_filters:\s*(\d+)", status)[1] for status in threads], int(files)


def check_parked(bench):
    """A clone that waits has the last filter behind it, unless something is left to do that it would refuse."""
    seed(bench, "timed", "/", "timed").end()
    found, files = filters_of_parked(bench, "free")
    ensure(found == ["2"] * 4 and files <= LIMITS["NOFILE"], f"a clone that waits has {found} filters, and {files} files")
    found, _ = filters_of_parked(bench, "timed")
    ensure(found == ["1"] * 4, f"a clone that waits for its timer to be set has {found} filters")
    check_inside(ask_clone(bench, "timed", "local", "--sandbox", *host_directory(bench)), "local")


def check_node(bench):
    node = shutil.which("node")
    if node is None:
        print("skipped: node, for it is not here")
        return
    talker = Talker([node, "-e", NODE], bench.log)
    pid = int(talker.line()[1])
    threads = len(ask(talker))
    bench.checkpoint(pid, "node")
    talker.end()
    for backing, filters in (("local", 2), ("mapped", 3)):
        found = ask_clone(bench, "node", backing, "--sandbox")
        shown = {" ".join(line.split()) for line in found}
        alike = shown == {f"Seccomp: 2 Seccomp_filters: {filters}"}
        ensure(len(found) == threads > 6 and alike, f"{backing}: {found} of {threads} threads")


def check_directory(bench):
    """Where the seed worked there is no such directory in the sandbox: the error says which."""
    seed(bench, "elsewhere", str(bench.scratch), "free").end()
    said = refused(bench, "elsewhere", "--sandbox")
    ensure(str(bench.scratch) in said and "No such file" in said, f"not named: {said}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", default="target/release/offshoot", help="the offshoot to test")
    options = parser.parse_args()
    scratch = tempfile.mkdtemp(prefix="offshoot-confined-", dir="/dev/shm")
    try:
        bench = Bench(os.path.abspath(options.bin), scratch)
        check_python(bench)
        check_parked(bench)
        check_node(bench)
        check_directory(bench)
    except Failure as failure:
        print(f"failed: {failure}")
        sys.exit(1)
    finally:
        shutil.rmtree(scratch)
    print("passed")


if __name__ == "__main__":
    main()
