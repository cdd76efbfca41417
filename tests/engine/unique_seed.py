"""A function that draws from every generator that a Python program has, for `uniqueness.py`. Its initialisation draws, too:
what a seed has drawn is what its clones could repeat. The event is how often to draw."""

import os
import random
import secrets
import ssl
import tempfile
import uuid

from snapshot_restore_py import register_after_restore

try:
    import numpy
except ImportError:
    numpy = None

TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
X25519_SHARE = bytes([0x00, 0x1D, 0x00, 0x20])  # the group and the length of its key (RFC 8446, section 4.2.8)
OWN, FORKED, HOOKED = random.Random(), random.Random(), random.Random()
os.register_at_fork(after_in_child=FORKED.seed)
register_after_restore(HOOKED.seed)


def client_hello():
    """Of a TLS client's first message (RFC 8446, section 4.1.2) the random bytes, the session id, and the X25519 key."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = TLS.wrap_bio(incoming, outgoing, server_hostname="localhost")
    try:
        connection.do_handshake()
    except ssl.SSLWantReadError:
        pass
    message = outgoing.read()
    key_at = message.index(X25519_SHARE) + len(X25519_SHARE)
    return message[11:43].hex(), message[44:76].hex(), message[key_at : key_at + 32].hex()


def uuid1():
    made = uuid.uuid1()
    return f"{made.node:x} {made.clock_seq:x}"


GENERATORS = {
    "os.urandom": lambda: os.urandom(16).hex(),
    "secrets.token_hex": lambda: secrets.token_hex(16),
    "random.SystemRandom": lambda: random.SystemRandom().getrandbits(64),
    "uuid.uuid4": lambda: uuid.uuid4().hex,
    "random.random": random.random,
    "random.getrandbits": lambda: random.getrandbits(64),
    "random.Random() made by the clone": lambda: random.Random().getrandbits(64),
    "random.Random() with a hook of its own": lambda: HOOKED.getrandbits(64),
    "random.Random() with a fork hook": lambda: FORKED.getrandbits(64),
    "random.Random() made by the seed": lambda: OWN.getrandbits(64),
    "uuid.uuid1 whole": lambda: uuid.uuid1().hex,
    "uuid.uuid1 node and sequence": uuid1,
    "tempfile": lambda: next(tempfile._get_candidate_names()),
    "ssl.RAND_bytes": lambda: ssl.RAND_bytes(16).hex(),
    "TLS ClientHello random": lambda: client_hello()[0],
    "TLS ClientHello session": lambda: client_hello()[1],
    "TLS ClientHello key share": lambda: client_hello()[2],
}
if numpy is not None:
    OWN_GENERATOR = numpy.random.default_rng()
    GENERATORS |= {
        "numpy.random.random": lambda: float(numpy.random.random()),
        "numpy default_rng() made by the clone": lambda: float(numpy.random.default_rng().random()),
        "numpy default_rng() made by the seed": lambda: float(OWN_GENERATOR.random()),
    }


def draw(count):
    return {name: [generator() for _ in range(count)] for name, generator in GENERATORS.items()}


def handler(event, context):
    return draw(event)


draw(1)
