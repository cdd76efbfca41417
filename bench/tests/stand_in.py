#!/usr/bin/python3
"""Plays the daemon for the benchmarks' own tests: as much of its HTTP interface as they use, with faults on demand.

`STAND_IN_FAULT` is one of: `lose` (an accepted event is not kept), `leak` (a deleted function leaves a process),
`wrong` (responses are wrong), `warm` (a changed configuration does not end instances), `harmless` (a function of the
suite `noise` gets nothing), `early` (it ends before its time).

Functions whose names begin with `noise-` are not run, since nothing would limit them here: they wait and say that they did.
"""

import base64
import http.server
import importlib.util
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
import uuid
import zipfile
from pathlib import Path

ONE_SHOT = str(Path(__file__).resolve().parent.parent / "baselines" / "oneshot.")
FAULT = os.environ.get("STAND_IN_FAULT")
options = dict(zip(sys.argv[2::2], sys.argv[3::2]))
STATE = Path(options["--state-dir"])
functions, cold, lock = {}, {}, threading.Lock()


class Events:
    """Accepted events in a journal; what has no END in the log when the program starts is run again."""

    def __init__(self):
        self.log = STATE / "logs" / "echo" / "current.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.journal = STATE / "journal"
        self.journal.touch()
        done = self.log.read_text() if self.log.exists() else ""
        self.open = [id for id in self.journal.read_text().split() if f"END RequestId: {id}\n" not in done]
        self.changed = threading.Condition()
        threading.Thread(target=self.run, daemon=True).start()

    def accept(self, id):
        with self.changed:
            if not (FAULT == "lose" and id.startswith("0")):
                with self.journal.open("a") as file:
                    file.write(id + "\n")
                self.open.append(id)
            self.changed.notify()

    def run(self):
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.open)
                id = self.open[0]
            for line in (f"START RequestId: {id} Version: $LATEST\n", f"END RequestId: {id}\n"):
                with self.log.open("a") as file:
                    file.write(f"2026-01-01T00:00:00Z\tplatform\t{line}")
            with self.changed:
                self.open.pop(0)


def load(package, handler, runtime):
    """The handler in this process if it is a file of Python alone, otherwise a process for each call."""
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(package))) as archive:
        folder = STATE / "functions" / uuid.uuid4().hex
        archive.extractall(folder)
        alone = archive.namelist()[0] == "__pycache__/app.cpython-311.pyc" and len(archive.namelist()) < 4
    module, _, name = handler.rpartition(".")
    if not (alone and runtime.startswith("python")):
        command = ["/usr/bin/node", ONE_SHOT + "mjs"] if runtime.startswith("node") else ["/usr/bin/python3", ONE_SHOT + "py"]
        call = [*command, str(folder), handler]
        return lambda event, _: json.loads(subprocess.run(call, input=json.dumps(event).encode(), capture_output=True, check=True).stdout)
    spec = importlib.util.spec_from_file_location(f"m{uuid.uuid4().hex}", folder / f"{module}.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return getattr(loaded, name)


def attacker(event, _):
    begun = time.time_ns()
    time.sleep(event["seconds"] / (2 if FAULT == "early" else 1))
    names = ("forks", "refused", "killed", "files", "opened", "lines", "mib", "cpu_ms")
    counts = {name: 0 if FAULT == "harmless" else 100 for name in names}
    return {"begun_ns": begun, "ended_ns": time.time_ns(), "counts": counts}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def words(self):
        return urllib.parse.urlsplit(self.path).path.strip("/").split("/")[2:]

    def do_GET(self):
        if self.path == "/offshoot/v1/health":
            return self.answer(200)
        if self.path == "/offshoot/v1/events":
            return self.answer(200, json.dumps({"waiting": len(events.open), "claimed": 0, "dead": 0}).encode())
        return self.answer(200, b'{"State":"Active","LastUpdateStatus":"Successful"}')

    def do_PUT(self):
        self.body()
        with lock:
            cold[self.words()[0]] = FAULT != "warm"
        self.answer(200, b'{"State":"Active","LastUpdateStatus":"Successful"}')

    def do_DELETE(self):
        if FAULT == "leak":
            leaked.append(subprocess.Popen(["sleep", "60"]))
        with lock:
            functions.pop(self.words()[0])
        self.answer(204)

    def do_POST(self):
        body, words = self.body(), self.words()
        if not words:
            function = json.loads(body)
            name = function["FunctionName"]
            attacks = name.startswith("noise-")
            with lock:
                functions[name] = attacker if attacks else load(
                    function["Code"]["ZipFile"], function["Handler"], function["Runtime"]
                )
            return self.answer(201, b'{"State":"Active"}')
        name, id = words[0], str(uuid.uuid4())
        if self.headers.get("X-Amz-Invocation-Type") == "Event":
            events.accept(id)
            return self.answer(202, x_amzn_RequestId=id)
        response = functions[name](json.loads(body), None)
        if FAULT == "wrong":
            response = {"wrong": response}
        headers = {"x_amzn_RequestId": id}
        if self.headers.get("X-Offshoot-Stages"):
            with lock:
                headers["X_Offshoot_Start"] = "cold" if cold.pop(name, False) else "hot"
            headers["X_Offshoot_Stages"] = "queue=5;sandbox=2000;handler=30"
        return self.answer(200, json.dumps(response).encode(), **headers)


class Server(http.server.ThreadingHTTPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


def stop(*_):
    for child in [nursery, *leaked]:
        child.kill()
    os._exit(0)


# Ends when the pipe of its input is closed, even by a kill.
nursery = subprocess.Popen(["/bin/sh", "-c", "read line # nursery"], stdin=subprocess.PIPE)
leaked = []
signal.signal(signal.SIGTERM, stop)
events = Events()
host, _, port = options["--listen"].rpartition(":")
Server((host, int(port)), Handler).serve_forever()
