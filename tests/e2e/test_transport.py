"""Abuse of HTTP itself. Each must end within seconds, in an error or a closed connection, and the daemon serves on."""

import socket
import threading
import time

from daemon import DaemonTest
from functions import ECHO, deploy, invoke

LIMIT_S = 10


class Abuse(DaemonTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.name = deploy(cls.client, ECHO)
        cls.path = f"/2015-03-31/functions/{cls.name}/invocations"

    def setUp(self):
        self.begun = time.monotonic()

    def tearDown(self):
        self.assertLess(time.monotonic() - self.begun, LIMIT_S)
        self.assertEqual(invoke(self.client, self.name, {"a": 1}).value, {"a": 1})

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.daemon.port), timeout=LIMIT_S)
        self.addCleanup(connection.close)
        return connection

    def send(self, data, broken_off=False):
        """The status that raw bytes get; 0 if the connection was closed without an answer.

        `broken_off`: the client sends no more, though the request is not complete."""
        connection = self.connect()
        try:
            connection.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            if broken_off:
                connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(65536)
        except OSError as error:
            self.assertNotIsInstance(error, TimeoutError, "no answer")
            return 0
        if not answer:
            return 0
        self.assertTrue(answer.startswith(b"HTTP/1."), answer[:100])
        return int(answer.split(b" ", 2)[1])

    def post(self, headers, body=b"", path=None, broken_off=False):
        head = f"POST {path or self.path} HTTP/1.1\r\nHost: localhost\r\n".encode()
        return self.send(head + headers + b"\r\n" + body, broken_off)

    def test_control_request_is_answered(self):
        self.assertEqual(self.post(b"Content-Length: 2\r\n", b"{}"), 200)

    def test_lengths_that_are_none(self):
        for value in (b"-1", b"abc", b"99999999999999999999999", b"1, 2", b"0x10", b"+2"):
            with self.subTest(value):
                self.assertIn(self.post(b"Content-Length: " + value + b"\r\n", b"{}"), (0, 400, 413))
                self.assertIn(self.post(b"Content-Length: " + value + b"\r\n"), (400, 413))
        self.assertIn(self.post(b"Content-Length: 2\r\nContent-Length: 3\r\n", b"{}x"), (0, 400))

    def test_length_beyond_the_limit_is_refused_before_the_body(self):
        self.assertEqual(self.post(b"Content-Length: 99999999999\r\n"), 413)

    def test_length_and_chunks_at_once(self):
        body = b"2\r\n{}\r\n0\r\n\r\n"
        status = self.post(b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", body)
        # RFC 9112, 6.3: the chunks count, or the request is refused.
        self.assertIn(status, (0, 200, 400))

    def test_chunk_sizes_that_overflow(self):
        for size in (b"FFFFFFFFFFFFFFFFFF", b"-1", b"g", b"7FFFFFFFFFFFFFFF"):
            with self.subTest(size):
                status = self.post(b"Transfer-Encoding: chunked\r\n", size + b"\r\n{}\r\n0\r\n\r\n", broken_off=True)
                self.assertIn(status, (0, 400, 413))

    def test_hundred_thousand_headers(self):
        self.assertIn(self.post(b"".join(b"X-%d: 1\r\n" % number for number in range(100_000))), (0, 400, 431))

    def test_header_of_a_mebibyte(self):
        self.assertIn(self.post(b"X-Long: " + b"x" * (1 << 20) + b"\r\n"), (0, 400, 431))

    def test_request_line_of_a_mebibyte(self):
        self.assertIn(self.post(b"", path="/" + "x" * (1 << 20)), (0, 400, 414, 431))

    def test_bytes_that_no_head_may_have(self):
        for line in (b"X-Null: a\0b\r\n", b"X\0Y: a\r\n", b"Bad Name: a\r\n", b"no colon\r\n", b": empty\r\n"):
            with self.subTest(line):
                self.assertIn(self.post(line + b"Content-Length: 2\r\n", b"{}"), (0, 400))

    def test_requests_that_are_no_http_1(self):
        for data in (
            b"GET /\r\n\r\n",
            b"\0" * 1000,
            b"GET / HTTP/9.9\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20,
            b"\r\n" * 1000 + b"x\r\n\r\n",
        ):
            with self.subTest(data[:20]):
                self.assertIn(self.send(data), (0, 400, 404, 505))

    def test_encoded_paths_reach_no_file(self):
        for path in (
            "/2015-03-31/functions/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
            "/2015-03-31/functions/%00",
            "/offshoot/v1/code/%2e%2e%2fx.zip",
            "/offshoot/v1/code/../../../etc/passwd.zip",
            "/offshoot/v1/functions/%2e%2e%2f%2e%2e/logs",
            "/../../etc/passwd",
            "/2015-03-31/functions/%ff%fe",
            "/2015-03-31/functions/%zz",
            "/offshoot/v1/functions/..%2F..%2F/logs",
        ):
            with self.subTest(path):
                status, _, body = self.daemon.request("GET", path)
                self.assertIn(status, (400, 403, 404), body)
                self.assertNotIn(b"root:", body)

    def test_absolute_form_is_understood_or_refused(self):
        self.assertIn(self.send(b"GET http://elsewhere.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n"), (400, 403, 404))

    def test_event_a_million_deep_is_the_functions_trouble(self):
        deep = b"[" * 1_000_000 + b"]" * 1_000_000
        status, headers, _ = self.daemon.request("POST", self.path, deep)
        self.assertEqual(status, 200)
        # Python's own parser gives up at its recursion limit.
        self.assertEqual(headers["X-Amz-Function-Error"], "Unhandled")

    def test_configuration_a_million_deep_is_refused(self):
        deep = b'{"Tags":' * 200_000 + b"1" + b"}" * 200_000
        status, _, _ = self.daemon.request("POST", "/2015-03-31/functions", deep)
        self.assertEqual(status, 400)

    def test_event_of_a_million_keys_arrives(self):
        body = b"{" + b",".join(b'"%d":1' % number for number in range(400_000)) + b"}"
        status, headers, answer = self.daemon.request("POST", self.path, body)
        self.assertEqual((status, headers["X-Amz-Function-Error"]), (200, None))
        self.assertGreater(len(answer), len(body) - 1)

    def test_slow_bodies_hold_nobody_up(self):
        slow = []
        for _ in range(50):
            connection = self.connect()
            connection.sendall(f"POST {self.path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{{".encode())
            slow.append(connection)
        for connection in slow:
            connection.sendall(b'"')
        self.assertEqual(invoke(self.client, self.name, {"a": 2}).value, {"a": 2})

    def test_a_thousand_idle_connections_hold_nobody_up(self):
        for _ in range(1000):
            self.connect()
        self.assertEqual(invoke(self.client, self.name, {"a": 3}).value, {"a": 3})

    def test_clients_that_go_away_leave_the_function_well(self):
        def leave():
            connection = self.connect()
            connection.sendall(f"POST {self.path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{{}}".encode())
            connection.close()

        threads = [threading.Thread(target=leave) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def test_pipelined_requests_are_answered_in_order(self):
        connection = self.connect()
        one = f"POST {self.path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n".encode()
        connection.sendall(one + b"1" + one + b"2" + one + b"3")
        received = b""
        while received.count(b"HTTP/1.1 200") < 3 or not received.endswith(b"3"):
            part = connection.recv(65536)
            if not part:
                break
            received += part
        bodies = [answer.split(b"\r\n\r\n", 1)[1] for answer in received.split(b"HTTP/1.1 ")[1:]]
        self.assertEqual(bodies, [b"1", b"2", b"3"])
