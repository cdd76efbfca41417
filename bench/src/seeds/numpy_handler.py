"""The product of two small matrices."""

import numpy


def handler(event):
    size = event["size"]
    left = numpy.arange(size * size, dtype=numpy.float64).reshape(size, size)
    product = left @ left.T
    return {"answer": [float(product.sum()), float(product.trace())]}
