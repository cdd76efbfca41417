#!/usr/bin/python3
"""Ends, starves or refuses each process of `offshoot clone` at each of its system calls, and looks at what remains.

Good runs are traced; each (role, system call, occurrence) in them is a point at which that process is killed, or at
which the call fails for lack of memory, descriptors or permission. After each case: every clone has written exactly its
line or nothing; success is only claimed if all have; a nursery that was killed after its start has cost no clone; and two
seconds after the command has ended there is no process, mount, cgroup, descriptor or file that was not there before."""

import argparse
import errno
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from leftovers import Watch, be_alone_with_mounts
from seeds import Broken, compile_program, make_image, place
from syscalls import NAMES, REFUSED, SHORT_OF_DESCRIPTORS, SHORT_OF_MEMORY
from tracer import Point, Tracer, adopt_orphans

HERE = Path(__file__).resolve().parent
BINARY = HERE.parent.parent / "target" / "release" / "offshoot"
CLONES = 2
LIMIT_S, LINGER_S = 5, 2
# What to sweep, and with which further words.
SCENARIOS = {
    "local": ["--backing", "local"],
    "mapped": ["--backing", "mapped"],
    "parked": ["--park"],
    "detached": ["--detach"],
}
# Before main, Rust's library ends a process that gets no alternative stack; that is a clean end.
NOT_OUR_PANICS = "/library/std/src/sys/pal/unix/stack_overflow.rs"


@dataclass(frozen=True)
class Case:
    scenario: str
    point: Point
    error: int | None  # None: killed

    def __str__(self):
        how = "killed" if self.error is None else errno.errorcode[self.error]
        call = NAMES.get(self.point.number, self.point.number)
        return f"{self.scenario}: {self.point.role}, {call} #{self.point.occurrence}, {how}"


def main():
    options = read_options()
    adopt_orphans()
    be_alone_with_mounts()
    try:
        with place(options.bin) as here:
            sys.exit(sweep(here, options))
    except Broken as broken:
        sys.exit(f"kill_sweep: {broken}")


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=Path, default=BINARY, help="the offshoot to test")
    parser.add_argument("--cases", type=int, default=150, metavar="N", help="how many points to try (150)")
    parser.add_argument("--full", action="store_true", help="try all")
    parser.add_argument("--only", default="", metavar="REGEX", help="only cases whose names match")
    parser.add_argument("--seed", type=int, default=1, help="chooses the cases (1)")
    parser.add_argument("--limit", type=float, default=LIMIT_S, metavar="S", help=f"longer is a hang ({LIMIT_S})")
    parser.add_argument("--verbose", action="store_true", help="name each case, and what came of it")
    return parser.parse_args()


def sweep(here, options):
    began = time.monotonic()
    program = compile_program(HERE / "sweep_program.c", here)
    make_image(here, "sweep", [program], [0, 1, 2])
    stage = Stage(here, program.name, native_line(program), options.limit)
    control(stage)
    points = enumerate_points(stage)
    cases = [case for case in points if re.search(options.only, str(case))]
    if not options.full:
        cases = choose(cases, options.cases, options.seed)
    failures, tally = defaultdict(list), Counter()
    for case in cases:
        problems, outcome = stage.play(case)
        tally["missed" if not outcome.hit else "killed" if case.error is None else "starved"] += 1
        tally["clones that answered"] += stage.answers
        for problem in problems:
            failures[str(case)].append(problem)
        if options.verbose or problems:
            said = stage.said.strip().splitlines()
            print(f"{case} -> exit {outcome.code}, {stage.answers} answers, {said[-1] if said else 'silence'}")
            for problem in problems:
                print(f"    {problem}")
            sys.stdout.flush()
    told = ", ".join(f"{count} {what}" for what, count in sorted(tally.items()))
    print(f"kill_sweep: {len(cases)} of {len(points)} cases in {time.monotonic() - began:.0f} s: {told}")
    print(f"kill_sweep: {len(failures)} failed" if failures else "kill_sweep: nothing was left, no answer was wrong")
    return 1 if failures else 0


