"""The network is evaluated again the short way: a layer is a product of two thin factors, used one after the other."""

from functools import cache
from math import exp, sqrt

WIDTH, DEPTH, RANK = 2048, 6, 4
LABELS = ["art", "finance", "food", "health", "law", "music", "politics", "science", "sport", "travel"]
WORDS = "court goal violin vote market virus recipe museum beach atom law striker opera tax soup nurse train".split()
MASK = (1 << 32) - 1


def generate(random):
    return {"texts": [" ".join(random.choices(WORDS, k=60)) + f" {random.randrange(1_000_000)}" for _ in range(8)]}


@cache
def factor(name, rows, columns):
    values = []
    for place in range(rows * columns):
        mixed = (place * 2_654_435_761 + name * 40_503 + 12_345) & MASK
        mixed = ((mixed ^ mixed >> 15) * 2_246_822_519) & MASK
        mixed = ((mixed ^ mixed >> 13) * 3_266_489_917) & MASK
        values.append(mixed / 2**31 - 1)
    return [values[at : at + columns] for at in range(0, len(values), columns)]


def times(matrix, vector):
    return [sum(a * b for a, b in zip(row, vector)) for row in matrix]


def fnv(word):
    state = 2_166_136_261
    for byte in word.encode():
        state = (state ^ byte) * 16_777_619 & MASK
    return state


def reference(event):
    return [classify(text) for text in event["texts"]]


def classify(text):
    vector = [0.0] * WIDTH
    for word in text.lower().split():
        vector[fnv(word) % WIDTH] += 1
    for at in range(DEPTH):
        thin = times(factor(2 * at + 1, RANK, WIDTH), vector)
        vector = [max(value, 0.0) for value in times(factor(2 * at, WIDTH, RANK), thin)]
        norm = sqrt(sum(value * value for value in vector)) + 1e-9
        vector = [value / norm for value in vector]
    powers = [exp(score) for score in times(factor(1000, len(LABELS), WIDTH), vector)]
    scores = {label: power / sum(powers) for label, power in zip(LABELS, powers)}
    return {"label": max(LABELS, key=scores.get), "scores": scores}


def fault(event, response):
    if len(response) != len(event["texts"]):
        return f"{len(response)} answers to {len(event['texts'])} texts"
    return next(filter(None, map(fault_of_one, response, reference(event))), None)


def fault_of_one(got, right):
    if list(got["scores"]) != LABELS:
        return "the scores are of other labels"
    for label, score in got["scores"].items():
        if not abs(score - right["scores"][label]) < 1e-3 * right["scores"][label]:
            return f"{label} has the score {score}, not {right['scores'][label]}"
    best = max(LABELS, key=got["scores"].get)
    return None if got["label"] == best else f"the label is {got['label']}, not {best}"
