"""Starting and ending the processes of a run, so that none is left."""

import os
import select
import signal
import subprocess
import time
from pathlib import Path


class Seed:
    """A program that was started: descriptor 0 is a pipe held open, 1 a pipe, 2 a file of its scratch directory."""

    def __init__(self, binary, scratch, variables):
        inherited = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        with open(scratch / "seed-err", "wb") as errors:
            self.process = subprocess.Popen(
                [binary],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=scratch,
                env={**inherited, "FIDELITY_DIR": str(scratch), **variables},
                start_new_session=True,
                bufsize=0,
            )
        self.pid = self.process.pid
        self.said = b""

    def read_until(self, wanted, timeout_s):
        """Reads what it writes until `wanted(said)` or its end; False if neither came in time."""
        deadline = time.monotonic() + timeout_s
        while not wanted(self.said):
            left_s = deadline - time.monotonic()
            if left_s <= 0 or not select.select([self.process.stdout], [], [], left_s)[0]:
                return False
            got = self.process.stdout.read(65536)
            if not got:
                return True
            self.said += got
        return True

    def give_byte(self):
        try:
            self.process.stdin.write(b"x")
        except BrokenPipeError:
            pass  # it has ended; what it said tells why

    def wait(self, timeout_s):
        """How it ended: a code, or a negative signal; None if it did not in time."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def end(self):
        """Kills it with everything of its session and says how it ended: a code, or a negative signal."""
        kill_all(self.pid, with_root=self.process.poll() is None)
        code = self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        return code


def run(command, timeout_s, log):
    """Runs a command to its end; (code, output), code None if it had to be killed with all that it had started."""
    with open(log, "w+b") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            kill_all(process.pid, with_root=process.poll() is None)
            process.wait()
        output.seek(0)
        return code, output.read().decode(errors="replace")


def kill_all(root, with_root):
    """Kills the processes that descend from `root` or are of the session that it leads."""
    for _ in range(3):  # a process may have forked while we looked
        found = family(root) - (set() if with_root else {root})
        if not found:
            return
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def family(root):
    parents, sessions = {}, {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parents[int(entry)], sessions[int(entry)] = int(fields[1]), int(fields[3])
    found = {pid for pid, session in sessions.items() if session == root or pid == root}
    while more := {pid for pid, parent in parents.items() if parent in found and pid not in found}:
        found |= more
    return found
