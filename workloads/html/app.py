"""Renders an order page with Jinja2, escaping what customers wrote."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader

ENVIRONMENT = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True)


def euros(cents):
    return "%d.%02d €" % divmod(cents, 100)


ENVIRONMENT.filters["euros"] = euros
PAGE = ENVIRONMENT.get_template("order.html")


def handler(event, context):
    items = [dict(item, sum=item["cents"] * item["count"]) for item in event["items"]]
    return {"page": PAGE.render(customer=event["customer"], items=items, total=sum(item["sum"] for item in items))}
