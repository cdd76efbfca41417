"""PNG images of 8-bit grey or RGB pixels (RFC 2083), read and written with the standard library only."""

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3}  # colour type: samples per pixel


def write(width, height, channels, rows):
    """The file for `rows`, each `width * channels` bytes."""
    colour = {count: kind for kind, count in CHANNELS.items()}[channels]
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return SIGNATURE + b"".join(chunk(*part) for part in ((b"IHDR", header), (b"IDAT", data), (b"IEND", b"")))


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def read(data):
    """`(width, height, channels, rows)`; ValueError for a file that is not of this kind."""
    if data[:8] != SIGNATURE:
        raise ValueError("no PNG signature")
    at, parts = 8, {}
    while at < len(data):
        (length,), name = struct.unpack_from(">I", data, at), data[at + 4 : at + 8]
        body = data[at + 8 : at + 8 + length]
        if chunk(name, body) != data[at : at + 12 + length]:
            raise ValueError(f"broken chunk {name}")
        parts[name] = parts.get(name, b"") + body
        at += 12 + length
    width, height, depth, colour, *method = struct.unpack(">IIBBBBB", parts[b"IHDR"])
    if depth != 8 or colour not in CHANNELS or any(method) or b"IEND" not in parts:
        raise ValueError("not a plain 8-bit image")
    return width, height, CHANNELS[colour], unfilter(zlib.decompress(parts[b"IDAT"]), width * CHANNELS[colour], CHANNELS[colour])


def unfilter(data, stride, step):
    rows, above = [], bytearray(stride)
    for at in range(0, len(data), stride + 1):
        kind, row = data[at], bytearray(data[at + 1 : at + 1 + stride])
        for x in range(stride):
            left = row[x - step] if x >= step else 0
            corner = above[x - step] if x >= step else 0
            row[x] = (row[x] + predicted(kind, left, above[x], corner)) & 0xFF
        rows.append(bytes(row))
        above = row
    return rows


def predicted(kind, left, up, corner):
    if kind == 4:
        guess = left + up - corner
        return min((left, up, corner), key=lambda value: abs(guess - value))
    return (0, left, up, (left + up) // 2)[kind]
