"""Without access keys, a web page of somebody else in this machine's browser neither reads nor changes anything."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from browser import PROGRAM, Browser
from daemon import DaemonTest, OwnDaemon, client_for, eventually
from functions import ECHO, deploy, invoke
from test_signatures import KEY, KEYS, SECRET

PRINTS = """
def handler(event, context):
    print("called by", event["by"])
    return 1
"""
FOREIGN_HOSTS = ("evil.example", "evil.example:3001", "127.0.0.1.evil.example", "192.0.2.1")
FOREIGN_PAGES = (
    {"Origin": "http://evil.example"},
    {"Origin": "http://127.0.0.1:8080"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:8080"},
)


class Requests(DaemonTest):
    settings = {"server.allowed_hosts": "allowed.example,*.dev.example"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.name = deploy(cls.client, PRINTS)
        cls.path = f"/2015-03-31/functions/{cls.name}/invocations"

    def post(self, headers=None, host=None, by="nobody"):
        return self.daemon.request("POST", self.path, json.dumps({"by": by}).encode(), headers, host)

    def refused(self, answer):
        status, headers, body = answer
        self.assertEqual((status, headers["x-amzn-errortype"]), (403, "AccessDeniedException"), body)
        return json.loads(body)["Message"]

    def test_other_names_get_nothing_and_are_told_the_setting(self):
        paths = ("/2015-03-31/functions", "/ui", "/metrics", "/offshoot/v1/health", f"/offshoot/v1/functions/{self.name}/logs")
        for host in FOREIGN_HOSTS:
            for path in paths:
                with self.subTest(host=host, path=path):
                    self.assertEqual(self.daemon.request("GET", path)[0], 200)
                    message = self.refused(self.daemon.request("GET", path, host=host))
                    self.assertIn("server.allowed_hosts", message)
            self.refused(self.post(host=host))

    def test_this_machines_names_and_allowed_ones_are_answered(self):
        port = self.daemon.port
        for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}", "any.localhost", "allowed.example", "a.dev.example"):
            with self.subTest(host):
                self.assertEqual(self.post(host=host)[0], 200)

    def test_clients_reach_it_by_each_name_of_this_machine(self):
        for url in (self.daemon.url, f"http://localhost:{self.daemon.port}"):
            client = client_for(url)
            self.assertEqual(invoke(client, self.name, {"by": "a client"}).value, 1)
            client.close()

    def test_pages_of_others_change_nothing(self):
        for number, headers in enumerate(FOREIGN_PAGES):
            with self.subTest(headers):
                self.assertIn("page of another site", self.refused(self.post(headers, by=f"page-{number}-")))
                self.refused(self.daemon.request("DELETE", f"/2015-03-31/functions/{self.name}", headers=headers))
                self.refused(self.daemon.request("POST", "/offshoot/v1/sandboxes/drain", b"{}", headers))
        self.post(by="a program")
        self.assertTrue(eventually(lambda: "called by a program" in self.log()))
        self.assertNotIn("page-", self.log())

    def log(self):
        return self.daemon.request("GET", f"/offshoot/v1/functions/{self.name}/logs")[2].decode()

    def test_its_own_page_may_change_things(self):
        for headers in ({"Origin": self.daemon.url}, {"Sec-Fetch-Site": "same-origin", "Origin": "null"}, {"Sec-Fetch-Site": "none"}):
            with self.subTest(headers):
                self.assertEqual(self.post(headers)[0], 200)

    def test_function_urls_are_for_pages_of_others(self):
        name = deploy(self.client, ECHO)
        cors = {"AllowOrigins": ["http://a.example"], "AllowMethods": ["POST"]}
        url = self.client.create_function_url_config(FunctionName=name, AuthType="NONE", Cors=cors)["FunctionUrl"]
        host = url.removeprefix("http://").rstrip("/")
        headers = {"Origin": "http://a.example", "Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"}
        for method in ("OPTIONS", "POST"):
            status, answer, body = self.daemon.request(method, "/", b"{}" if method == "POST" else None, headers, host)
            self.assertLess(status, 300, body)
            self.assertEqual(answer["Access-Control-Allow-Origin"], "http://a.example")


class Signed(DaemonTest):
    settings = KEYS

    def test_with_keys_the_signature_decides_alone(self):
        path = "/2015-03-31/functions"
        for host in ("evil.example", self.daemon.address):
            with self.subTest(host):
                request = AWSRequest("GET", f"http://{host}{path}", headers={"Host": host})
                SigV4Auth(Credentials(KEY, SECRET), "lambda", "us-east-1").add_auth(request)
                headers = {**dict(request.headers), "Origin": "http://evil.example"}
                self.assertEqual(self.daemon.request("GET", path, headers=headers)[0], 200)
                status, answer, _ = self.daemon.request("GET", path, host=host)
                self.assertEqual((status, answer["x-amzn-errortype"]), (403, "MissingAuthenticationTokenException"))


class Neighbour(BaseHTTPRequestHandler):
    """Somebody else's site: an empty page, which notes what is posted to it."""

    def do_GET(self):
        self.answer(b"<!doctype html><title>somebody else's</title>")

    def do_POST(self):
        self.server.posted.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(b"")

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class InABrowser(OwnDaemon):
    """The attacks themselves, by Chromium."""

    def setUp(self):
        if PROGRAM is None:
            raise AssertionError("chromium is missing: run make setup")
        self.run_daemon = self.daemon({"server.allowed_hosts": "allowed.example"}).start()
        self.client = self.run_daemon.client()
        self.addCleanup(self.client.close)
        self.name = deploy(self.client, PRINTS)
        # What a name server in the attacker's hands answers.
        self.browser = Browser.start("--host-resolver-rules=MAP *.example 127.0.0.1")
        self.addCleanup(self.browser.close)

    def neighbour(self):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Neighbour)
        server.posted = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(lambda: (server.shutdown(), thread.join(), server.server_close()))
        return server

    def post(self, url, by):
        """A simple request of the open page's: sent at once, whoever it goes to."""
        body = json.dumps(json.dumps({"by": by}))
        sent = f"fetch({json.dumps(url)}, {{method: 'POST', mode: 'no-cors', body: {body}}}).then(() => true)"
        self.assertTrue(self.browser.ask(sent))

    def log(self):
        return self.run_daemon.request("GET", f"/offshoot/v1/functions/{self.name}/logs")[2].decode()

    def test_cross_site_post_reaches_no_function(self):
        server = self.neighbour()
        port = server.server_address[1]
        target = f"{self.run_daemon.url}/2015-03-31/functions/{self.name}/invocations"
        self.browser.open(f"http://evil.example:{port}/")
        self.post(target, "somebody")
        # Control: another server of this machine does get such a request.
        self.post(f"http://127.0.0.1:{port}/", "somebody")
        self.assertEqual(server.posted, [b'{"by": "somebody"}'])
        # Control: from the daemon's own page the same request invokes the function.
        self.browser.open(f"{self.run_daemon.url}/ui")
        self.post(target, "its own page")
        self.assertTrue(eventually(lambda: "called by its own page" in self.log()))
        self.assertNotIn("called by somebody", self.log())

    def test_name_that_was_bound_anew_opens_nothing(self):
        seen = {}
        for host in ("evil.example", "allowed.example", "localhost"):
            self.browser.open(f"http://{host}:{self.run_daemon.port}/offshoot/v1/health")
            seen[host] = self.browser.ask("document.body.innerText")
        self.assertIn("server.allowed_hosts", seen["evil.example"])
        self.assertNotIn("pid", seen["evil.example"])
        for host in ("allowed.example", "localhost"):
            self.assertIn('"pid"', seen[host])
