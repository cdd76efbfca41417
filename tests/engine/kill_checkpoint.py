#!/usr/bin/python3
"""Kills or starves `offshoot checkpoint --leave-running` at each of its system calls: what of the process and the pool?

After each case the process goes on as if nothing had happened: asked for its line, it writes the right one. The pool
has either no new image or a whole one, and the next user finds no unfinished file. One exception: while the process is
made to perform system calls itself, the death of its tracer leaves it with registers that are not its own. Only a kill
between the first and the last setting of registers may cost the process; such losses are counted."""

import argparse
import errno
import re
import select
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from kill_sweep import BINARY, HERE, Case, choose, native_line
from leftovers import Watch, be_alone_with_mounts, where
from seeds import Broken, compile_program, place
from syscalls import NAMES, SHORT_OF_DESCRIPTORS, SHORT_OF_MEMORY
from tracer import Point, Tracer, adopt_orphans

LIMIT_S, LINGER_S = 10, 2


def main():
    options = read_options()
    adopt_orphans()
    be_alone_with_mounts()
    try:
        with place(options.bin) as here:
            sys.exit(sweep(here, options))
    except Broken as broken:
        sys.exit(f"kill_checkpoint: {broken}")


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=Path, default=BINARY, help="the offshoot to test")
    parser.add_argument("--cases", type=int, default=100, metavar="N", help="how many points to try (100)")
    parser.add_argument("--full", action="store_true", help="try all")
    parser.add_argument("--only", default="", metavar="REGEX", help="only cases whose names match")
    parser.add_argument("--seed", type=int, default=1, help="chooses the cases (1)")
    return parser.parse_args()


def sweep(here, options):
    began = time.monotonic()
    program = compile_program(HERE / "sweep_program.c", here)
    stage = Stage(here, program, native_line(program))
    problems, outcome = stage.play(Point("nobody", 0, 0), None)
    if problems or stage.lost or outcome.code != 0 or not stage.whole_images:
        raise Broken(f"an undisturbed run has problems: {problems + stage.lost}, exit {outcome.code}: {stage.said}")
    interview = range(1, outcome.registers_set)
    cases = []
    for (role, number), count in sorted(outcome.calls.items()):
        points = [Point(role, number, occurrence) for occurrence in range(1, count + 1)]
        cases += [Case("checkpoint", point, error) for point in points for error in errors_of(number)]
    found = len(cases)
    cases = [case for case in cases if re.search(options.only, str(case))]
    if not options.full:
        cases = choose(cases, options.cases, options.seed)
    tally, failed = Counter(), 0
    for case in cases:
        problems, outcome = stage.play(case.point, case.error)
        tally["missed" if not outcome.hit else "killed" if case.error is None else "starved"] += 1
        tally["images"] += stage.whole_images
        if stage.lost and case.error is None and outcome.registers_set_before_hit in interview:
            tally["processes lost in their interview"] += 1
        else:
            problems += stage.lost
        if problems:
            failed += 1
            print(f"{case} -> exit {outcome.code}, {(stage.said.strip().splitlines() or ['silence'])[-1]}")
            for problem in problems:
                print(f"    {problem}")
            sys.stdout.flush()
    told = ", ".join(f"{count} {what}" for what, count in sorted(tally.items()))
    took_s = time.monotonic() - began
    print(f"kill_checkpoint: {len(cases)} of {found} cases in {took_s:.0f} s: {told}, {failed} failed")
    return 1 if failed else 0


def errors_of(number):
    if NAMES[number] == "execve":
        return [None]
    errors = [errno.ENOMEM] * (number in SHORT_OF_MEMORY) + [errno.EMFILE] * (number in SHORT_OF_DESCRIPTORS)
    return [None, *errors]


def role_of(creator, how, known):
    if creator is None:
        return "cli"
    return creator if how == "exec" else f"{creator} {how}"


class Stage:
    """Where cases are played, each with a process of its own."""

    def __init__(self, here, program, line):
        self.here, self.program, self.line = here, program, line
        self.said, self.whole_images, self.lost = "", 0, []

    def play(self, point, error):
        watch = Watch(self.here.pool, {self.program.name})
        seed = subprocess.Popen([self.program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        try:
            if seed.stdout.readline() != b"ready\n":
                raise Broken("the seed is not ready")
            words = ["checkpoint", seed.pid, "--image", "case", "--leave-running"]
            words += [word for number in (0, 1, 2) for word in ("--external", number)]
            with open("/dev/null", "r+b") as nothing, open(self.here.scratch / "said", "w+b") as said:
                tracer = Tracer(role_of, point, error)
                files = [nothing.fileno(), said.fileno(), said.fileno()]
                outcome = tracer.run(self.here.command(*words), files, LIMIT_S, LINGER_S)
                said.seek(0)
                self.said = said.read().decode(errors="replace")
            problems = [] if outcome.in_time else [f"the command hangs for {LIMIT_S} s"]
            self.lost = self.seed_problems(seed)
        finally:
            seed.kill()
            seed.stdin.close()
            seed.stdout.close()
            seed.wait()
        problems += self.pool_problems(outcome)
        watch.await_end(LINGER_S)
        problems += watch.problems(may_make_cgroups=False)
        watch.clear()
        return problems, outcome

    def seed_problems(self, seed):
        """Asks the process for its line."""
        try:
            seed.stdin.write(b"x")
        except BrokenPipeError:
            pass
        if not select.select([seed.stdout], [], [], 2)[0]:
            return [f"the process does not answer: {where(seed.pid)}"]
        line = seed.stdout.readline().decode(errors="replace")
        return [] if line == self.line else [f"the process said {line!r}, exit {seed.wait(2)}"]

    def pool_problems(self, outcome):
        """No image, or a whole one; whoever opens the pool next clears what is unfinished."""
        try:
            self.here.run("image", "ls")
            names = sorted(path.name for path in self.here.pool.iterdir())
            self.whole_images = len(names)
            if names == ["case"]:
                self.here.run("image", "verify", "case")
                self.here.run("image", "rm", "case")
            elif names:
                return [f"the pool holds {names}"]
            elif outcome.code == 0:
                return ["the command ends with 0, but there is no image"]
        except Broken as broken:
            return [str(broken)]
        return []


if __name__ == "__main__":
    main()
