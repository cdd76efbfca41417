"""Key, signature and digest come from hashlib, the cipher from an AES written for this check."""

import base64
import hashlib
import hmac

import aes


def generate(random):
    return {
        "password": random.randbytes(12).hex(),
        "salt": random.randbytes(8).hex(),
        "rounds": 40_000,
        "text": "".join(random.choices("abcdefgh äöü", k=1_000)),
    }


def reference(event):
    keys = hashlib.pbkdf2_hmac("sha256", event["password"].encode(), event["salt"].encode(), event["rounds"], 48)
    secret = aes.ctr(keys[:16], 0, event["text"].encode())
    return {
        "secret": base64.b64encode(secret).decode(),
        "signature": hmac.new(keys[16:], secret, "sha256").hexdigest(),
        "digest": hashlib.sha512(event["text"].encode()).hexdigest(),
    }


def fault(event, response):
    right = reference(event)
    wrong = [name for name in right if response.get(name) != right[name]]
    return f"wrong: {', '.join(wrong)}" if wrong or set(response) != set(right) else None
