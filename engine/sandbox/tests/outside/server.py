"""Another machine: a name server, TCP servers that greet, a UDP server that counts and floods. Says what it is asked."""

import socket
import struct
import threading

PORTS = (8000, 8001)
COUNTER = 8002
TTL = 60
ADDRESSES = {
    "allowed.test": "192.0.2.2",
    "other.test": "192.0.2.3",
    "a.sub.test": "192.0.2.3",
    "loopback.test": "127.0.0.1",
    "metadata.test": "169.254.169.254",
    "host.test": "192.0.2.1",
    "neighbour.test": "10.203.0.1",
}
ALIASES = {"alias.test": "allowed.test"}


def say(*words):
    print(*words, flush=True)


def encode(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def record(name, kind, data):
    return encode(name) + struct.pack("!HHIH", kind, 1, TTL, len(data)) + data


def reply(question):
    labels, at = [], 12
    while question[at]:
        labels.append(question[at + 1 : at + 1 + question[at]].decode())
        at += 1 + question[at]
    name, kind = ".".join(labels).lower(), struct.unpack("!H", question[at + 1 : at + 3])[0]
    say("asked", name)
    answers = []
    target = ALIASES.get(name, name)
    if target != name:
        answers.append(record(name, 5, encode(target)))
    if kind == 1 and target in ADDRESSES:
        answers.append(record(target, 1, socket.inet_aton(ADDRESSES[target])))
    # An answer to something that nobody has asked, which must not be passed on.
    if answers:
        answers.append(record("planted.test", 1, socket.inet_aton("192.0.2.3")))
    code = 0x8180 if answers else 0x8183
    return question[:2] + struct.pack("!HHHHH", code, 1, len(answers), 0, 0) + question[12 : at + 5] + b"".join(answers)


def names():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("192.0.2.53", 53))
    while True:
        question, peer = server.recvfrom(4096)
        server.sendto(reply(question), peer)


def names_by_connection():
    server = socket.create_server(("192.0.2.53", 53))
    while True:
        connection, _ = server.accept()
        with connection:
            length = struct.unpack("!H", connection.recv(2))[0]
            answer = reply(connection.recv(length))
            connection.sendall(struct.pack("!H", len(answer)) + answer)


def greet(port):
    server = socket.create_server(("0.0.0.0", port))
    while True:
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"hello")


def count():
    """`ask` tells how many came before; `flood` sends 500 back."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    server.bind(("0.0.0.0", COUNTER))
    counts = {}
    while True:
        data, peer = server.recvfrom(2048)
        if data == b"ask":
            server.sendto(str(counts.get(peer, 0)).encode(), peer)
        elif data == b"flood":
            for _ in range(500):
                server.sendto(b"x", peer)
        else:
            counts[peer] = counts.get(peer, 0) + 1


for work, *arguments in ((names,), (names_by_connection,), (count,), *((greet, port) for port in PORTS)):
    threading.Thread(target=work, args=arguments).start()
say("ready")
