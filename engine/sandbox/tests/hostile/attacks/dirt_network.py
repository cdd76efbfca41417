"""Traces in the network: sockets and what they leave behind, tables, options."""

import os
import socket
import struct

from dirt_files import CANARY, KEPT

TRACES = {}


def trace(function):
    TRACES[function.__name__] = function
    return function


def listen(name, kind=socket.SOCK_STREAM):
    opened = socket.socket(socket.AF_UNIX, kind)
    opened.bind(name)
    if kind != socket.SOCK_DGRAM:
        opened.listen()
    KEPT.append(opened)
    return opened


@trace
def abstract_stream():
    listen("\0dirt")


@trace
def abstract_datagram():
    listen("\0dirt-datagram", socket.SOCK_DGRAM)


@trace
def abstract_packet():
    listen("\0dirt-packet", socket.SOCK_SEQPACKET)


@trace
def unix_backlog():
    """Connections that nobody accepts, with data in them."""
    listen("\0dirt-backlog")
    for _ in range(5):
        client = socket.socket(socket.AF_UNIX)
        client.connect("\0dirt-backlog")
        client.send(CANARY)
        KEPT.append(client)


@trace
def tcp_listener():
    KEPT.append(socket.create_server(("127.0.0.1", 7001)))


@trace
def tcp6_listener():
    KEPT.append(socket.create_server(("::1", 7002), family=socket.AF_INET6))


@trace
def runtime_port():
    """The port of the Runtime API, where the next tenant expects the engine."""
    KEPT.append(socket.create_server(("127.0.0.1", 9001)))


@trace
def time_wait():
    server = socket.create_server(("127.0.0.1", 7003))
    for _ in range(20):
        client = socket.create_connection(server.getsockname())
        accepted, _ = server.accept()
        accepted.close()
        client.close()
    server.close()


@trace
def unsent_data():
    server = socket.create_server(("127.0.0.1", 7004))
    client = socket.create_connection(server.getsockname())
    client.setblocking(False)
    client.send(bytes(1 << 20))
    KEPT.extend([server, client])


@trace
def orphaned_connection():
    """Closed on one side, with data that nobody takes."""
    server = socket.create_server(("127.0.0.1", 7005))
    client = socket.create_connection(server.getsockname())
    client.send(CANARY)
    client.close()
    KEPT.append(server)


@trace
def half_open():
    """More connections than the backlog takes."""
    server = socket.create_server(("127.0.0.1", 7006), backlog=1)
    KEPT.append(server)
    for _ in range(4):
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(server.getsockname())
        KEPT.append(client)


@trace
def udp_traffic():
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 7007))
    for _ in range(50):
        receiver.sendto(CANARY, receiver.getsockname())
    KEPT.append(receiver)


@trace
def unreachable_port():
    """ICMP answers, counted per namespace."""
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.connect(("127.0.0.1", 7999))
    sender.send(CANARY)


@trace
def route_cache():
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for last in range(2, 100):
        sender.sendto(b"x", (f"127.0.0.{last}", 9))


@trace
def multicast_group():
    KEPT.append(member := socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    membership = socket.inet_aton("239.1.2.3") + socket.inet_aton("127.0.0.1")
    member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)


@trace
def multicast6_group():
    KEPT.append(member := socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
    membership = socket.inet_pton(socket.AF_INET6, "ff01::1234") + struct.pack("<I", 1)
    member.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)


@trace
def flow_label():
    """IPV6_FLOWLABEL_MGR: a label that is taken, for a minute."""
    KEPT.append(labelled := socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
    request = socket.inet_pton(socket.AF_INET6, "::1") + struct.pack(">I", 0x12345) + struct.pack("<BBHHHI", 0, 255, 1, 6, 60, 0)
    labelled.setsockopt(socket.IPPROTO_IPV6, 32, request)


@trace
def tcp_metrics():
    """What the kernel remembers of a peer: congestion control, fast-open cookies."""
    server = socket.create_server(("127.0.0.2", 7008))
    server.setsockopt(socket.IPPROTO_TCP, 23, 5)
    client = socket.socket()
    client.setsockopt(socket.IPPROTO_TCP, 13, b"reno")
    client.connect(server.getsockname())
    KEPT.extend([server, client])


@trace
def ephemeral_ports():
    for _ in range(200):
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.bind(("127.0.0.1", 0))
        if len(KEPT) < 600:
            KEPT.append(opened)


@trace
def socket_filter():
    """A classic filter program on a socket: kernel memory for compiled code."""
    import ctypes

    KEPT.append(filtered := socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    program = ctypes.create_string_buffer(struct.pack("<HBBI", 6, 0, 0, 0xFFFF))
    filtered.setsockopt(socket.SOL_SOCKET, 26, struct.pack("<HxxxxxxQ", 1, ctypes.addressof(program)))
    KEPT.append(program)


def route_request(kind, flags, body):
    route = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    route.send(struct.pack("<IHHII", 16 + len(body), kind, flags | 5, 1, 0) + body)
    error = struct.unpack_from("<i", route.recv(8192), 16)[0]
    if error:
        raise OSError(-error, os.strerror(-error))


TABLES = {
    "address": (20, struct.pack("<BBBBI", 2, 32, 0, 0, 1) + struct.pack("<HH", 8, 2) + bytes([10, 9, 9, 9])),
    "neighbour": (28, struct.pack("<BxxxiHBB", 2, 1, 0x80, 0, 0) + struct.pack("<HH", 8, 1) + bytes([10, 9, 9, 9])),
    "route": (24, struct.pack("<8BI", 2, 32, 0, 0, 254, 3, 253, 1, 0) + struct.pack("<HH", 8, 1) + bytes([10, 9, 9, 9])),
    "rule": (32, struct.pack("<8BI", 2, 0, 0, 0, 254, 0, 0, 1, 0)),
    "link_name": (16, struct.pack("<BxHiII", 0, 0, 1, 0, 0) + struct.pack("<HH", 9, 3) + b"dirt\0\0\0\0"),
}
for name, (kind, body) in TABLES.items():
    TRACES[f"table_{name}"] = lambda kind=kind, body=body: route_request(kind, 0x600, body)
