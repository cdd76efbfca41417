"""Seeds, their images, and a scratch directory with a pool that goes away with the script."""

import os
import secrets
import select
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path


class Broken(Exception):
    """The script cannot do its work; the text says why."""


class Place:
    """A scratch directory with a pool, a key, and the offshoot to be tested."""

    def __init__(self, offshoot, scratch):
        self.offshoot, self.scratch = offshoot, scratch
        self.pool, self.key = scratch / "pool", scratch / "image.key"
        self.pool.mkdir(mode=0o700)

    def command(self, *words):
        return [str(self.offshoot), *map(str, words), "--pool", str(self.pool), "--key", str(self.key)]

    def run(self, *words, timeout_s=120):
        """Runs offshoot to its end; its standard output."""
        done = subprocess.run(self.command(*words), capture_output=True, text=True, timeout=timeout_s)
        if done.returncode != 0:
            raise Broken(f"offshoot {' '.join(map(str, words))}: exit {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def pool_bytes(self):
        return sum(path.stat().st_blocks * 512 for path in self.pool.iterdir())


@contextmanager
def place(offshoot):
    """In memory, because that is where pools are."""
    if os.geteuid() != 0:
        raise Broken("only root can checkpoint and clone")
    offshoot = Path(offshoot).resolve()
    if not offshoot.is_file():
        raise Broken(f"{offshoot} does not exist: build it first, or name another one with --bin")
    scratch = Path(tempfile.mkdtemp(prefix="offshoot-engine-", dir="/dev/shm"))
    try:
        yield Place(offshoot, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def compile_program(source, place):
    """Its name is in no other process, so that leftovers can be told from others."""
    binary = place.scratch / f"sweep-{secrets.token_hex(4)}"  # 14 letters: all that a process's name shows is 15
    subprocess.run(["cc", "-O1", "-Wall", "-Werror", "-pthread", "-o", binary, source], check=True)
    return binary


def make_image(place, name, command, external, variables=None, timeout_s=60):
    """Starts a seed, waits until it says that it is ready, freezes it, and ends it. Descriptors 0, 1, 2 are pipes and a
    file, all other externals /dev/null."""
    environment = {"PATH": os.environ["PATH"], "HOME": "/root", "LANG": "C.UTF-8", **(variables or {})}
    nothing = " ".join(f"{number}<>/dev/null" for number in external if number > 2)
    wrapped = ["/bin/bash", "-c", f'exec "$@" {nothing}', "seed", *map(str, command)]
    with open(place.scratch / f"{name}.err", "w+b") as errors:
        seed = subprocess.Popen(
            wrapped,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
            cwd=place.scratch,
        )
        try:
            await_ready(seed, name, errors, timeout_s)
            flags = [word for number in external for word in ("--external", number)]
            place.run("checkpoint", seed.pid, "--image", name, "--leave-running", *flags)
        finally:
            seed.kill()
            seed.wait()
            seed.stdin.close()
            seed.stdout.close()


def await_ready(seed, name, errors, timeout_s):
    if not select.select([seed.stdout], [], [], timeout_s)[0]:
        raise Broken(f"the seed {name} is not ready within {timeout_s:g} s")
    said = seed.stdout.readline()
    if said != b"ready\n":
        errors.seek(0)
        raise Broken(f"the seed {name} said {said!r}: {errors.read()[-500:]!r}")
