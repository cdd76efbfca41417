"""Classifies a batch of texts with a six-layer dense network of 100 MB of weights, made at init.

The weights are made, not shipped: 100 MB of weights that do not compress exceed the 50 MB that Lambda takes in one
upload, and weights that do compress would be unlike a model in memory. Each layer is a product of two thin factors,
multiplied out at init, so that a checker can get the same result the short way.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # thin products are bound by memory, not by cores

import numpy

WIDTH, DEPTH, RANK = 2048, 6, 4
LABELS = ["art", "finance", "food", "health", "law", "music", "politics", "science", "sport", "travel"]
MASK = (1 << 32) - 1


def factor(name, rows, columns):
    """Numbers between -1 and 1 from a hash of their place."""
    places = numpy.arange(rows * columns, dtype=numpy.uint64)
    mixed = (places * 2_654_435_761 + name * 40_503 + 12_345) & MASK
    mixed = ((mixed ^ (mixed >> numpy.uint64(15))) * 2_246_822_519) & MASK
    mixed = ((mixed ^ (mixed >> numpy.uint64(13))) * 3_266_489_917) & MASK
    return (mixed / 2.0**31 - 1.0).astype(numpy.float32).reshape(rows, columns)


LAYERS = [factor(2 * at, WIDTH, RANK) @ factor(2 * at + 1, RANK, WIDTH) for at in range(DEPTH)]
OUTPUT = factor(1000, len(LABELS), WIDTH)


def embed(text):
    """Counts words in buckets chosen by FNV-1a."""
    vector = numpy.zeros(WIDTH, dtype=numpy.float32)
    for word in text.lower().split():
        state = 2_166_136_261
        for byte in word.encode():
            state = ((state ^ byte) * 16_777_619) & MASK
        vector[state % WIDTH] += 1
    return vector


def handler(event, context):
    batch = numpy.stack([embed(text) for text in event["texts"]], axis=1)
    for layer in LAYERS:
        batch = numpy.maximum(layer @ batch, 0)
        batch /= numpy.linalg.norm(batch, axis=0) + numpy.float32(1e-9)
    scores = OUTPUT @ batch
    scores = numpy.exp(scores - scores.max(axis=0))
    scores /= scores.sum(axis=0)
    return [{"label": LABELS[int(own.argmax())], "scores": dict(zip(LABELS, own.tolist()))} for own in scores.T]
