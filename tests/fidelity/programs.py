"""The programs of the suite: where they lie, what they say about themselves, how they are built."""

import re
import subprocess
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

SUITE = Path(__file__).resolve().parent
C_FLAGS = ["-O1", "-Wall", "-Wextra", "-pthread"]
LINKING = {"static_pie_": ["-static-pie"], "static_": ["-static"]}


@dataclass(frozen=True)
class Program:
    """One program. `refusals` is empty if it must be cloned; else a refusal must have one text of each tuple."""

    source: Path
    refusals: tuple[tuple[str, ...], ...]
    clones_at_most: int
    can_be_sabotaged: bool

    @property
    def name(self):
        """`category/stem`."""
        return f"{self.source.parent.name}/{self.source.stem}"

    @property
    def image(self):
        """The name of its image: letters, digits and hyphens."""
        return self.name.replace("/", "-").replace("_", "-")

    def binary(self, build):
        return build / "bin" / self.name


def read_program(source):
    """Reads what the comment at the top of a source says."""
    text = source.read_text()
    head = "\n".join(line for line in text.split("\n")[:8] if line.startswith("//"))
    refusals = re.findall(r"^// refused: (.+)$", head, re.M)
    clones = re.search(r"^// clones: (\d+)$", head, re.M)
    return Program(
        source=source,
        refusals=tuple(tuple(text.strip() for text in line.split("|")) for line in refusals),
        clones_at_most=int(clones[1]) if clones else 1_000_000,
        can_be_sabotaged=re.search(r"\bsabotaged?\(", text) is not None,
    )


def find_programs():
    """All programs, in order of their names."""
    sources = [path for path in SUITE.glob("*/*") if path.suffix in (".c", ".rs")]
    return sorted((read_program(source) for source in sources), key=lambda program: program.name)


def read_known():
    """What the engine is known not to do yet: reasons by program name."""
    return tomllib.loads((SUITE / "known.toml").read_text())


def build_command(program, output):
    if program.source.suffix == ".rs":
        return ["rustc", "-O", "--edition", "2024", "-o", str(output), str(program.source)]
    linking = next((flags for prefix, flags in LINKING.items() if program.source.stem.startswith(prefix)), [])
    return ["gcc", *C_FLAGS, *linking, "-o", str(output), str(program.source), "-lm"]


def build_one(program, build):
    """Builds one program unless it is newer than its sources; what the compiler said, if it failed or warned."""
    output = program.binary(build)
    sources = [program.source, *SUITE.glob("fidelity.*"), *program.source.parent.glob("*.h")]
    if output.exists() and output.stat().st_mtime > max(source.stat().st_mtime for source in sources):
        return ""
    output.parent.mkdir(parents=True, exist_ok=True)
    output.unlink(missing_ok=True)
    done = subprocess.run(build_command(program, output), capture_output=True, text=True, check=False)
    if done.returncode == 0 and done.stderr:
        output.unlink()
    return done.stderr or ("" if done.returncode == 0 else f"the compiler exited with {done.returncode}")


def build_all(programs, build, jobs=2):
    """Builds the programs; a map from name to what went wrong. A warning is an error."""
    with ThreadPoolExecutor(jobs) as pool:
        said = pool.map(lambda program: build_one(program, build), programs)
        return {program.name: text for program, text in zip(programs, said) if text}
