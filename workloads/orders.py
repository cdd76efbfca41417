"""Orders for the two page-rendering workloads, and the page that is right for them."""

from html import escape

from html_tokens import difference

WORDS = ["bolt", "nut & washer", "<b>gear</b>", "“shaft”", "cam", "belt's end", "pin", "Öse"]


def generate(random, count):
    item = lambda: {
        "name": " ".join(random.choices(WORDS, k=3)),
        "cents": random.randrange(5, 99_999),
        "count": random.randrange(1, 20),
    }
    return {"customer": random.choice(["Ada <ada@example.com>", 'Bo "the" Bold', "Eve & Co"]), "items": [item() for _ in range(count)]}


def fault(event, response):
    return difference(response["page"], right_page(event))


def right_page(event):
    total, rows = 0, ""
    for item in event["items"]:
        sum_cents = item["cents"] * item["count"]
        total += sum_cents
        mark = ' class="many"' if item["count"] >= 10 else ""
        rows += f"<tr{mark}><td>{escape(item['name'])}</td><td>{item['count']}</td><td>{euros(sum_cents)}</td></tr>"
    customer = escape(event["customer"])
    return (
        f"<!DOCTYPE html><html><head><title>Order of {customer}</title></head><body><h1>Order of {customer}</h1>"
        f"<table>{rows}</table><p>{len(event['items'])} items, {euros(total)} in all</p></body></html>"
    )


def euros(cents):
    return f"{cents // 100}.{cents % 100:02} €"
