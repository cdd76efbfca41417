"""Encrypts a text with AES-128-CTR in pure Python and decrypts it again."""

import base64

import pyaes


def handler(event, context):
    key, text = bytes.fromhex(event["key"]), event["text"].encode()
    secret = pyaes.AESModeOfOperationCTR(key).encrypt(text)
    if pyaes.AESModeOfOperationCTR(key).decrypt(secret) != text:
        raise ValueError("decryption did not give the text back")
    return {"secret": base64.b64encode(secret).decode()}
