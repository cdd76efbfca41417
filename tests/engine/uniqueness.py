#!/usr/bin/python3
"""Do clones of one seed draw the same random numbers? Real bootstraps are frozen where they wait for an event, and each
clone draws from every generator of its language: nothing may be drawn twice. Each fix is also switched off, and then
what it is for must repeat (docs/design/uniqueness.md)."""

import argparse
import collections
import fcntl
import json
import os
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

from leftovers import Watch, be_alone_with_mounts
from seeds import Broken, place
from tracer import adopt_orphans

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "runtimes"))
import driver  # noqa: E402

# The second process of a PID namespace, as a runtime is in a sandbox.
IN_PID_NAMESPACE = ("/usr/bin/unshare", "--pid", "--fork", "--mount-proc", "/bin/bash", "-c", '"$@" & wait', "init")
CLONES, FEW, DRAWS, BATCH = 60, 6, 3, 50
OWN_FROM, PREFIX = 3000, 20  # our ends of the channels; theirs are 201, 202, ... 2010, ...
TIMEOUT_S, LINGER_S = 60, 5

# What makes clones draw differently, and so what must be off for them to repeat. A generator that asks the kernel every
# time is kept by nothing. One that is made by the seed repeats whatever is done: a control by itself.
KERNEL, RESUME, PID, DRAIN, NOTHING = "kernel", "resume", "process id", "drain", "nothing"
HANDLERS = {"python3.11": ("unique_seed.py", "unique_seed.handler"), "nodejs20.x": ("unique_seed.mjs", "unique_seed.draw")}
KEPT_BY = {
    "python3.11": {
        "os.urandom": KERNEL,
        "secrets.token_hex": KERNEL,
        "random.SystemRandom": KERNEL,
        "uuid.uuid4": KERNEL,
        "random.random": RESUME,
        "random.getrandbits": RESUME,
        "random.Random() made by the clone": KERNEL,
        "random.Random() with a hook of its own": RESUME,
        "random.Random() with a fork hook": RESUME,
        "random.Random() made by the seed": NOTHING,
        "uuid.uuid1 whole": KERNEL,
        "uuid.uuid1 node and sequence": RESUME,
        "tempfile": PID,
        "ssl.RAND_bytes": PID,
        "TLS ClientHello random": PID,
        "TLS ClientHello session": PID,
        "TLS ClientHello key share": PID,
        "numpy.random.random": RESUME,
        "numpy default_rng() made by the clone": KERNEL,
        "numpy default_rng() made by the seed": NOTHING,
    },
    "nodejs20.x": {
        "Math.random": RESUME,
        "Math.random kept": RESUME,
        "crypto.randomBytes": PID,
        "crypto.randomBytes in a thread": PID,
        "crypto.randomFillSync": PID,
        "crypto.getRandomValues": PID,
        "crypto.randomUUID": DRAIN,
        "webcrypto.randomUUID": DRAIN,
        "crypto.randomInt": DRAIN,
        "crypto.randomInt in a thread": DRAIN,
        "EC key": PID,
        "X25519 key": PID,
        "webcrypto AES key": PID,
        "fs.mkdtemp": KERNEL,
        "a hook's number": RESUME,
    },
}


def main():
    options = read_options()
    adopt_orphans()
    be_alone_with_mounts()
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
    failed = 0
    try:
        with place(options.bin) as here:
            for runtime in options.only or HANDLERS:
                failed += try_runtime(here, runtime, options)
    except (Broken, OSError, EOFError, subprocess.SubprocessError) as broken:
        sys.exit(f"uniqueness: {broken}")
    sys.exit(1 if failed else 0)


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.split("?")[0] + "?")
    parser.add_argument("--bin", type=Path, default=ROOT / "target" / "release" / "offshoot", help="the offshoot to test")
    parser.add_argument("--clones", type=int, default=CLONES, metavar="N", help=f"of each runtime ({CLONES})")
    parser.add_argument("--only", action="append", choices=HANDLERS, help="only this runtime")
    parser.add_argument("--packages", type=Path, default=ROOT / "workloads" / ".build" / "linpack", help="where numpy is")
    parser.add_argument("--json", action="store_true", help="print one line of JSON for each runtime, for benchmarks")
    parser.add_argument("--show", action="store_true", help="print each generator and how much was distinct")
    return parser.parse_args()


