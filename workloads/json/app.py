"""Parses a JSON document held as text, sums orders per customer, writes the report as JSON text."""

import json


def handler(event, context):
    orders = json.loads(event["document"])["orders"]
    totals = {}
    for order in orders:
        cents = sum(line["cents"] * line["count"] for line in order["lines"])
        totals[order["customer"]] = totals.get(order["customer"], 0) + cents
    best = max(sorted(totals), key=totals.get)
    return {"report": json.dumps({"orders": len(orders), "best": best, "totals": totals})}
