"""Who may ask the daemon: SigV4 with configured access keys, and where it may listen without any."""

import datetime
import subprocess
import sys
import unittest.mock

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from daemon import DaemonTest, OwnDaemon, StartError, clean_environment, client_for
from functions import ECHO, deploy, invoke

KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
KEYS = {"auth.access_keys": f"{KEY}:{SECRET}"}


class Signatures(DaemonTest):
    settings = KEYS

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client.close()
        cls.client = cls.daemon.client(KEY, SECRET)
        cls.name = deploy(cls.client, ECHO)

    def refused(self, client, *codes):
        for operation, arguments in [("list_functions", {}), ("invoke", {"FunctionName": self.name, "Payload": b"{}"})]:
            with self.assertRaises(ClientError) as caught:
                getattr(client, operation)(**arguments)
            response = caught.exception.response
            self.assertEqual(response["ResponseMetadata"]["HTTPStatusCode"], 403, response)
            self.assertIn(response["Error"]["Code"], codes)

    def test_right_key_works(self):
        self.assertEqual(invoke(self.client, self.name, {"a": "ü /?&="}).value, {"a": "ü /?&="})
        self.client.publish_version(FunctionName=self.name)
        arn = self.client.get_function(FunctionName=self.name, Qualifier="1")["Configuration"]["FunctionArn"]
        # ':' and '$' stand in the path, and are signed as such.
        self.assertEqual(invoke(self.client, arn, {"b": 1}).value, {"b": 1})
        self.client.tag_resource(Resource=arn.rsplit(":", 1)[0], Tags={"a b": "c/d"})

    def test_wrong_secret_is_403(self):
        self.refused(self.daemon.client(KEY, "x" * 40), "InvalidSignatureException", "SignatureDoesNotMatch")

    def test_unknown_key_is_403(self):
        self.refused(self.daemon.client("AKIAUNKNOWN000000000", SECRET), "UnrecognizedClientException")

    def test_unsigned_is_403(self):
        for method, path in [
            ("GET", "/2015-03-31/functions"),
            ("POST", f"/2015-03-31/functions/{self.name}/invocations"),
            ("GET", "/metrics"),
            ("GET", f"/offshoot/v1/functions/{self.name}/logs"),
            ("GET", "/offshoot/v1/events"),
            ("POST", "/offshoot/v1/events/purge"),
        ]:
            status, _, body = self.daemon.request(method, path, b"{}" if method == "POST" else None)
            self.assertEqual(status, 403, (path, body))
            self.assertIn(b"oken", body)

    def test_other_region_or_service_is_403(self):
        elsewhere = client_for(self.daemon.url, KEY, SECRET, region_name="eu-west-1")
        self.refused(elsewhere, "InvalidSignatureException", "SignatureDoesNotMatch")

    def test_changed_body_is_403(self):
        path = f"/2015-03-31/functions/{self.name}/invocations"
        request = AWSRequest("POST", self.daemon.url + path, data=b'{"a":1}', headers={"Host": self.daemon.address})
        SigV4Auth(Credentials(KEY, SECRET), "lambda", "us-east-1").add_auth(request)
        headers = dict(request.headers)
        self.assertEqual(self.daemon.request("POST", path, b'{"a":1}', headers)[0], 200)
        self.assertEqual(self.daemon.request("POST", path, b'{"a":2}', headers)[0], 403)

    def test_signature_of_an_hour_ago_is_403(self):
        late = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)
        with unittest.mock.patch("botocore.auth.get_current_datetime", lambda *_, **__: late.replace(tzinfo=None)):
            self.refused(self.client, "InvalidSignatureException", "SignatureDoesNotMatch")

    def test_aws_command_line_signs_for_it(self):
        for secret, status in [(SECRET, 0), ("y" * 40, None)]:
            done = subprocess.run(
                [sys.executable, "-m", "awscli", "lambda", "list-functions", "--output", "json"],
                capture_output=True,
                env=clean_environment(
                    AWS_ENDPOINT_URL_LAMBDA=self.daemon.url,
                    AWS_ACCESS_KEY_ID=KEY,
                    AWS_SECRET_ACCESS_KEY=secret,
                    AWS_DEFAULT_REGION="us-east-1",
                    AWS_MAX_ATTEMPTS="1",
                ),
                timeout=60,
            )
            if status == 0:
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn(self.name.encode(), done.stdout)
            else:
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(b"InvalidSignature", done.stderr)

    def test_offshoots_command_line_signs_too(self):
        keys = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
        done = self.daemon.cli("invoke", self.name, "-d", '{"a": 1}', environment=keys)
        self.assertEqual((done.returncode, done.stdout.strip()), (0, b'{"a": 1}'), done.stderr)
        self.assertEqual(self.daemon.cli("events", "--json", environment=keys).returncode, 0)
        self.assertNotEqual(self.daemon.cli("list").returncode, 0)


class Exposure(OwnDaemon):
    def test_other_addresses_than_loopback_want_keys(self):
        with self.assertRaises(StartError) as caught:
            self.daemon(listen="0.0.0.0:0").start()
        self.assertIn("access_keys", caught.exception.log)

    def test_other_addresses_are_fine_with_keys(self):
        daemon = self.daemon(KEYS, listen="0.0.0.0:0").start()
        self.assertEqual(daemon.stop(), 0)
