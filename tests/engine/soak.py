#!/usr/bin/python3
"""Makes many clones of a Python and of a Node, in batches; each answers requests while it allocates and collects. Every
answer must be right, every clone must exit with 0, nothing may be left, and the pool gives its room back."""

import argparse
import hashlib
import json
import random
import subprocess
import sys
import time
from pathlib import Path

from leftovers import Watch, be_alone_with_mounts
from seeds import Broken, make_image, place
from tracer import adopt_orphans

HERE = Path(__file__).resolve().parent
BINARY = HERE.parent.parent / "target" / "release" / "offshoot"
BATCH, REQUESTS = 50, 5
FEW, MANY = 300, 10_000
BATCH_LIMIT_S, LINGER_S = 180, 2


def main():
    options = read_options()
    adopt_orphans()
    be_alone_with_mounts()
    seeds = {
        "python": [options.python, HERE / "soak_seed.py"],
        "node": [options.node, "--expose-gc", HERE / "soak_seed.cjs"],
    }
    try:
        with place(options.bin) as here:
            failed = sum([soak(here, name, seeds[name], options) for name in options.only or seeds])
    except (Broken, subprocess.SubprocessError) as broken:
        sys.exit(f"soak: {broken}")
    sys.exit(1 if failed else 0)


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.split(",")[0])
    parser.add_argument("--bin", type=Path, default=BINARY, help="the offshoot to test")
    parser.add_argument("--clones", type=int, default=FEW, metavar="N", help=f"of each seed ({FEW})")
    parser.add_argument("--full", dest="clones", action="store_const", const=MANY, help=f"{MANY} of each seed")
    parser.add_argument("--only", action="append", choices=("python", "node"), help="only this seed")
    parser.add_argument("--python", default="/usr/bin/python3", help="the interpreter")
    parser.add_argument("--python-path", default="", metavar="DIR", help="where numpy is, which is used if it is found")
    parser.add_argument("--node", default="/usr/bin/node")
    parser.add_argument("--seed", type=int, default=1, help="chooses the requests (1)")
    return parser.parse_args()


def soak(here, name, command, options):
    """One seed; how many things went wrong."""
    began = time.monotonic()
    empty_bytes = here.pool_bytes()
    make_image(here, name, command, [0, 1, 2, 3, 4], {"UV_USE_IO_URING": "0", "PYTHONPATH": options.python_path})
    image_bytes = here.pool_bytes()
    folder = here.scratch / name
    folder.mkdir()
    control(here, name, folder)
    random_numbers = random.Random(options.seed)
    problems, answers, done = [], 0, 0
    for batch in range(-(-options.clones // BATCH)):
        number = min(BATCH, options.clones - done)
        found, right = run_batch(here, name, folder, number, batch, random_numbers)
        problems += [f"batch {batch}: {problem}" for problem in found]
        answers += right
        done += number
        if len(problems) > 20:
            break
    here.run("image", "rm", name)
    if here.pool_bytes() != empty_bytes:
        problems.append(f"the pool held {empty_bytes} bytes before, {here.pool_bytes()} after the image was removed")
    for problem in problems[:20]:
        print(f"soak: {name}: {problem}")
    took_s = time.monotonic() - began
    print(
        f"soak: {name}: {done} clones, {answers} right answers of {done * REQUESTS}, {len(problems)} problems,"
        f" image {image_bytes >> 20} MiB, {took_s:.0f} s"
    )
    sys.stdout.flush()
    return len(problems)


def run_batch(here, name, folder, number, batch, random_numbers):
    """Clones, their requests and their answers; what is wrong, and how many answers were right."""
    for old in folder.iterdir():
        old.unlink()
    asked = {}
    for clone in range(1, number + 1):
        asked[clone] = requests = [request(random_numbers, f"{batch}/{clone}/{n}") for n in range(REQUESTS)]
        (folder / f"requests-{clone}").write_text("".join(json.dumps(one) + "\n" for one in requests))
    watch = Watch(here.pool, set())
    words = ["clone", name, "-n", number, "--backing", ("local", "mapped")[batch % 2], "--fd", "0=/dev/null"]
    words += ["--fd", f"1={folder}/out-{{n}}", "--fd", f"2={folder}/err-{{n}}"]
    words += ["--fd", f"3={folder}/requests-{{n}}", "--fd", f"4={folder}/answers-{{n}}"]
    try:
        done = subprocess.run(here.command(*words), capture_output=True, text=True, timeout=BATCH_LIMIT_S)
    except subprocess.TimeoutExpired:
        problems = [f"hangs for {BATCH_LIMIT_S} s; left: {list(watch.processes().values())[:5]}"]
        watch.clear()
        return problems, 0
    problems = ended_badly(done, folder)
    watch.await_end(LINGER_S)
    problems += watch.problems(may_make_cgroups=False)
    watch.clear()
    right = 0
    for clone, requests in asked.items():
        said = lines_of(folder / f"answers-{clone}")
        expected = [answer_to(one) for one in requests]
        right += sum(a == b for a, b in zip(said, expected))
        if said != expected:
            what = f"{len(said)} answers, the last {said[-1:]}, are not those expected"
            problems.append(f"clone {clone}: {what} {error_of(folder, clone)}")
    return problems, right


def ended_badly(done, folder):
    """The clones that did not exit with 0, from the command's JSON."""
    try:
        rows = json.loads(done.stdout)
    except ValueError:
        return [f"exit {done.returncode}: {done.stderr.strip()[-300:]}"]
    problems = []
    for row in rows:
        if row.get("exitCode") != 0:
            how = f"ended with {row.get('exitCode')}, signal {row.get('signal')}"
            problems.append(f"clone {row['clone']} {how} {error_of(folder, row['clone'])}")
    return problems


def error_of(folder, clone):
    text = (folder / f"err-{clone}").read_text(errors="replace") if (folder / f"err-{clone}").exists() else ""
    return text.strip()[-200:]


def lines_of(path):
    try:
        return [json.loads(line) for line in path.read_text().splitlines()]
    except (OSError, ValueError) as error:
        return [str(error)]


def request(random_numbers, name):
    words = [f"w{random_numbers.randrange(10_000):04}" for _ in range(100)]
    keys = [random_numbers.randrange(50_000) for _ in range(50)]
    return {"id": name, "text": " ".join(words), "keys": keys, "churn": random_numbers.randrange(100, 2000)}


def answer_to(one):
    """What a seed must answer, found independently of it."""
    return {
        "id": one["id"],
        "total": sum(one["keys"]),
        "squares": [key * key for key in one["keys"]],
        "words": sorted(one["text"].split()),
        "digest": hashlib.sha256(one["text"].encode()).hexdigest(),
    }


def control(here, name, folder):
    """Positive control: a clone that is asked for a key that does not exist dies, and that is found."""
    bad = {"id": "control", "text": "a", "keys": [50_000], "churn": 1}
    (folder / "requests-1").write_text(json.dumps(bad) + "\n")
    words = ["--fd", "0=/dev/null", "--fd", f"1={folder}/out-1", "--fd", f"2={folder}/err-1"]
    words += ["--fd", f"3={folder}/requests-1", "--fd", f"4={folder}/answers-1"]
    done = subprocess.run(here.command("clone", name, *words), capture_output=True, text=True, timeout=BATCH_LIMIT_S)
    if not ended_badly(done, folder) or lines_of(folder / "answers-1"):
        raise Broken(f"a clone of {name} that must die did not: {done.stdout} {done.stderr}")


if __name__ == "__main__":
    main()
