"""A function that serves requests: `python_seed.py HANDLER SOURCE SINK`, the last two being descriptors.

A request is four bytes of length, little-endian, and JSON; so is an answer. The JSON text "settle" is no request: it asks
to make the memory as still as it gets.
"""

import gc
import importlib
import json
import os
import sys


def read(source, count):
    """That many bytes; fewer only at the end."""
    found = os.read(source, count)
    while 0 < len(found) < count:
        more = os.read(source, count - len(found))
        if not more:
            break
        found += more
    return found


def write(sink, data):
    while data:
        data = data[os.write(sink, data) :]


def settle():
    gc.collect()
    gc.freeze()
    return "settled"


def serve(handler, source, sink):
    while True:
        head = read(source, 4)
        if len(head) < 4:
            return
        event = json.loads(read(source, int.from_bytes(head, "little")))
        answer = settle() if event == "settle" else handler(event)
        body = json.dumps(answer).encode()
        write(sink, len(body).to_bytes(4, "little") + body)


if __name__ == "__main__":
    serve(importlib.import_module(sys.argv[1]).handler, int(sys.argv[2]), int(sys.argv[3]))
