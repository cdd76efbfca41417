"""The thumbnail is computed again pixel by pixel; a blur must keep size and mean."""

import base64

import png

WIDTH, HEIGHT = 640, 480


def generate(random):
    """Stripes and waves with some noise: compressible like a photograph, not like a flat colour."""
    a, b, c = (random.randrange(1, 200) for _ in range(3))
    rows = []
    for y in range(HEIGHT):
        noise = random.randbytes(WIDTH)
        row = bytearray()
        for x in range(WIDTH):
            row += bytes(((x * a // 64 + y) & 0xFF, (y * b // 64 ^ x // 4) & 0xFF, (c + x * y // 512 + noise[x] % 4) & 0xFF))
        rows.append(bytes(row))
    return {"image": base64.b64encode(png.write(WIDTH, HEIGHT, 3, rows)).decode()}


def fault(event, response):
    width, height, _, rows = png.read(base64.b64decode(event["image"]))
    got_width, got_height, channels, got = png.read(base64.b64decode(response["thumbnail"], validate=True))
    if (got_width, got_height, channels) != (height // 2, width // 2, 1):
        return f"the thumbnail is {got_width} by {got_height} with {channels} channels"
    for y, (row, right) in enumerate(zip(got, thumbnail_rows(width, height, rows))):
        wrong = next((x for x in range(got_width) if abs(row[x] - right[x]) > 1), None)
        if wrong is not None:
            return f"pixel {wrong}, {y} of the thumbnail is {row[wrong]}, not {right[wrong]}"
    if response["blurred"]["size"] != [width, height]:
        return "the blurred copy has another size"
    for name, got_mean, mean in zip("RGB", response["blurred"]["mean"], means(rows), strict=True):
        if abs(got_mean - mean) > 1.5:
            return f"the blurred copy has a mean {name} of {got_mean}, not {mean}"
    return None


def thumbnail_rows(width, height, rows):
    grey = [
        [(row[x] * 19595 + row[x + 1] * 38470 + row[x + 2] * 7471 + 0x8000) >> 16 for x in range(0, width * 3, 3)]
        for row in rows
    ]
    small = [
        [(above[x] + above[x + 1] + below[x] + below[x + 1] + 2) // 4 for x in range(0, width, 2)]
        for above, below in zip(grey[::2], grey[1::2])
    ]
    return [bytes(column) for column in zip(*(row[::-1] for row in small))]  # a quarter turn, counter-clockwise


def means(rows):
    count = sum(len(row) for row in rows) // 3
    return [sum(sum(row[channel::3]) for row in rows) / count for channel in range(3)]


def reference(event):
    width, height, _, rows = png.read(base64.b64decode(event["image"]))
    thumbnail = png.write(height // 2, width // 2, 1, thumbnail_rows(width, height, rows))
    return {"thumbnail": base64.b64encode(thumbnail).decode(), "blurred": {"size": [width, height], "mean": means(rows)}}
