"""Sums sine, cosine and square root over a range of integers in a plain loop."""

from math import cos, sin, sqrt


def handler(event, context):
    sines = cosines = roots = 0.0
    for number in range(event["start"], event["start"] + event["count"]):
        sines += sin(number)
        cosines += cos(number)
        roots += sqrt(number)
    return {"sines": sines, "cosines": cosines, "roots": roots}
