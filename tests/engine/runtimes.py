#!/usr/bin/python3
"""Clones programs of other runtimes, which have threads, collect garbage and wait in epoll while they are frozen: Go, Java,
Rust's standard library, tokio. Every answer of every clone must be right, each must exit with 0, nothing may be left."""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from leftovers import Watch, be_alone_with_mounts
from seeds import Broken, make_image, place
from soak import ended_badly, error_of
from tracer import adopt_orphans

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BINARY = ROOT / "target" / "release" / "offshoot"
CLONES, FEW, REQUESTS = 20, 8, 10
LIMIT_S, LINGER_S, BUILD_S = 60, 2, 600
MISSING_KEY = 20_000
MASK = (1 << 64) - 1


def main():
    options = read_options()
    adopt_orphans()
    be_alone_with_mounts()
    skipped, failed = [], 0
    try:
        with place(options.bin) as here:
            for name in options.only or RUNTIMES:
                needed, make = RUNTIMES[name]
                missing = [tool for tool in needed if shutil.which(tool) is None]
                if missing:
                    skipped.append(f"{name} (no {', '.join(missing)})")
                else:
                    failed += try_runtime(here, name, make(here, options), options)
    except (Broken, OSError, subprocess.SubprocessError) as broken:
        sys.exit(f"runtimes: {broken}")
    print(f"runtimes: {len(skipped)} skipped: {'; '.join(skipped) or 'none'}")
    sys.exit(1 if failed else 0)


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--bin", type=Path, default=BINARY, help="the offshoot to test")
    parser.add_argument("--clones", type=int, default=CLONES, metavar="N", help=f"of each program ({CLONES})")
    parser.add_argument("--quick", dest="clones", action="store_const", const=FEW, help=f"{FEW} of each program")
    parser.add_argument("--backing", choices=("local", "mapped"), default="local")
    parser.add_argument("--only", action="append", choices=RUNTIMES, help="only this runtime")
    parser.add_argument("--target-dir", type=Path, default=ROOT / "target" / "runtimes", help="where cargo builds")
    return parser.parse_args()


def go(here, _options):
    binary = here.scratch / "churn-go"
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(here.scratch), "GOFLAGS": "-mod=mod"}
    command = ["go", "build", "-o", binary, HERE / "runtimes" / "churn.go"]
    subprocess.run(command, check=True, env=environment, timeout=BUILD_S)
    return [binary], sha256


def java(here, _options):
    folder = here.scratch / "churn-java"
    subprocess.run(["javac", "-d", folder, HERE / "runtimes" / "Churn.java"], check=True, timeout=BUILD_S)
    # Without the file of counters, which is mapped shared: its readers would see all clones as one.
    return ["java", "-XX:-UsePerfData", "-Xmx64m", "-cp", folder, "Churn"], sha256


def rust(program):
    def build(_here, options):
        manifest = HERE / "runtimes" / "rust" / "Cargo.toml"
        command = ["cargo", "build", "--quiet", "--release", "--locked", "--manifest-path", manifest]
        subprocess.run([*command, "--target-dir", options.target_dir], check=True, timeout=BUILD_S)
        return [options.target_dir.resolve() / "release" / program], fnv

    return build


RUNTIMES = {
    "go": (["go"], go),
    "java": (["java", "javac"], java),
    "rust-std": (["cargo"], rust("std_threads")),
    "rust-tokio": (["cargo"], rust("tokio_tasks")),
}


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def fnv(text):
    """FNV-1a with 64 bits."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 & MASK
    return f"{value:016x}"


def try_runtime(here, name, program, options):
    """One program; how many things went wrong."""
    began = time.monotonic()
    command, digest = program
    folder = here.scratch / name
    folder.mkdir()
    make_image(here, name, command, [0, 1, 2, 3, 4])
    control(here, name, folder)
    problems, right = run_clones(here, name, folder, digest, options.clones, options.backing)
    here.run("image", "rm", name)
    for problem in problems[:10]:
        print(f"runtimes: {name}: {problem}")
    took_s, asked = time.monotonic() - began, options.clones * REQUESTS
    print(
        f"runtimes: {name}: {options.clones} clones, {options.backing}, {right} right answers of {asked},"
        f" {len(problems)} problems, {took_s:.1f} s"
    )
    sys.stdout.flush()
    return len(problems)


def run_clones(here, name, folder, digest, clones, backing):
    """What is wrong with the clones, and how many answers were right."""
    asked = {}
    for clone in range(1, clones + 1):
        asked[clone] = [(clone * 700 + number, f"{name}-{clone}-{number}") for number in range(REQUESTS)]
        (folder / f"requests-{clone}").write_text("".join(f"{number} {text}\n" for number, text in asked[clone]))
    watch = Watch(here.pool, set())
    words = ["clone", name, "-n", clones, "--backing", backing, "--fd", "0=/dev/null"]
    for number, what in enumerate(("out", "err", "requests", "answers"), 1):
        words += ["--fd", f"{number}={folder}/{what}-{{n}}"]
    try:
        done = subprocess.run(here.command(*words), capture_output=True, text=True, timeout=LIMIT_S)
        problems = ended_badly(done, folder)
    except subprocess.TimeoutExpired:
        problems = [f"hangs for {LIMIT_S} s; left: {list(watch.processes().values())[:5]}"]
    else:
        watch.await_end(LINGER_S)
        problems += watch.problems(may_make_cgroups=False)
    watch.clear()
    right = 0
    for clone, requests in asked.items():
        path = folder / f"answers-{clone}"
        said = path.read_text().splitlines() if path.exists() else []
        expected = [f"{number * number} {digest(text)}" for number, text in requests]
        right += sum(a == b for a, b in zip(said, expected))
        if said != expected:
            what = f"{len(said)} answers, the last {said[-1:]}, are not those expected"
            problems.append(f"clone {clone}: {what} {error_of(folder, clone)}")
    return problems, right


def control(here, name, folder):
    """Positive controls: a clone that is asked for a key that does not exist dies, and answers that are not those
    expected are found."""
    (folder / "requests-1").write_text(f"{MISSING_KEY} text\n")
    words = ["--fd", "0=/dev/null"]
    for number, what in enumerate(("out", "err", "requests", "answers"), 1):
        words += ["--fd", f"{number}={folder}/{what}-1"]
    command = here.command("clone", name, *words)
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
    rows = json.loads(done.stdout) if done.stdout.startswith("[") else None
    if rows is None or not ended_badly(done, folder):
        raise Broken(f"a clone of {name} that must die did not: {done.stdout} {done.stderr}")
    if (folder / "answers-1").exists() and (folder / "answers-1").read_text():
        raise Broken(f"a clone of {name} has answered what it cannot know")
    problems, right = run_clones(here, name, folder, lambda _: "another digest", 1, "local")
    if right or len(problems) != 1:
        raise Broken(f"wrong answers of {name} are not found: {right} right, {problems}")


if __name__ == "__main__":
    main()
