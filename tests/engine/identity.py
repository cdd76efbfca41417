#!/usr/bin/python3
"""Does a sandbox's specification outrank what an image says? A seed that is root with groups and capabilities is cloned
as somebody else, who must have none of it. And where it may run."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile

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
    except Failure as failure:
        print(f"failed: {failure}")
        sys.exit(1)
    finally:
        shutil.rmtree(scratch)
    print("passed")


if __name__ == "__main__":
    main()
