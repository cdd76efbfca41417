"""A Python that has a large table, a thread and, if it can, numpy; soak.py clones it. Each line of descriptor 3 is a
request, each line on descriptor 4 its answer."""

import gc
import hashlib
import json
import os
import queue
import sys
import threading

try:
    import numpy
except ImportError:
    numpy = None

TABLE = {f"key {number}": [number, {"square": number * number}] for number in range(50_000)}
asked, answered = queue.Queue(), queue.Queue()


class Node:
    """Refers to another one, so that only the collector can free them."""

    def __init__(self, other=None):
        self.other, self.load = other, bytes(1000)


def digest_for_ever():
    while True:
        answered.put(hashlib.sha256(asked.get().encode()).hexdigest())


def churn(amount):
    """Some megabytes come and go, in small and large pieces, in cycles and without."""
    for _ in range(amount):
        first = Node()
        first.other = Node(first)
    pieces = [bytearray(size) for size in range(1, 200_000, 1000)]
    large = bytearray(8 << 20)
    large[:: 4096] = bytes([7]) * len(large[:: 4096])
    del pieces[::2], large
    gc.collect()


def total_of(numbers):
    if numpy is None:
        return sum(numbers)
    row = numpy.array(numbers, dtype=numpy.int64)
    return int((row.reshape(1, -1) @ numpy.ones((len(numbers), 1), dtype=numpy.int64))[0, 0])


def answer(request):
    asked.put(request["text"])
    churn(request["churn"])
    values = [TABLE[f"key {key}"] for key in request["keys"]]
    return {
        "id": request["id"],
        "total": total_of([number for number, _ in values]),
        "squares": [rest["square"] for _, rest in values],
        "words": sorted(request["text"].split()),
        "digest": answered.get(timeout=30),
    }


def main():
    threading.Thread(target=digest_for_ever, daemon=True).start()
    churn(1000)
    os.write(1, b"ready\n")
    os.read(0, 1)  # frozen here
    with os.fdopen(3) as requests, os.fdopen(4, "w") as answers:
        for line in requests:
            answers.write(json.dumps(answer(json.loads(line)), separators=(",", ":")) + "\n")
            answers.flush()
    sys.exit(0)


main()
