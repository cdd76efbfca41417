"""What is done with one program: run it natively, or freeze it, clone it, and look at what the clones said."""

import shutil
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from processes import Seed, run

PASSED, FAILED, REFUSED, SKIPPED, KNOWN = "passed", "failed", "refused", "skipped", "known"


@dataclass
class Result:
    """What came of one trial. `how` is "native", "checkpoint", or backing and number of clones."""

    program: str
    how: str
    outcome: str
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Settings:
    """What all trials of a run share. `plans` are the pairs of backing and number of clones."""

    build: Path
    scratch: Path
    pool: Path
    offshoot: Path | None
    plans: tuple[tuple[str, int], ...]
    sabotage: bool
    timeout_s: float
    keep: bool


class Failure(Exception):
    """Why a trial failed."""


class Skip(Exception):
    """The capability that a program says is missing."""


def try_program(program, settings):
    """All trials of one program."""
    scratch = settings.scratch / program.image
    scratch.mkdir()
    scratch.chmod(0o777)  # some programs give up root
    variables = {} if settings.offshoot else {"FIDELITY_NATIVE": "1"}
    if settings.sabotage:
        variables["FIDELITY_SABOTAGE"] = "1"
    seed = Seed(program.binary(settings.build), scratch, variables)
    results = []
    try:
        if not settings.offshoot:
            trials = [("native", lambda: run_natively(seed, settings))]
        elif program.refusals:
            trials = [("checkpoint", lambda: be_refused(program, seed, scratch, settings))]
        else:
            plans = dict.fromkeys((backing, min(n, program.clones_at_most)) for backing, n in settings.plans)
            trials = [("checkpoint", lambda: freeze(program, seed, scratch, settings))]
            trials += [(f"{b} x{n}", lambda b=b, n=n: clone(program, b, n, scratch, settings)) for b, n in plans]
        for how, trial in trials:
            results.append(attempt(program, how, trial))
            if results[-1].outcome in (SKIPPED, FAILED) and how == "checkpoint":
                break
    finally:
        seed.end()
        if settings.offshoot and not program.refusals:
            command = [settings.offshoot, "image", "rm", program.image, "--pool", settings.pool]
            code, said = run(command, settings.timeout_s, scratch / "remove.log")
            if code != 0 and results and results[0].outcome == PASSED:
                results.append(Result(program.name, "image rm", FAILED, f"exit {code}: {last_line(said)}"))
    if not settings.keep and all(result.outcome != FAILED for result in results):
        shutil.rmtree(scratch, ignore_errors=True)
    return results


def attempt(program, how, trial):
    began = time.monotonic()
    outcome, reason = PASSED, ""
    try:
        outcome = trial() or PASSED
    except Failure as failure:
        outcome, reason = FAILED, str(failure)
    except Skip as skip:
        outcome, reason = SKIPPED, str(skip)
    return Result(program.name, how, outcome, reason, round(time.monotonic() - began, 3))


def await_ready(seed, settings):
    if not seed.read_until(lambda said: said.endswith(b"\n"), settings.timeout_s):
        raise Failure(f"not ready within {settings.timeout_s:g} s")
    said = seed.said.decode(errors="replace")
    if said.startswith("skip: "):
        raise Skip(said[6:].strip())
    if said != "ready\n":
        raise Failure(f"said {said!r} instead of ready, exit {seed.end()}{errors_of(seed)}")


def run_natively(seed, settings):
    await_ready(seed, settings)
    finish(seed, settings)


def finish(seed, settings):
    """Lets a program that is ready go on, and looks at how it ends."""
    seed.give_byte()
    if not seed.read_until(lambda said: said.count(b"\n") > 1, settings.timeout_s):
        raise Failure(f"hangs for {settings.timeout_s:g} s after the byte")
    if not seed.read_until(lambda said: False, settings.timeout_s):
        raise Failure("does not end")
    code = seed.wait(settings.timeout_s)
    said = seed.said.decode(errors="replace").removeprefix("ready\n")
    if said != "pass\n" or code != 0:
        raise Failure(f"said {said!r}, {'does not end' if code is None else f'exit {code}'}")


def checkpoint(program, seed, scratch, settings):
    command = [settings.offshoot, "checkpoint", str(seed.pid), "--image", program.image]
    command += ["--external", "0", "--external", "1", "--external", "2", "--pool", settings.pool]
    return run(command, settings.timeout_s, scratch / "checkpoint.log")


def freeze(program, seed, scratch, settings):
    """Makes the image of a program that is ready; the seed must be dead then."""
    await_ready(seed, settings)
    code, said = checkpoint(program, seed, scratch, settings)
    if code is None:
        raise Failure(f"the checkpoint hangs for {settings.timeout_s:g} s")
    if code != 0:
        raise Failure(f"checkpoint: exit {code}: {last_line(said)}")
    if not seed.read_until(lambda said: False, settings.timeout_s):
        raise Failure("the seed lives after its checkpoint")


def be_refused(program, seed, scratch, settings):
    """The checkpoint must fail with a message that names the reason, and the program must not notice."""
    await_ready(seed, settings)
    code, said = checkpoint(program, seed, scratch, settings)
    if code is None:
        raise Failure(f"the checkpoint hangs for {settings.timeout_s:g} s")
    if code == 0:
        raise Failure(f"was not refused ({' and '.join(map(' or '.join, program.refusals))})")
    for texts in program.refusals:
        if not any(text.lower() in said.lower() for text in texts):
            raise Failure(f"the refusal does not say {' or '.join(texts)}: {last_line(said)}")
    try:
        finish(seed, settings)
    except Failure as failure:
        raise Failure(f"after the refusal: {failure}") from None
    return REFUSED


def clone(program, backing, number, scratch, settings):
    """Makes clones, waits for their end, and compares what each said."""
    for kind in ("out", "err"):
        for old in scratch.glob(f"{kind}-*"):
            old.unlink()
    command = [settings.offshoot, "clone", program.image, "-n", str(number), "--backing", backing]
    command += ["--fd", "0=/dev/zero", "--fd", f"1={scratch}/out-{{n}}", "--fd", f"2={scratch}/err-{{n}}"]
    timeout_s = settings.timeout_s * (1 + number / 25)  # two cores must run them all
    code, said = run([*command, "--pool", settings.pool], timeout_s, scratch / f"clone-{backing}-{number}.log")
    wrong = Counter(filter(None, (wrong_with(scratch / f"out-{n}") for n in range(1, number + 1))))
    told = ", ".join(f"{count}x {what}" for what, count in wrong.most_common(3))
    if code is None:
        raise Failure(f"hangs for {timeout_s:g} s: {told or 'all clones passed'}")
    if wrong:
        raise Failure(f"{told} (exit {code}: {last_line(said)})")
    if code != 0:
        raise Failure(f"clone: exit {code}: {last_line(said)}")


def wrong_with(path):
    """What is wrong with what a clone wrote; empty if nothing."""
    try:
        said = path.read_text(errors="replace")
    except FileNotFoundError:
        return "no output file"
    return "" if said == "pass\n" else (said.strip()[:300] or "silence")


def errors_of(seed):
    try:
        text = Path(f"/proc/{seed.pid}/fd/2").read_text()
    except OSError:
        return ""
    return f": {text.strip()[-300:]}" if text.strip() else ""


def last_line(text):
    return (text.strip().splitlines() or ["silence"])[-1][:400]
