"""Builds a dense matrix and solves a linear system with LAPACK."""

import numpy


def handler(event, context):
    size, seed = event["size"], event["seed"]
    at = numpy.arange(size, dtype=numpy.int64)
    matrix = (at[:, None] * 7919 + at[None, :] * 104_729 + at[:, None] * at[None, :] * 31 + seed) % 9973 / 9973.0
    matrix[at, at] += 4.0
    right = (at * 7 + seed) % 13 - 6.0
    return {"solution": numpy.linalg.solve(matrix, right).tolist()}
