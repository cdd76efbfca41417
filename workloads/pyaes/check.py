"""The text is encrypted again by an AES written for this check."""

import base64

import aes

FIRST_COUNTER = 1  # where pyaes starts when told nothing


def generate(random):
    return {"key": random.randbytes(16).hex(), "text": "".join(random.choices("abcdefgh ", k=6_000))}


def fault(event, response):
    secret = base64.b64decode(response["secret"], validate=True)
    right = aes.ctr(bytes.fromhex(event["key"]), FIRST_COUNTER, event["text"].encode())
    return None if secret == right else "the text is not encrypted with this key"


def reference(event):
    secret = aes.ctr(bytes.fromhex(event["key"]), FIRST_COUNTER, event["text"].encode())
    return {"secret": base64.b64encode(secret).decode()}
