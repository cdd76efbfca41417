"""HTML as a flat list of what a reader would notice, so that two writings of the same page compare equal."""

from html.parser import HTMLParser


def tokens(page):
    """`("start", tag, attributes)`, `("end", tag)` and `("text", words)`; blank text and comments are dropped."""
    reader = Reader(convert_charrefs=True)
    reader.feed(page)
    reader.close()
    return [item for item in reader.found if item != ("text", "")]


def difference(page, right_page):
    """Where `page` first differs from `right_page`, or None."""
    got, right = tokens(page), tokens(right_page)
    for at, (one, other) in enumerate(zip(got, right)):
        if one != other:
            return f"token {at} is {one}, not {other}"
    return None if len(got) == len(right) else f"{len(got)} tokens, not {len(right)}"


class Reader(HTMLParser):
    def __init__(self, **options):
        super().__init__(**options)
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append(("start", tag, tuple(attrs)))

    def handle_endtag(self, tag):
        self.found.append(("end", tag))

    def handle_decl(self, decl):
        self.found.append(("declaration", decl))

    def handle_data(self, data):
        self.found.append(("text", " ".join(data.split())))
