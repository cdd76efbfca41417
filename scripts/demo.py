"""The demo: starts the daemon, deploys the example functions, invokes each for the first time and then hot, prints one
table, stops.

Talks to the daemon as any client does, over the Lambda API. Standard library only.
"""

import argparse
import base64
import http.client
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORKLOADS = ROOT / "workloads" / "workloads.py"
PYTHON = "/usr/bin/python3"
HOT_RUNS = 20
FIRST_RUNGS = ("cold", "level1")
STAGES = ("queue", "sandbox", "fork", "runtime_init", "user_init", "handler", "response")


def say(text):
    print(text, file=sys.stderr, flush=True)


def workloads(*arguments):
    """Runs the workloads' own tool; its progress goes to our standard error."""
    return subprocess.run([PYTHON, str(WORKLOADS), *arguments], check=True, stdout=subprocess.PIPE).stdout


class Daemon:
    """`offshoot serve` with a state directory of its own."""

    def __init__(self, binary, state_dir):
        self.log = open(state_dir / "daemon.log", "wb")
        command = [str(binary), "serve", "--listen", "127.0.0.1:0", "--state-dir", str(state_dir / "state")]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log)
        line = self.process.stdout.readline().decode()
        if "listening on" not in line:
            raise SystemExit(f"the daemon did not start:\n{Path(self.log.name).read_text()}")
        self.address = line.rsplit("/", 1)[-1].strip()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(60)
        self.log.close()
        return status


class Lambda:
    """One connection to the Lambda API."""

    def __init__(self, address):
        self.connection = http.client.HTTPConnection(address, timeout=120)

    def call(self, method, path, body=b"", headers=None):
        self.connection.request(method, path, body, headers or {})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {text.decode()}")
        return answer, text

    def create(self, manifest, package):
        function = {
            "FunctionName": manifest["name"],
            "Runtime": manifest["runtime"],
            "Handler": manifest["handler"],
            "Role": "arn:aws:iam::000000000000:role/demo",
            "MemorySize": manifest["memory_mb"],
            "Timeout": manifest["timeout_s"],
            "Environment": {"Variables": manifest["environment"]},
            "Code": {"ZipFile": base64.b64encode(package).decode()},
        }
        self.call("POST", "/2015-03-31/functions", json.dumps(function))

    def invoke(self, name, event):
        """The response, its stages in microseconds, the rung that served it, and the time as the client saw it."""
        begun = time.perf_counter()
        path = f"/2015-03-31/functions/{name}/invocations"
        answer, body = self.call("POST", path, event, {"X-Offshoot-Stages": "1"})
        took_ms = (time.perf_counter() - begun) * 1e3
        if answer.headers.get("X-Amz-Function-Error"):
            raise SystemExit(f"{name} failed: {body.decode()}")
        pairs = (pair.split("=") for pair in answer.headers["X-Offshoot-Stages"].split(";"))
        stages = {stage: int(us) for stage, us in pairs}
        return body, stages, answer.headers["X-Offshoot-Start"], took_ms


def check(name, event, response, folder):
    event_file, response_file = folder / "event.json", folder / "response.json"
    event_file.write_bytes(event)
    response_file.write_bytes(response)
    workloads("check", name, str(event_file), str(response_file))


def run_one(client, manifest, packages, folder):
    name = manifest["name"]
    package = shutil.make_archive(str(folder / name), "zip", packages / name)
    zip_bytes = Path(package).read_bytes()
    begun = time.perf_counter()
    client.create(manifest, zip_bytes)
    deploy_ms = (time.perf_counter() - begun) * 1e3
    event = workloads("gen", name)
    response, stages, first, first_ms = client.invoke(name, event)
    if first not in FIRST_RUNGS:
        raise SystemExit(f"the first invocation of {name} was {first}, and no instance of it existed")
    check(name, event, response, folder)
    hot = [client.invoke(name, event) for _ in range(HOT_RUNS)]
    if others := {run[2] for run in hot} - {"hot"}:
        raise SystemExit(f"a later invocation of {name} was {', '.join(others)}, and an idle instance existed")
    check(name, event, hot[-1][0], folder)
    hot_ms = statistics.median(run[3] for run in hot)
    stages_ms = [stages.get(stage, 0) / 1e3 for stage in STAGES]
    return [name, manifest["runtime"], len(zip_bytes) / 1e6, deploy_ms, first, first_ms, *stages_ms, hot_ms]


def table(rows):
    head = ["function", "runtime", "zip MB", "deploy", "start", "FIRST", *(s.replace("_", " ") for s in STAGES), "HOT p50"]
    texts = [head] + [[f"{cell:.2f}" if isinstance(cell, float) else cell for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in texts) for column in range(len(head))]
    lines = []
    for row in texts:
        cells = [c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=Path, default=ROOT / "target/release/offshoot", help="the daemon's binary")
    arguments = parser.parse_args()
    workloads("build", "all")
    manifests = json.loads(workloads("list", "--json"))
    with tempfile.TemporaryDirectory(prefix="offshoot-demo-") as name:
        folder = Path(name)
        daemon = Daemon(arguments.bin, folder)
        try:
            say(f"the daemon is up at {daemon.address}; deploying {len(manifests)} functions")
            client = Lambda(daemon.address)
            rows = []
            for manifest in manifests:
                rows.append(run_one(client, manifest, ROOT / "workloads/.build", folder))
                say(f"  {manifest['name']}: {rows[-1][4]} {rows[-1][5]:.1f} ms, hot {rows[-1][-1]:.2f} ms")
        finally:
            status = daemon.stop()
    print("\nTimes in ms. FIRST and HOT as the client saw them; the stages are those of the first start:")
    print("cold, or level1: in a clone of the runtime, which the runtime's first function has made possible.\n")
    print(table(rows))
    print(f"\nEvery answer was checked. The daemon stopped with status {status}.")
    return status


if __name__ == "__main__":
    sys.exit(main())
