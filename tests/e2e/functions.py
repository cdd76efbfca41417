"""Packages and functions for tests: zips made in memory, and functions that do what the event says."""

import base64
import io
import itertools
import json
import textwrap
import zipfile

from daemon import ROLE, ROOT

_numbers = itertools.count(1)

ECHO = """
def handler(event, context):
    return event
"""

# Runs the code in the event, so that one function serves many tests.
PROBE = """
import os
def handler(event, context):
    scope = {"event": event, "context": context, "os": os}
    exec(event["code"], scope)
    return scope.get("result")
"""

# AWS's runtime client for Python, which `run.sh` installs there.
RIC = ROOT / "target/e2e-venv/ric"

RIC_BOOTSTRAP = """#!/bin/sh
export PYTHONPATH=/var/task/vendor:/var/task
exec /usr/bin/python3 -m awslambdaric app.handler
"""

NODE_ECHO = """
exports.handler = async (event) => event;
"""


def zipped(files):
    """A zip of `files`: name to text or bytes; a tuple adds the file's mode."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            content, mode = content if isinstance(content, tuple) else (content, 0o644)
            entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return buffer.getvalue()


def fresh_name(stem="f"):
    return f"{stem}-{next(_numbers)}"


def deploy(client, source=ECHO, name=None, files=None, **more):
    """Creates a function from Python source, or from `files`; its name."""
    name = name or fresh_name()
    files = files or {"app.py": textwrap.dedent(source)}
    options = {"Runtime": "python3.11", "Handler": "app.handler", "Role": ROLE, **more}
    client.create_function(FunctionName=name, Code={"ZipFile": zipped(files)}, **options)
    return name


def deploy_node(client, source=NODE_ECHO, name=None, **more):
    options = {"Runtime": "nodejs20.x", "Handler": "index.handler", **more}
    return deploy(client, name=name, files={"index.js": textwrap.dedent(source)}, **options)


def deploy_ric(client, source, name=None, **more):
    """A function of runtime `provided.al2023` whose bootstrap is `awslambdaric`, unmodified."""
    files = {"bootstrap": (RIC_BOOTSTRAP, 0o755), "app.py": textwrap.dedent(source)}
    for file in sorted(RIC.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            files[f"vendor/{file.relative_to(RIC)}"] = file.read_bytes()
    return deploy(client, name=name, files=files, Runtime="provided.al2023", Timeout=10, MemorySize=256, **more)


class Answer:
    """An answer of Invoke, read."""

    def __init__(self, response):
        self.status = response["StatusCode"]
        self.error = response.get("FunctionError")
        self.version = response.get("ExecutedVersion")
        self.headers = response["ResponseMetadata"]["HTTPHeaders"]
        self.request_id = response["ResponseMetadata"]["RequestId"]
        self.body = response["Payload"].read()
        self.tail = base64.b64decode(response["LogResult"]).decode() if "LogResult" in response else None

    @property
    def value(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.error} {self.body[:500]!r} {self.tail or ''}"


def invoke(client, name, event=None, **more):
    """Invokes with `event` as JSON; no payload at all if it is None."""
    if event is not None:
        more["Payload"] = json.dumps(event)
    return Answer(client.invoke(FunctionName=name, **more))


def probe(client, name, code, **event):
    """The `result` of Python code run in the function `name`, which is a PROBE."""
    answer = invoke(client, name, {"code": textwrap.dedent(code), **event})
    if answer.error:
        raise AssertionError(f"the code failed: {answer}")
    return answer.value
