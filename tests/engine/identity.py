#!/usr/bin/python3
"""Does a sandbox's specification outrank what an image says? A seed that is root with groups and capabilities is cloned
as somebody else, who must have none of it. And where it may run."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from generations import Bench, Failure, Talker, children, ensure

PROGRAM = """
import os, sys
os.setgroups([4, 7])
print('ready', os.getpid(), flush=True)
for line in sys.stdin:
    fields = dict(line.rstrip().split(':', 1) for line in open('/proc/self/status'))
    wanted = 'Uid Gid Groups CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs'.split()
    print('|'.join(' '.join(fields[name].split()) for name in wanted), flush=True)
"""
NOTHING = "0" * 16
USER, GROUP = 64123, 64124


def status(talker):
    talker.process.stdin.write("line\n")
    talker.process.stdin.flush()
    return talker.process.stdout.readline().rstrip("\n").split("|")


def check(bench):
    seed = Talker(["/usr/bin/python3", "-I", "-c", PROGRAM], bench.log)
    pid = int(seed.line()[1])
    before = status(seed)
    bench.checkpoint(pid, "identity")
    seed.end()
    for backing in ("local", "mapped"):
        same = bench.clone("identity", backing)
        found = status(same)
        same.end()
        # The positive control: without a specification a clone is who its seed was.
        ensure(found == before and found[5] != NOTHING and found[2] == "4 7", f"{backing}: {found} instead of {before}")
        other = bench.clone("identity", backing, "--user", f"{USER}:{GROUP}")
        found = status(other)
        other.end()
        wanted = [" ".join([str(USER)] * 4), " ".join([str(GROUP)] * 4), "", *[NOTHING] * 5, "1"]
        ensure(found == wanted, f"{backing}: {found} instead of {wanted}")


def check_processors(bench):
    """A template stays on one processor; its clones may use all."""
    everywhere = os.sched_getaffinity(0)
    if len(everywhere) == 1:
        print("skipped: processors, for there is one")
        return
    clone = bench.clone("identity", "local")
    ensure(status(clone), "no answer")
    (nursery,) = children(clone.process.pid)
    where = sorted(len(os.sched_getaffinity(pid)) for pid in children(nursery))
    clone.end()
    ensure(where == [1, len(everywhere)], f"a template and a clone may use {where} processors")


def check_files(bench):
    """An image must not have a template open what its clones' user may not read."""
    secret = str(bench.scratch / "secret")
    bench.scratch.chmod(0o711)
    with open(os.open(secret, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
        file.write("s" * 8192)
    program = f"import mmap\nwith open({secret!r}) as file:\n"
    program += "    kept = mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ)\n" + PROGRAM
    seed = Talker(["/usr/bin/python3", "-I", "-c", program], bench.log)
    bench.checkpoint(int(seed.line()[1]), "secret")
    seed.end()
    # The positive control: root may read it.
    root = bench.clone("secret", "local")
    ensure(status(root), "no answer")
    root.end()
    user = ["--user", f"{USER}:{GROUP}"]
    command = [bench.offshoot, "clone", "secret", *user, *bench.common]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    said = refused.stderr
    ensure(refused.returncode != 0 and secret in said and "Permission denied" in said, f"not refused: {said}")


SANDBOXED = """
import os, socket, sys
os.chdir('/')  # a directory that the sandbox has
print('ready', os.getpid(), flush=True)
for line in sys.stdin:
    fields = dict(line.rstrip().split(':', 1) for line in open('/proc/self/status'))
    spaces = ' '.join(os.readlink('/proc/self/ns/' + kind) for kind in ('mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup'))
    wanted = 'Uid CapPrm CapEff CapBnd NoNewPrivs'.split()
    processes = ' '.join(sorted(name for name in os.listdir('/proc') if name.isdigit()))
    files = ' '.join(sorted(os.listdir('/')))
    told = [' '.join(fields[name].split()) for name in wanted]
    print('|'.join([*told, spaces, socket.gethostname(), processes, files, str(os.getpid())]), flush=True)
"""


def groups():
    return {path for path in Path("/sys/fs/cgroup").glob("**/offshoot/clone-*/*") if path.is_dir()}


def check_sandbox(bench):
    """A clone in a ghost sandbox: other namespaces, another user, alone, and nothing of it stays."""
    seed = Talker(["/usr/bin/python3", "-I", "-c", SANDBOXED], bench.log)
    bench.checkpoint(int(seed.line()[1]), "sandboxed")
    seed.end()
    before = groups()
    outside = bench.clone("sandboxed", "local")
    free = status(outside)
    outside.end()
    inside = bench.clone("sandboxed", "local", "--sandbox")
    found = status(inside)
    held = groups() - before
    inside.end()
    user = found[0].split()
    ensure(len(set(user)) == 1 and int(user[0]) >= 1000000, f"it is user {user}")
    ensure(found[1:5] == [NOTHING, NOTHING, NOTHING, "1"], f"it has rights: {found[1:5]}")
    same = set(found[5].split()) & set(free[5].split())
    ensure(len(free[5].split()) == 6 and not same, f"it shares {same}")
    ensure(found[6] == "sandbox" != free[6], f"it is called {found[6]}")
    ensure(found[7] == found[9], f"it sees processes {found[7]}")
    ensure("var" in found[8].split() and "lost+found" not in found[8], f"it sees {found[8]}")
    killed = bench.clone("sandboxed", "local", "--sandbox")
    status(killed)
    killed.process.kill()
    killed.process.wait()
    left = groups() - before
    after = bench.clone("sandboxed", "local", "--sandbox")
    status(after)
    after.end()
    ensure(left and not groups() & left, f"a killed command left {left}, of which {groups() & left} stay")
    ensure(held and not groups() - before, f"groups: {held}, then {groups() - before}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", default="target/release/offshoot", help="the offshoot to test")
    options = parser.parse_args()
    scratch = tempfile.mkdtemp(prefix="offshoot-identity-", dir="/dev/shm")
    try:
        bench = Bench(os.path.abspath(options.bin), scratch)
        check(bench)
        check_files(bench)
        check_processors(bench)
        check_sandbox(bench)
    except Failure as failure:
        print(f"failed: {failure}")
        sys.exit(1)
    finally:
        shutil.rmtree(scratch)
    print("passed")


if __name__ == "__main__":
    main()
