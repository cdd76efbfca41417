#!/usr/bin/python3
"""Runs the fidelity suite: does a program notice that it was frozen and cloned? README.md explains the contract."""

import argparse
import fnmatch
import json
import os
import shutil
import sys
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from programs import SUITE, build_all, find_programs, read_known
from trials import FAILED, KNOWN, PASSED, REFUSED, SKIPPED, Result, Settings, try_program

TARGET = SUITE.parent.parent / "target"
ALL_PLANS = (("local", 1), ("local", 50), ("mapped", 1), ("mapped", 50))
QUICK_PLANS = (("local", 1), ("mapped", 5))


def main():
    options = read_options()
    programs = [p for p in find_programs() if any(fnmatch.fnmatch(p.name, glob) for glob in options.only)]
    if options.sabotage:
        programs = [program for program in programs if program.can_be_sabotaged]
    if not programs:
        sys.exit("no program has such a name")
    build = options.build.resolve()
    broken = build_all(programs, build)
    results = [Result(name, "build", FAILED, text) for name, text in broken.items()]
    scratch = make_scratch(build)
    settings = Settings(
        build=build,
        scratch=scratch,
        pool=(options.pool or scratch / "pool").resolve(),
        offshoot=None if options.native else options.bin.resolve(),
        plans=QUICK_PLANS if options.quick else ALL_PLANS,
        sabotage=options.sabotage,
        timeout_s=options.timeout,
        keep=options.keep,
    )
    settings.pool.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(options.jobs) as pool:
        hanging = {name for name, reason in read_known().items() if reason.startswith("hangs")}
        left_out = set(broken) | (hanging if options.quick else set())
        whole = [program for program in programs if program.name not in left_out]
        for some in pool.map(lambda program: try_program(program, settings), whole):
            results += some
    if options.sabotage:
        results = judge_sabotage(results)
    elif not options.native:
        results = judge_known(results, read_known())
    if options.json:
        options.json.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")
    summarize(results)
    if not any(result.outcome == FAILED for result in results) and not options.keep:
        shutil.rmtree(scratch, ignore_errors=True)
    sys.exit(any(result.outcome == FAILED for result in results))


def make_scratch(build):
    """The directory of this run, named by our process id; those of runs that have ended are removed."""
    runs = build / "run"
    runs.mkdir(parents=True, exist_ok=True)
    for old in runs.iterdir():
        if not Path("/proc", old.name).exists():
            shutil.rmtree(old, ignore_errors=True)
    scratch = runs / str(os.getpid())
    scratch.mkdir(exist_ok=True)
    return scratch


def read_options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", type=Path, default=TARGET / "release" / "offshoot", help="the offshoot to test")
    parser.add_argument("--native", action="store_true", help="do not clone: check the programs themselves")
    parser.add_argument("--only", action="append", metavar="GLOB", help="only these, such as 'memory/*'; repeatable")
    parser.add_argument("--quick", action="store_true", help="1 local clone and 5 mapped ones instead of 1 and 50 each")
    parser.add_argument("--sabotage", action="store_true", help="positive control: programs spoil their state and must fail")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="programs at a time (2)")
    parser.add_argument("--timeout", type=float, default=10, metavar="S", help="what hangs so long is killed (10)")
    parser.add_argument("--build", type=Path, default=TARGET / "fidelity", metavar="DIR", help="target/fidelity")
    parser.add_argument("--pool", type=Path, metavar="DIR", help="the engine's pool (one of this run alone)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every result there")
    parser.add_argument("--keep", action="store_true", help="keep all scratch directories, not only those of failures")
    options = parser.parse_args()
    options.only = options.only or ["*"]
    return options


def judge_known(results, known):
    """Turns failures that are expected into known ones, and complains about those that are gone.

    A name in `known` is of a program, or of a program with one backing: `memory/mremap_grow (mapped)`.
    """
    failed, tried = set(), set()
    for result in results:
        names = names_in(known, result)
        if result.outcome != SKIPPED:
            tried.update(names)
        if result.outcome == FAILED and names:
            failed.update(names)
            result.outcome, result.reason = KNOWN, f"{known[names[0]]} [{result.reason}]"
    judged = list(results)
    for name in sorted(tried - failed):
        judged.append(Result(name, "known.toml", FAILED, "is listed as known, but passes"))
    programs = {program.name for program in find_programs()}
    strangers = [name for name in known if name.split(" (")[0] not in programs]
    judged += [Result(name, "known.toml", FAILED, "no such program") for name in sorted(strangers)]
    return judged


def names_in(known, result):
    """The names under which a result is known."""
    backing = result.how.split(" ")[0]
    return [name for name in (result.program, f"{result.program} ({backing})") if name in known]


def judge_sabotage(results):
    """Reverses the verdict: a sabotaged program that passes verifies nothing. Only its own complaint counts."""
    judged = []
    for result in results:
        if result.outcome == FAILED and "fail: " in result.reason:
            judged.append(Result(result.program, result.how, PASSED, "", result.seconds))
        elif result.outcome == PASSED and result.how not in ("checkpoint", "image rm"):
            judged.append(Result(result.program, result.how, FAILED, "was sabotaged and passes", result.seconds))
        else:
            judged.append(result)
    return judged


def summarize(results):
    """Prints failures, what is known, what was skipped for lack of what, and the counts."""
    counts = Counter(result.outcome for result in results)
    for outcome in (KNOWN, FAILED):
        for result in results:
            if result.outcome == outcome:
                print(f"{outcome:8} {result.program} ({result.how}): {result.reason}")
    missing = defaultdict(list)
    for result in results:
        if result.outcome == SKIPPED:
            missing[result.reason].append(result.program)
    for capability, names in sorted(missing.items()):
        print(f"{SKIPPED:8} {len(names)} for lack of {capability}: {', '.join(names)}")
    per_category = Counter(name.split("/")[0] for name in {result.program for result in results})
    print(f"programs {len({result.program for result in results})}: " + ", ".join(f"{k} {v}" for k, v in sorted(per_category.items())))
    print("trials   " + ", ".join(f"{counts[kind]} {kind}" for kind in (PASSED, FAILED, REFUSED, KNOWN, SKIPPED)))


if __name__ == "__main__":
    main()
