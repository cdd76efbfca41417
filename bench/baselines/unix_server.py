"""A handler behind a bare Unix socket: what an invocation costs without any platform.

Usage: unix_server.py SOCKET FOLDER HANDLER. A message is its length in 4 bytes, big-endian, and JSON.
"""

import importlib
import json
import socket
import struct
import sys
import types

LENGTH = struct.Struct(">I")
READ_BYTES = 65_536


def load(folder, name):
    module, _, function = name.rpartition(".")
    sys.path.insert(0, folder)
    return getattr(importlib.import_module(module.replace("/", ".")), function)


def serve(connection, handler, context):
    buffer = bytearray()
    while True:
        while len(buffer) < 4 or len(buffer) < 4 + LENGTH.unpack_from(buffer)[0]:
            piece = connection.recv(READ_BYTES)
            if not piece:
                return
            buffer += piece
        end = 4 + LENGTH.unpack_from(buffer)[0]
        event = json.loads(buffer[4:end])
        del buffer[:end]
        response = json.dumps(handler(event, context), ensure_ascii=False).encode()
        connection.sendall(LENGTH.pack(len(response)) + response)


def main(path, folder, name):
    handler = load(folder, name)
    context = types.SimpleNamespace(aws_request_id="baseline", function_name="baseline", memory_limit_in_mb="128")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    while True:
        connection, _ = listener.accept()
        with connection:
            serve(connection, handler, context)


if __name__ == "__main__":
    main(*sys.argv[1:])
