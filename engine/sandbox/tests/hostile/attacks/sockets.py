"""Sockets that reach beyond the sandbox's own network, or into rarely used parts of the kernel (S14)."""

import os
import socket
import struct

from hostile import Refused, attack, attempt, code, family, in_child, main, token_in

# Family, type, protocol.
KINDS = {
    "vsock": (40, 1, 0), "alg": (38, 5, 0), "key": (15, 3, 2), "netlink_netfilter": (16, 3, 12), "netlink_audit": (16, 3, 9),
    "netlink_uevent": (16, 3, 15), "netlink_sock_diag": (16, 3, 4), "netlink_xfrm": (16, 3, 6), "netlink_generic": (16, 3, 16),
    "netlink_crypto": (16, 3, 21), "raw": (2, 3, 1), "raw6": (10, 3, 58), "raw_any": (2, 3, 255), "packet": (17, 3, 0x300),
    "packet_datagram": (17, 2, 0x300), "xdp": (44, 3, 0), "can": (29, 3, 1), "tipc": (30, 2, 0), "bluetooth": (31, 3, 1),
    "rds": (21, 5, 0), "ax25": (3, 2, 0), "ipx": (4, 2, 0), "appletalk": (5, 2, 0), "x25": (9, 5, 0), "llc": (26, 2, 0),
    "ib": (27, 3, 0), "smc": (43, 1, 0), "qipcrtr": (42, 2, 0), "kcm": (41, 5, 0), "nfc": (39, 5, 0), "mctp": (45, 2, 0),
    "pppox": (24, 1, 0), "phonet": (35, 2, 0), "caif": (37, 1, 0), "rxrpc": (33, 2, 2), "isdn": (34, 3, 0),
}  # fmt: skip
IN_INTERNET = {"sctp": (2, 1, 132), "dccp": (2, 6, 33), "l2tp": (2, 2, 115)}
LO = 1


@family("socket", KINDS)
def other_family(kind):
    with attempt("socket"):
        opened = socket.socket(*kind)
    return f"family-{opened.family:d}"


@family("protocol", IN_INTERNET)
def other_protocol(kind):
    with attempt("socket"):
        opened = socket.socket(*kind)
    return f"protocol-{opened.proto}"


@attack
def socketpair_tipc():
    with attempt("socketpair"):
        socket.socketpair(30, socket.SOCK_SEQPACKET)
    return "pair"


def send_to_route(message_type, flags, body):
    """One request to the kernel's routing; raises what it answers."""
    route = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    route.send(struct.pack("<IHHII", 16 + len(body), message_type, flags | 5, 1, 0) + body)
    error = struct.unpack_from("<i", route.recv(8192), 16)[0]
    if error:
        raise OSError(-error, os.strerror(-error))


def loopback(up):
    send_to_route(16, 0, struct.pack("<BxHiII", 0, 0, LO, up, 1))


def attribute(kind, value):
    return struct.pack("<HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


@attack
def add_address():
    address = attribute(2, socket.inet_aton("10.99.0.1")) + attribute(1, socket.inet_aton("10.99.0.1"))
    with attempt("RTM_NEWADDR"):
        send_to_route(20, 0x600, struct.pack("<BBBBI", 2, 32, 0, 0, LO) + address)
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind(("10.99.0.1", 0))
    return "bound"


@attack
def add_route():
    body = struct.pack("<BBBBBBBBI", 2, 32, 0, 0, 254, 3, 253, 1, 0)
    body += attribute(1, socket.inet_aton("10.98.0.1")) + attribute(4, struct.pack("<I", LO))
    with attempt("RTM_NEWROUTE"):
        loopback(up=1)
        send_to_route(24, 0x600, body)
    return "routed"


@attack
def add_neighbour():
    body = struct.pack("<BxxxiHBB", 2, LO, 0x80, 0, 0)
    body += attribute(1, socket.inet_aton("10.97.0.1")) + attribute(2, bytes(6))
    with attempt("RTM_NEWNEIGH"):
        send_to_route(28, 0x600, body)
    return "added"


@attack
def add_rule():
    with attempt("RTM_NEWRULE"):
        send_to_route(32, 0x600, struct.pack("<BBBBBBBBI", 2, 0, 0, 0, 254, 0, 0, 1, 0))
    return "added"


@attack
def add_link():
    kind = attribute(18, attribute(1, b"veth\0"))
    name = attribute(3, b"hostile0\0")
    with attempt("RTM_NEWLINK"):
        send_to_route(16, 0x600, struct.pack("<BxHiII", 0, 0, 0, 0, 0) + name + kind)
    return "added"


@attack
def link_down():
    """Takes down the loopback, on which the Runtime API is spoken, and brings it up again."""
    with attempt("RTM_NEWLINK"):
        loopback(up=0)
    loopback(up=1)
    return "down"


@attack
def sniff():
    """What others send through the same interface."""

    def listen():
        with attempt("packet socket"):
            tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
        loopback(up=1)
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.sendto(open(code("token"), "rb").read(), ("127.0.0.1", 9999))
        tap.settimeout(5)
        return token_in(tap.recv(4096))

    return in_child(listen)


OPTIONS = {
    "mark": (socket.SOL_SOCKET, 36, struct.pack("<i", 7)),
    "priority": (socket.SOL_SOCKET, 12, struct.pack("<i", 7)),
    "transparent": (socket.SOL_IP, 19, struct.pack("<i", 1)),
    "force_buffer": (socket.SOL_SOCKET, 33, struct.pack("<i", 1 << 24)),
    "netfilter_replace": (socket.SOL_IP, 64, bytes(96)),
}  # fmt: skip


@family("option", OPTIONS)
def option(kind):
    level, name, value = kind
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with attempt("setsockopt"):
        opened.setsockopt(level, name, value)
    return "set"


@attack
def host_loopback():
    """A port that listens on the host's loopback."""
    with attempt("connect"):
        return token_in(socket.create_connection(("127.0.0.1", int(os.environ["HOSTILE_PORT"])), 5).recv(100))


@attack
def host_abstract_socket():
    client = socket.socket(socket.AF_UNIX)
    with attempt("connect"):
        client.connect("\0" + os.environ["HOSTILE_ABSTRACT"])
    return token_in(client.recv(100))


@attack
def host_path_socket():
    client = socket.socket(socket.AF_UNIX)
    with attempt("connect"):
        client.connect(os.path.dirname(outside_path()) + "/socket")
    return token_in(client.recv(100))


def outside_path():
    return os.environ["HOSTILE_OUTSIDE"]


ADDRESSES = ["169.254.169.254", "169.254.170.2", "10.200.0.0", "192.168.0.1", "1.1.1.1"]


@attack
def beyond_loopback():
    """Metadata services, other sandboxes' range, the world: a route is enough to prove it."""
    for address in ADDRESSES:
        try:
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect((address, 80))
            return "route"
        except OSError:
            continue
    raise Refused(f"no route to any of {len(ADDRESSES)}")


main()
