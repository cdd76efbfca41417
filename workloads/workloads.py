"""The workloads as one tool: list them, make events, check answers, build packages, measure. Standard library only.

A folder with a `workload.json` is a workload. Beside its handler it has a `check.py`, which stays out of the package:

- `generate(random)` makes an event;
- `fault(event, response)` says why a response is wrong, or gives None;
- `reference(event)` computes a right response without the packages of the handler.
"""

import argparse
import contextlib
import copy
import fcntl
import hashlib
import importlib.util
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
DEFAULT_OUT = HERE / ".build"
PYTHON = "/usr/bin/python3"
NOT_PACKAGED = {"check.py", "workload.json", "__pycache__", "node_modules"}
TRAINING_EVENT = "training.json"  # in each package: what seeds handle before they are frozen
TRAINING_SEED = 2  # events of tests and benchmarks have others
BUILD_RULES = 3  # raise it when `build` makes other packages from the same sources


class Failure(Exception):
    """A message for the user; the command ends with status 1."""


class Workload:
    """One folder, its manifest and its check."""

    def __init__(self, folder):
        self.folder, self.name = folder, folder.name
        self.manifest = json.loads((folder / "workload.json").read_text())

    def check_module(self):
        spec = importlib.util.spec_from_file_location(f"check_of_{self.name}", self.folder / "check.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def environment(self):
        return {"OFFSHOOT_TRAINING_EVENT": f"@{TRAINING_EVENT}"} if self.manifest["training"] else {}

    def event(self, seed):
        return self.check_module().generate(random.Random(seed))

    def fault(self, event, response):
        """Why the response is wrong, or None. A response of a shape that no check expects is wrong, too."""
        try:
            return self.check_module().fault(event, response)
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    def sources(self):
        return sorted(p for p in self.folder.rglob("*") if p.is_file() and not NOT_PACKAGED & set(p.relative_to(self.folder).parts))


def every_workload():
    return {p.parent.name: Workload(p.parent) for p in sorted(HERE.glob("*/workload.json"))}


def find(name):
    """The workloads that `name` means: one, or `all`."""
    known = every_workload()
    if name != "all" and name not in known:
        raise Failure(f"no workload {name!r}; there are: {', '.join(known)}")
    return list(known.values()) if name == "all" else [known[name]]


# ---- build ----


@contextlib.contextmanager
def exclusive(out, name):
    """One build of a workload at a time, whoever runs it; the kernel frees the lock of a process that died."""
    out.mkdir(parents=True, exist_ok=True)
    with open(out / f".lock-{name}", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build(workload, out):
    """Makes `out/NAME`, the folder to zip; keeps it when nothing changed."""
    with exclusive(out, workload.name):
        return build_alone(workload, out)


def build_alone(workload, out):
    package, stamp = out / workload.name, out / ".stamps" / workload.name
    key = source_hash(workload)
    if package.is_dir() and stamp.is_file() and stamp.read_text() == key:
        say(f"{workload.name}: up to date")
        return package
    say(f"{workload.name}: building")
    started = time.monotonic()
    staging = out / f".staging-{workload.name}-{os.getpid()}"
    try:
        for source in workload.sources():
            target = staging / source.relative_to(workload.folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        if workload.manifest["training"]:
            (staging / TRAINING_EVENT).write_text(json.dumps(workload.event(TRAINING_SEED)))
        if workload.manifest["runtime"].startswith("python"):
            install_python(staging, out)
        else:
            install_node(staging)
        shutil.rmtree(package, ignore_errors=True)
        staging.rename(package)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text(key)
    size_bytes = sum(p.stat().st_size for p in package.rglob("*") if p.is_file())
    say(f"{workload.name}: built in {time.monotonic() - started:.1f} s, {size_bytes / 1e6:.1f} MB")
    return package


def source_hash(workload):
    digest = hashlib.sha256(f"{BUILD_RULES} {workload.manifest['runtime']}".encode())
    # check.py makes the training event.
    for source in [*workload.sources(), workload.folder / "check.py"]:
        data = source.read_bytes()
        digest.update(f"\0{source.relative_to(workload.folder)}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()


def install_python(folder, out):
    requirements = folder / "requirements.txt"
    if requirements.stat().st_size > 0:
        pip = pip_command(out)
        run([*pip, "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore", "--no-compile",
             "--only-binary=:all:", "--use-pep517", "--target", str(folder), "--requirement", str(requirements)])  # fmt: skip
        shutil.rmtree(folder / "bin", ignore_errors=True)
    # Hash-based and unchecked: the byte code stays valid whatever times the zip and the unpacking give the sources,
    # and /var/task cannot be written at run time. The paths in tracebacks are those of the function.
    run([PYTHON, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", "/var/task", str(folder)])


def pip_command(out):
    """Debian's pip, or that of a virtual environment where there is none."""
    own = [PYTHON, "-m", "pip"]
    if subprocess.run([*own, "--version"], capture_output=True, check=False).returncode == 0:
        return own
    venv = out / ".venv"
    if not venv.is_dir():
        run([PYTHON, "-m", "venv", str(venv)])
    return [str(venv / "bin" / "python"), "-m", "pip"]


def install_node(folder):
    manifest = json.loads((folder / "package.json").read_text())
    if manifest["dependencies"]:
        run(["npm", "install", "--omit=dev", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"], cwd=folder)


def run(command, cwd=None):
    result = subprocess.run(command, cwd=cwd, stdout=sys.stderr, check=False)
    if result.returncode != 0:
        raise Failure(f"{' '.join(command[:4])} … ended with status {result.returncode}")


# ---- run ----


def start(workload, package):
    """The built function under our bootstrap, ready; a context manager."""
    sys.path.insert(0, str(HERE.parent / "runtimes"))
    import driver

    manifest = workload.manifest
    env = {"AWS_LAMBDA_FUNCTION_NAME": workload.name, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(manifest["memory_mb"])}
    runtime = driver.Runtime(manifest["runtime"], package, manifest["handler"], env, timeout_s=60)
    first = runtime.receive()
    if first.kind != driver.READY:
        raise Failure(f"{workload.name} did not start: {first.body.decode()}")
    return runtime


def invoke(workload, runtime, event):
    import driver

    frame = runtime.invoke(event)
    if frame.kind != driver.RESPONSE:
        raise Failure(f"{workload.name} failed: {frame.body.decode()}")
    return frame.json()


def measure(workload, out, count):
    """Cold start, hot times in milliseconds, and what one more answer weighs."""
    package, event = build(workload, out), workload.event(1)
    started = time.monotonic()
    with start(workload, package) as runtime:
        ready_ms = (time.monotonic() - started) * 1e3
        fault = workload.fault(event, invoke(workload, runtime, event))
        if fault:
            raise Failure(f"{workload.name}: wrong answer: {fault}")
        import driver

        times_ms = []
        for _ in range(count):
            started = time.monotonic()
            if runtime.invoke(event).kind != driver.RESPONSE:
                raise Failure(f"{workload.name}: failed when hot")
            times_ms.append((time.monotonic() - started) * 1e3)
    return {
        "name": workload.name,
        "start_ms": round(ready_ms, 1),
        "hot_ms": round(statistics.median(times_ms), 3),
        "hot_min_ms": round(min(times_ms), 3),
        "event_bytes": len(json.dumps(event)),
    }


# ---- selftest ----


def selftest(workload, out):
    """Requires that the check accepts right answers and refuses each of many corrupted ones."""
    event = workload.event(7)
    if workload.event(7) != event or (workload.event(8) == event):
        raise Failure(f"{workload.name}: events do not follow the seed")
    answers = {"reference": workload.check_module().reference(event)}
    package = out / workload.name
    if package.is_dir():
        with start(workload, package) as runtime:
            answers["handler"] = invoke(workload, runtime, event)
    for origin, answer in answers.items():
        answer = json.loads(json.dumps(answer))
        fault = workload.fault(event, answer)
        if fault:
            raise Failure(f"{workload.name}: the {origin}'s answer is refused: {fault}")
        for what, wrong in corruptions(answer):
            if workload.fault(event, wrong) is None:
                raise Failure(f"{workload.name}: the {origin}'s answer is accepted with {what}")
    stranger = workload.check_module().reference(workload.event(8))
    if workload.fault(event, stranger) is None:
        raise Failure(f"{workload.name}: the answer to another event is accepted")
    return " and ".join(answers)


def corruptions(answer):
    """Wrong answers near a right one: nothing, and a sample of its values changed, one at a time."""
    yield "nothing in it", None
    yield "an empty object instead", {}
    places = list(leaves(answer))
    for place in random.Random(0).sample(places, min(6, len(places))):
        wrong = copy.deepcopy(answer)
        holder = wrong
        for key in place[:-1]:
            holder = holder[key]
        if place:
            holder[place[-1]] = changed(holder[place[-1]])
        else:
            wrong = changed(wrong)
        yield f"{'.'.join(map(str, place))} changed", wrong


def leaves(value, place=()):
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if children is None:
        yield place
    else:
        for key, child in children:
            yield from leaves(child, (*place, key))


def changed(value):
    if isinstance(value, str):
        at = next((at for at in range(len(value) // 2, len(value)) if value[at].isalnum()), 0)
        return value[:at] + ("7" if value[at : at + 1] != "7" else "3") + value[at + 1 :]
    if isinstance(value, (int, float)):
        return value * 1.02 + 1
    return "changed"


# ---- commands ----


def command_list(options):
    found = every_workload().values()
    if options.json:
        print(json.dumps([{**w.manifest, "environment": w.environment(), "folder": str(w.folder)} for w in found], indent=2))
    else:
        for workload in found:
            print(f"{workload.name:15} {workload.manifest['runtime']:11} {workload.manifest['kind']:7} {workload.manifest['about']}")


def command_gen(options):
    (workload,) = find(options.name)
    print(json.dumps(workload.event(options.seed), ensure_ascii=False))


def command_check(options):
    (workload,) = find(options.name)
    fault = workload.fault(read_json(options.event), read_json(options.response))
    if fault:
        raise Failure(f"{workload.name}: wrong: {fault}")
    say(f"{workload.name}: right")


def command_build(options):
    options.out.mkdir(parents=True, exist_ok=True)
    for workload in find(options.name):
        build(workload, options.out)


def command_measure(options):
    options.out.mkdir(parents=True, exist_ok=True)
    for workload in find(options.name):
        print(json.dumps(measure(workload, options.out, options.count)), flush=True)


def command_selftest(options):
    for workload in find(options.name):
        say(f"{workload.name}: the check accepts {selftest(workload, options.out)} and refuses the corrupted")


def read_json(path):
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise Failure(f"cannot read {path} as JSON: {error}") from error


def say(text):
    print(text, file=sys.stderr, flush=True)


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(function, text, *names):
        added = commands.add_parser(function.__name__.removeprefix("command_"), help=text)
        added.set_defaults(run=function)
        for name in names:
            added.add_argument(name)
        return added

    command(command_list, "list the workloads").add_argument("--json", action="store_true")
    command(command_gen, "print an event", "name").add_argument("--seed", type=int, default=1)
    check = command(command_check, "verify a response; status 1 if it is wrong", "name")
    check.add_argument("event", type=Path)
    check.add_argument("response", type=Path)
    for function, text in (
        (command_build, "make the packages, folders to be zipped"),
        (command_measure, "time each workload under our bootstraps"),
        (command_selftest, "verify the checks themselves"),
    ):
        added = command(function, text)
        added.add_argument("name", nargs="?", default="all")
        added.add_argument("--out", type=Path, default=DEFAULT_OUT)
        if function is command_measure:
            added.add_argument("--count", type=int, default=20)
    return parser.parse_args(arguments)


def main(arguments):
    options = parse(arguments)
    try:
        options.run(options)
    except Failure as failure:
        say(f"workloads: {failure}")
        return 1
    return 0


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        sys.exit(main(sys.argv[1:]))