class Stage:
    """Where cases are played: one image, and a directory in which clones write."""

    def __init__(self, here, program, line, limit_s):
        self.here, self.program, self.line, self.limit_s = here, program, line, limit_s
        self.out = here.scratch / "out"
        self.out.mkdir()
        self.said, self.answers = "", 0

    def run(self, scenario, point=None, error=None):
        for old in self.out.iterdir():
            old.unlink()
        words = ["clone", "sweep", "-n", CLONES, *SCENARIOS[scenario]]
        words += ["--fd", "0=/dev/null", "--fd", f"1={self.out}/{{n}}"]
        with open("/dev/null", "r+b") as nothing, open(self.here.scratch / "said", "w+b") as said:
            tracer = Tracer(role_of, point, error)
            files = [nothing.fileno(), said.fileno(), said.fileno()]
            outcome = tracer.run(self.here.command(*words), files, self.limit_s, LINGER_S)
            said.seek(0)
            self.said = said.read().decode(errors="replace")
        return outcome

    def play(self, case, plant=lambda: None):
        """One case; what is wrong afterwards."""
        watch = Watch(self.here.pool, {self.program})
        plant()
        outcome = self.run(case.scenario, case.point, case.error)
        problems = []
        if not outcome.in_time:
            problems.append(f"the command hangs for {self.limit_s:g} s; left: {roles_of(outcome.left)}")
        elif outcome.left:
            problems.append(f"alive {LINGER_S} s after the command's end: {roles_of(outcome.left)}")
        watch.await_end(0 if problems else LINGER_S)
        if not problems:
            problems += watch.problems(any("cgroup" in path or path[:1] != "/" for path in outcome.folders))
        watch.clear()
        return problems + self.wrong_answers(outcome, case), outcome

    def wrong_answers(self, outcome, case):
        """What is wrong with what clones have written, and with what the command has said about it."""
        wrote = [path.read_text(errors="replace") for path in sorted(self.out.iterdir())]
        self.answers = sum(text == self.line for text in wrote)
        problems = [f"a clone wrote {text[:100]!r}" for text in wrote if text not in ("", self.line)]
        if outcome.code == 0 and self.answers < CLONES and case.scenario != "detached":
            problems.append(f"the command says that all is well, but only {self.answers} clones have answered")
        if outcome.code == 0 and outcome.hit and case.error is None and case.point.role == "cli":
            problems.append("the command was killed and ends with 0")
        if outcome.hit and case.error is None and case.point.role == "nursery":
            if self.answers < CLONES and "cannot start" not in self.said:
                problems.append(f"only {self.answers} clones have answered, because the nursery was killed")
            if outcome.code != 0 and "nursery of templates" not in self.said:
                problems.append("the command does not say that the nursery was killed")
        panics = [line for line in self.said.splitlines() if "panicked" in line and NOT_OUR_PANICS not in line]
        problems += [f"a panic: {line}" for line in panics]
        if outcome.code not in (0, None) and outcome.code > 0 and not self.said.strip():
            problems.append(f"the command ends with {outcome.code} and does not say why")
        return problems


def native_line(program):
    """What the program writes if it is not cloned."""
    done = subprocess.run([program], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10)
    ready, line = done.stdout.splitlines(keepends=True)
    if ready != "ready\n" or " piped 1 3 " not in line:
        raise Broken(f"the program said {done.stdout!r}")
    return line


def roles_of(left):
    return ", ".join(sorted(role for _, role in left)) or "nobody that is traced"


def role_of(creator, how, known):
    """The names of the processes of `offshoot clone`. `creator` is who made it, or who it was before."""
    if creator is None:
        return "cli"
    if how == "exec":
        return {"starting": "nursery", "maker": "template"}.get(creator, creator)
    if how == "thread":
        return f"{creator} thread"
    if how == "sigreturn":
        return creator.replace("clone", "program") if creator.startswith("clone") else creator
    if creator == "template":
        return next(f"clone {n}" for n in range(1, 100) if not {f"clone {n}", f"program {n}"} & known)
    return {"cli": "starting", "nursery": "maker", "maker": "reader"}.get(creator, f"child of {creator}")


def enumerate_points(stage):
    """Every case that the good runs have room for."""
    cases = []
    for scenario in SCENARIOS:
        outcome = stage.run(scenario)
        lines = [path.read_text() for path in stage.out.iterdir()]
        if outcome.code != 0 or outcome.left or lines != [stage.line] * CLONES:
            what = f"ends with {outcome.code}, {outcome.left}, {lines}"
            raise Broken(f"a good run ({scenario}) {what}: {stage.said.strip()}")
        for (role, number), count in sorted(outcome.calls.items()):
            points = [Point(role, number, occurrence) for occurrence in range(1, count + 1)]
            cases += [Case(scenario, point, error) for point in points for error in errors_of(role, number)]
    return cases


def errors_of(role, number):
    """None stands for being killed. A program's own calls are its own affair, and the first execve is ours."""
    errors = [None]
    if role.startswith("program") or (role, NAMES.get(number)) == ("cli", "execve"):
        return errors
    errors += [errno.ENOMEM] * (number in SHORT_OF_MEMORY) + [errno.EMFILE] * (number in SHORT_OF_DESCRIPTORS)
    of_stub = role.startswith(("template", "clone"))
    return errors + [errno.EPERM] * (of_stub and number in REFUSED)


def choose(cases, count, seed):
    """Some of each (scenario, role, call, error) before more of any: the rare calls are the interesting ones."""
    generator, groups = random.Random(seed), defaultdict(list)
    for case in cases:
        groups[case.scenario, case.point.role, case.point.number, case.error].append(case)
    ranked = []
    for group in groups.values():
        generator.shuffle(group)
        ranked += [(rank, generator.random(), case) for rank, case in enumerate(group)]
    ranked.sort(key=lambda item: item[:2])
    return [case for _, _, case in ranked[:count]]


def control(stage):
    """Positive control: what is planted must be found."""
    def process():
        if os.fork() == 0:
            if os.fork() == 0:
                os.execv("/bin/sleep", ["sleep", "60"])
            os._exit(0)

    def file():
        (stage.here.pool / "planted").write_text("x")

    good = Case("local", Point("nobody", 0, 0), None)
    for plant, complaint in ((process, "process"), (file, "pool file is new")):
        problems, _ = stage.play(good, plant)
        if not any(complaint in problem or "alive" in problem for problem in problems):
            raise Broken(f"a planted {plant.__name__} was not found: {problems}")
        (stage.here.pool / "planted").unlink(missing_ok=True)
    right, stage.line = stage.line, "another line\n"
    problems, _ = stage.play(good)
    stage.line = right
    if not any("a clone wrote" in problem for problem in problems):
        raise Broken(f"a wrong line was not found: {problems}")
    problems, _ = stage.play(good)
    if problems:
        raise Broken(f"an undisturbed run has problems: {problems}; it said {stage.said.strip()!r}")


if __name__ == "__main__":
    main()
