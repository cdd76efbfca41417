"""The product of two small matrices. Then the instance is kept busy for as long as it is told to: the next event needs another."""

import time

import numpy


def handler(event, context):
    size = event["size"]
    left = numpy.arange(size * size, dtype=numpy.float64).reshape(size, size)
    product = left @ left.T
    time.sleep(event["hold_s"])
    return {"answer": [float(product.sum()), float(product.trace())]}
