"""The three sums have closed forms: Dirichlet's kernel, and Euler and Maclaurin's formula for the roots."""

from math import cos, isclose, sin, sqrt


def generate(random):
    return {"start": random.randrange(1, 1000), "count": 120_000}


def fault(event, response):
    for name, right in reference(event).items():
        if not isclose(response[name], right, rel_tol=1e-9, abs_tol=1e-6):
            return f"{name} is {response[name]}, not {right}"
    return None


def reference(event):
    first, last = event["start"], event["start"] + event["count"] - 1
    kernel = sin(event["count"] / 2) / sin(0.5)
    return {
        "sines": sin((first + last) / 2) * kernel,
        "cosines": cos((first + last) / 2) * kernel,
        "roots": roots(first, last),
    }


def roots(first, last):
    near = min(last, first + 99)  # the formula is asymptotic: small numbers are added one by one
    direct = sum(sqrt(number) for number in range(first, near))
    integral = 2 / 3 * (last**1.5 - near**1.5)
    return direct + integral + (sqrt(near) + sqrt(last)) / 2 + (last**-0.5 - near**-0.5) / 24
