"""A function's way to the network, if it is given one: other machines, but neither the host nor its neighbours."""

import http.server
import ipaddress
import json
import subprocess
import threading
import unittest

import kernel
from daemon import DaemonTest, eventually
from functions import PROBE, deploy, probe

OWN_ADDRESS = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
    asking.connect((event['to'], 9))
    result = asking.getsockname()[0]
"""


class Outside(DaemonTest):
    """A function with egress reaches the network, but neither the host nor what is link-local."""

    settings = {"network.egress": "true"}
    SPACE, LINK, HOST, SERVER = "offe2e", "offe2e-h", "10.199.77.1", "10.199.77.2"

    CONNECT = """
    import socket
    result = {}
    for host, port in event["targets"]:
        try:
            with socket.create_connection((host, port), timeout=2) as connection:
                connection.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
                result[f"{host}:{port}"] = connection.recv(100).decode()
        except OSError as error:
            result[f"{host}:{port}"] = "refused"
    """

    @classmethod
    def setUpClass(cls):
        for tool in ("ip", "nft"):
            if subprocess.run(["which", tool], capture_output=True).returncode != 0:
                raise unittest.SkipTest(f"{tool} is not installed: egress cannot be tested")
        super().setUpClass()
        cls.name = deploy(cls.client, PROBE, Timeout=20)
        cls.addClassCleanup(cls.remove_space)
        cls.remove_space()
        for command in (
            f"netns add {cls.SPACE}",
            f"link add {cls.LINK} type veth peer name eth0 netns {cls.SPACE}",
            f"addr add {cls.HOST}/30 dev {cls.LINK}",
            f"link set {cls.LINK} up",
            f"-n {cls.SPACE} addr add {cls.SERVER}/30 dev eth0",
            f"-n {cls.SPACE} link set eth0 up",
            f"-n {cls.SPACE} link set lo up",
            f"-n {cls.SPACE} route add default via {cls.HOST}",
            f"-n {cls.SPACE} addr add 169.254.169.254/32 dev lo",
        ):
            subprocess.run(["ip", *command.split()], check=True)
        server = "import http.server; http.server.HTTPServer(('0.0.0.0', 8099), http.server.SimpleHTTPRequestHandler).serve_forever()"
        cls.server = subprocess.Popen(
            ["ip", "netns", "exec", cls.SPACE, "/usr/bin/python3", "-c", server],
            cwd=cls.daemon.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    @classmethod
    def remove_space(cls):
        if getattr(cls, "server", None):
            cls.server.kill()
            cls.server.wait()
        subprocess.run(["ip", "netns", "delete", cls.SPACE], capture_output=True)
        subprocess.run(["ip", "link", "delete", cls.LINK], capture_output=True)

    def connect(self, *targets):
        return probe(self.client, self.name, self.CONNECT, targets=targets)

    def test_other_machines_are_reached(self):
        found = self.connect((self.SERVER, 8099))
        self.assertTrue(found[f"{self.SERVER}:8099"].startswith("HTTP/1.0 "), found)

    def test_host_and_link_local_addresses_are_not_reached(self):
        # The listener is on all of the host's addresses, so that only the rules can refuse.
        listener = http.server.HTTPServer(("0.0.0.0", 0), http.server.SimpleHTTPRequestHandler)
        self.addCleanup(listener.server_close)
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        self.addCleanup(listener.shutdown)
        port = listener.server_address[1]
        gateway = probe(self.client, self.name, "result = open('/proc/net/route').read()")
        addresses = [
            bytes.fromhex(line.split("\t")[2])[::-1]
            for line in gateway.splitlines()[1:]
            if line.split("\t")[1] == "00000000"
        ]
        gateways = [".".join(map(str, address)) for address in addresses]
        self.assertEqual(len(gateways), 1)
        targets = [
            ("127.0.0.1", port),
            (self.HOST, port),
            (gateways[0], port),
            ("169.254.169.254", 80),
            ("169.254.0.1", 80),
        ]
        found = self.connect(*targets)
        self.assertEqual(set(found.values()), {"refused"}, found)

    def test_two_functions_do_not_reach_each_other(self):
        other = deploy(
            self.client,
            "import threading, http.server\n" + PROBE + """
server = http.server.HTTPServer(("0.0.0.0", 8098), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
""",
            Timeout=20,
        )
        theirs = probe(self.client, other, OWN_ADDRESS, to=self.SERVER)
        self.assertTrue(theirs.startswith("10.200."), theirs)
        self.assertEqual(self.connect((theirs, 8098)), {f"{theirs}:8098": "refused"})

    def test_links_go_with_their_sandboxes(self):
        name = deploy(self.client, PROBE)
        # The other end has the address before; a number, because names are used again.
        ours = ipaddress.ip_address(probe(self.client, name, OWN_ADDRESS, to=self.SERVER)) - 1
        links = json.loads(subprocess.run(["ip", "-j", "-4", "addr"], check=True, capture_output=True).stdout)
        (link,) = (link for link in links if any(one["local"] == str(ours) for one in link["addr_info"]))
        exists = lambda: link["ifindex"] in kernel.link_numbers()
        self.assertTrue(exists())
        self.client.delete_function(FunctionName=name)
        self.assertTrue(eventually(lambda: not exists()))
