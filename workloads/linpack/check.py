"""The solution is put back into the system, whose rows are computed here without numpy."""


def generate(random):
    return {"size": 600, "seed": random.randrange(10_000)}


def row(at, size, seed):
    values = [(at * 7919 + other * 104_729 + at * other * 31 + seed) % 9973 / 9973.0 for other in range(size)]
    values[at] += 4.0
    return values


def right_side(at, seed):
    return (at * 7 + seed) % 13 - 6.0


def fault(event, response):
    size, seed, solution = event["size"], event["seed"], response["solution"]
    if len(solution) != size:
        return f"{len(solution)} unknowns, not {size}"
    for at in range(size):
        left = sum(a * x for a, x in zip(row(at, size, seed), solution))
        if not abs(left - right_side(at, seed)) < 1e-6:
            return f"row {at} gives {left}, not {right_side(at, seed)}"
    return None


def reference(event):
    """Gauss elimination with row exchange."""
    size, seed = event["size"], event["seed"]
    rows = [row(at, size, seed) + [right_side(at, seed)] for at in range(size)]
    for at in range(size):
        best = max(range(at, size), key=lambda other: abs(rows[other][at]))
        rows[at], rows[best] = rows[best], rows[at]
        pivot = rows[at]
        for other in range(at + 1, size):
            factor = rows[other][at] / pivot[at]
            rows[other][at:] = [a - factor * b for a, b in zip(rows[other][at:], pivot[at:])]
    solution = [0.0] * size
    for at in reversed(range(size)):
        rest = sum(a * x for a, x in zip(rows[at][at + 1 : size], solution[at + 1 :]))
        solution[at] = (rows[at][size] - rest) / rows[at][at]
    return {"solution": solution}
