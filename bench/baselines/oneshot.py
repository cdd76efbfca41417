"""Calls a handler once: event from standard input, response as one line to standard output.

Usage: oneshot.py FOLDER HANDLER. What the handler prints goes to standard error.
"""

import importlib
import json
import os
import sys
import types


def main(folder, name):
    answer = os.dup(1)
    os.dup2(2, 1)
    module, _, function = name.rpartition(".")
    sys.path.insert(0, folder)
    handler = getattr(importlib.import_module(module.replace("/", ".")), function)
    context = types.SimpleNamespace(aws_request_id="baseline", function_name="baseline", memory_limit_in_mb="128")
    response = handler(json.loads(sys.stdin.buffer.read()), context)
    with os.fdopen(answer, "wb") as output:
        output.write(json.dumps(response, ensure_ascii=False).encode() + b"\n")


main(*sys.argv[1:])
