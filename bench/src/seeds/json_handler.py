"""Reads a document, adds up what each customer orders, and gives the document back with it."""


def handler(event):
    totals = {}
    for order in event["orders"]:
        cents = sum(line["cents"] * line["count"] for line in order["lines"])
        totals[order["customer"]] = totals.get(order["customer"], 0) + cents
    return {"answer": totals, "document": event}
