"""Documents use a small part of Markdown, which is rendered again here, block by block."""

import re
from html import escape

from html_tokens import difference

WORDS = "fork seed clone image pool page lease node event answer < & > \"quoted\" naïve".split()


def generate(random):
    words = lambda count: " ".join(random.choices(WORDS, k=count))

    def span():
        return random.choice(["**{}**", "*{}*", "`{}`", "[{}](https://example.com/a?b=1)", "{}"]).format(random.choice(WORDS[:10]))

    def paragraph():
        return " ".join(f"fork {words(6)} node {span()} {random.choice(WORDS[:10])}" for _ in range(5))

    blocks = []
    for section in range(100):
        blocks.append("#" * random.randrange(1, 5) + f" seed {words(4)} {section}")
        blocks.append(paragraph())
        blocks.append("\n".join(f"- {span()} {random.choice(WORDS[:10])}" for _ in range(5)))
        blocks.append(f"> {paragraph()}")
        blocks.append("```rust\n" + "\n".join(words(5) for _ in range(4)) + "\n```")
        blocks.append("| one | two |\n| --- | --- |\n" + "\n".join(f"| {span()} | {at} |" for at in range(4)))
    return {"document": "\n\n".join(blocks) + "\n"}


def fault(event, response):
    return difference(response["page"], reference(event)["page"])


def reference(event):
    return {"page": "".join(block(text) for text in event["document"].strip().split("\n\n"))}


def block(text):
    lines = text.split("\n")
    if text.startswith("#"):
        marks, _, title = text.partition(" ")
        return f"<h{len(marks)}>{inline(title)}</h{len(marks)}>"
    if text.startswith("- "):
        return "<ul>" + "".join(f"<li>{inline(line[2:])}</li>" for line in lines) + "</ul>"
    if text.startswith("> "):
        return f"<blockquote><p>{inline(text[2:])}</p></blockquote>"
    if text.startswith("```"):
        return f'<pre><code class="language-{lines[0][3:]}">{escape(chr(10).join(lines[1:-1]))}\n</code></pre>'
    if text.startswith("|"):
        cells = [[inline(cell.strip()) for cell in line.strip("|").split("|")] for line in lines]
        row = lambda tag, values: "<tr>" + "".join(f"<{tag}>{value}</{tag}>" for value in values) + "</tr>"
        body = "".join(row("td", values) for values in cells[2:])
        return f"<table><thead>{row('th', cells[0])}</thead><tbody>{body}</tbody></table>"
    return f"<p>{inline(text)}</p>"


def inline(text):
    text = escape(text)
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
    text = re.sub(r"\[(\w+)\]\(([^)]+)\)", r'<a href="\2">\1</a>', text)
    text = re.sub(r"\*\*(\w+)\*\*", r"<strong>\1</strong>", text)
    return re.sub(r"\*(\w+)\*", r"<em>\1</em>", text)