def try_runtime(here, runtime, options):
    """All experiments with one runtime; how many generators do what they should not."""
    began = time.monotonic()
    preload = compile_preload(here)
    kept_by = KEPT_BY[runtime]
    whole, inside, undrained, same = images = ("whole", "inside", "undrained", "same")
    make_image(here, whole, runtime, options)
    make_image(here, inside, runtime, options, command=IN_PID_NAMESPACE)
    make_image(here, undrained, runtime, options, freezes=False)
    make_image(here, same, runtime, options, freezes=False, preload=preload)
    run = lambda image, count, resumes, *more: clone_and_draw(here, image, count, resumes, *more)  # noqa: E731
    drawn = run(whole, options.clones, True)
    for name in kept_by.keys() - drawn.keys():
        print(f"uniqueness: {runtime}: skipped: {name} (no numpy at {options.packages})")
    expected = {name: rule for name, rule in kept_by.items() if name in drawn}
    if drawn.keys() - expected.keys():
        raise Broken(f"no rule for {drawn.keys() - expected.keys()}")
    problems = unlike(expected, drawn, "clones", repeating={NOTHING})
    problems += unlike(expected, run(whole, FEW, True, "--sandbox"), "clones in sandboxes", repeating={NOTHING})
    # Both have the first id that is free in a PID namespace, unless the engine sees to it.
    problems += unlike(expected, run(inside, FEW, True, "--sandbox"), "clones and seed in sandboxes", repeating={NOTHING})
    # The controls: what a fix is for repeats without it.
    problems += unlike(expected, run(whole, FEW, False), "without RESUME", repeating={NOTHING, RESUME})
    problems += unlike(expected, run(undrained, FEW, True), "without FREEZE", repeating=of_undrained(runtime))
    unfixed = run(same, FEW, False)
    problems += unlike(expected, unfixed, "with everything off",
                       repeating={NOTHING, RESUME, PID, DRAIN})
    problems += unlike(expected, run(same, FEW, True), "with the seed's process id and without FREEZE", repeating=of_same(runtime))
    report(runtime, options, expected, (drawn, unfixed), problems, time.monotonic() - began)
    for image in images:
        here.run("image", "rm", image)
    return len(problems)


def of_undrained(runtime):
    return {NOTHING, DRAIN} if runtime == "nodejs20.x" else {NOTHING}


def of_same(runtime):
    """Python's OpenSSL is given fresh bytes besides; Node has no such call, and rests on the process id."""
    return {NOTHING, PID, DRAIN} if runtime == "nodejs20.x" else {NOTHING}


def totals(expected, drawn):
    """How many values were drawn, and how many of them twice, but from generators of user code."""
    judged = [drawn[name] for name, rule in expected.items() if rule != NOTHING]
    return sum(map(len, judged)), sum(map(repeats_in, judged))


def report(runtime, options, expected, experiments, problems, took_s):
    drawn, unfixed = experiments
    values, repeats = totals(expected, drawn)
    for problem in problems:
        print(f"uniqueness: {runtime}: {problem}")
    if options.show:
        for name, rule in expected.items():
            print(f"  {len(drawn[name]) - repeats_in(drawn[name]):>6} of {len(drawn[name]):>6}  {name} ({rule})")
    if options.json:
        unfixed_values, unfixed_repeats = totals(expected, unfixed)
        verdict = {"runtime": runtime, "values": values, "repeats": repeats}
        print(json.dumps(verdict | {"unfixed_values": unfixed_values, "unfixed_repeats": unfixed_repeats}))
    print(
        f"uniqueness: {runtime}: {options.clones} clones drew {values} values, {repeats} of them twice;"
        f" {len(problems)} problems, {took_s:.1f} s"
    )
    sys.stdout.flush()


def unlike(expected, drawn, where, repeating):
    """The generators that repeat though they must not, or do not though they must."""
    problems = []
    for name, rule in expected.items():
        repeats = repeats_in(drawn[name])
        if (repeats > 0) != (rule in repeating):
            wanted = "must repeat" if rule in repeating else "must not repeat"
            problems.append(f"{where}: {name} ({rule}) {wanted}: {repeats} repeats in {len(drawn[name])}")
    return problems


def repeats_in(values):
    return len(values) - len(set(values))


def compile_preload(here):
    library = here.scratch / "same_pid.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, HERE / "same_pid.c"], check=True)
    return library


