"""The page is written again cell by cell; both must read the same."""

from html_tokens import difference


def generate(random):
    return {"rows": 500, "columns": [f"c{at}" for at in range(12)], "first": random.randrange(1_000_000)}


def fault(event, response):
    return difference(response["page"], reference(event)["page"])


def reference(event):
    page, value = '<table xmlns="http://www.w3.org/1999/xhtml">', event["first"]
    for _ in range(event["rows"]):
        page += "<tr>"
        for name in event["columns"]:
            value += 1
            page += f'<td><span class="column-{name}">{value}</span></td>'
        page += "</tr>"
    return {"page": page + "</table>"}
