"""Totals are added up again, line by line instead of order by order."""

import json
from collections import Counter

CUSTOMERS = ["Ada", "Bo", "Chloë", "Dmitri", "Eve", "Falk", "Gül"]


def generate(random):
    lines = lambda: [{"cents": random.randrange(1, 9999), "count": random.randrange(1, 5)} for _ in range(4)]
    orders = [{"id": at, "customer": random.choice(CUSTOMERS), "lines": lines()} for at in range(60)]
    return {"document": json.dumps({"orders": orders})}


def fault(event, response):
    report = json.loads(response["report"])
    return None if report == json.loads(reference(event)["report"]) else "the report does not add up"


def reference(event):
    orders = json.loads(event["document"])["orders"]
    totals = Counter()
    for customer, line in ((order["customer"], line) for order in orders for line in order["lines"]):
        totals[customer] += line["cents"] * line["count"]
    best = min(totals, key=lambda name: (-totals[name], name))
    return {"report": json.dumps({"orders": len(orders), "best": best, "totals": totals})}