def make_image(here, name, runtime, options, freezes=True, preload=None, command=()):
    """Freezes a bootstrap where it waits for its first event. `command` is what starts it."""
    file, handler = HANDLERS[runtime]
    folder = here.scratch / f"task-{runtime}"
    folder.mkdir(exist_ok=True)
    (folder / file).write_bytes((HERE / file).read_bytes())
    env = {"PYTHONPATH": str(options.packages), "OPENBLAS_NUM_THREADS": "1"}
    if preload is not None:
        env["LD_PRELOAD"] = str(preload)
    # The scratch directory is not in sandboxes.
    with driver.Runtime(runtime, folder, handler, env, cwd="/", wrapper=command) as seed:
        first = seed.receive()
        if first.kind != driver.READY:
            raise Broken(f"the seed of {runtime} is not ready: {first} {seed.log()}")
        if freezes:
            answer = seed.freeze()
            if answer.kind != driver.FROZEN:
                raise Broken(f"the seed of {runtime} is not frozen: {answer} {seed.log()}")
        pid = youngest(seed.process.pid)
        await_read(pid)
        externals = [word for number in range(4) for word in ("--external", number)]
        here.run("checkpoint", pid, "--image", name, *externals)


def youngest(pid):
    """The process at the end of a chain of only children."""
    while children := Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        pid = int(children[0])
    return pid


def await_read(pid):
    """Waits until the seed waits in a read of descriptor 3: `syscall` in proc(5)."""
    until = time.monotonic() + TIMEOUT_S
    while time.monotonic() < until:
        words = Path(f"/proc/{pid}/syscall").read_text().split()
        if words[:2] == ["0", "0x3"]:
            return
        time.sleep(0.005)
    raise Broken(f"the seed waits in {words[:2]}, not in a read of its channel")


def clone_and_draw(here, image, count, resumes, *flags):
    """What so many clones drew, by generator."""
    drawn = collections.defaultdict(list)
    for start in range(0, count, BATCH):
        for answer in batch(here, image, min(BATCH, count - start), resumes, flags):
            for name, values in answer.items():
                drawn[name] += values
    return drawn


def batch(here, image, count, resumes, flags):
    """Makes some clones at once; the answer of each."""
    watch = Watch(here.pool, set())
    channels, theirs = [], []
    for number in range(1, count + 1):
        ours, other = socket.socketpair()
        channels.append(driver.Conversation(socket.socket(fileno=fcntl.fcntl(ours, fcntl.F_DUPFD_CLOEXEC, OWN_FROM)), TIMEOUT_S))
        ours.close()
        theirs.append((fcntl.fcntl(other, fcntl.F_DUPFD_CLOEXEC, OWN_FROM), int(f"{PREFIX}{number}")))
        other.close()
    words = ["clone", image, "-n", count, "--fd", f"3=/dev/fd/{PREFIX}{{n}}", *flags]
    for number, mode in ((0, "null"), (1, "out"), (2, "out")):
        words += ["--fd", f"{number}=" + ("/dev/null" if mode == "null" else str(here.scratch / "clones.log"))]
    clones = spawn(here.command(*words), theirs)
    try:
        for channel in channels:
            first = driver.invoke_frame(DRAWS)
            channel.channel.sendall((driver.resume_frame() + first) if resumes else first)
        answers = [answered(channel.receive(), here) for channel in channels]
    except (EOFError, ConnectionError) as gone:
        clones.kill()
        raise Broken(f"a clone of {image} is gone ({gone}): {clones.communicate()} {log_of(here)}") from gone
    finally:
        for channel in channels:
            channel.channel.close()
        _, errors = clones.communicate(timeout=TIMEOUT_S)
    if clones.returncode != 0:
        raise Broken(f"clones of {image}: exit {clones.returncode}: {errors[-500:]}")
    watch.await_end(LINGER_S)
    return answers


def spawn(command, descriptors):
    """Runs offshoot with each of `descriptors` (own number, number there)."""

    def place_descriptors():
        for own, number in descriptors:
            os.dup2(own, number)

    try:
        return subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            close_fds=False,
            preexec_fn=place_descriptors,
            text=True,
        )
    finally:
        for own, _ in descriptors:
            os.close(own)


def answered(frame, here):
    if frame.kind != driver.RESPONSE:
        raise Broken(f"a clone answers {frame}: {log_of(here)}")
    return frame.json()


def log_of(here):
    """The last that clones printed."""
    log = here.scratch / "clones.log"
    return log.read_text()[-500:] if log.exists() else ""


if __name__ == "__main__":
    main()
