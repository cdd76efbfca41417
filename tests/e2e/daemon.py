"""The real daemon, started and ended by tests, and the clients that talk to it."""

import http.client
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import zlib
from pathlib import Path

import boto3
from botocore.config import Config

import kernel

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("OFFSHOOT_BIN", ROOT / "target/release/offshoot")).resolve()
LISTENING = "offshoot is listening on http://"
START_LIMIT_S = 20
STOP_LIMIT_S = 40
ROLE = "arn:aws:iam::000000000000:role/any"
REGION = "us-east-1"
ACCOUNT = "000000000000"
# One session for all clients: reading the model of the Lambda API is most of a client's cost.
SESSION = boto3.session.Session(aws_access_key_id="any", aws_secret_access_key="any", region_name=REGION)


def clean_environment(**more):
    """The environment without anything that offshoot or an AWS client would take as a setting."""
    ours = ("OFFSHOOT_", "AWS_", "RUST_LOG")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    # No configuration of the user's own, and no question to an instance metadata service.
    kept.update(AWS_EC2_METADATA_DISABLED="true", AWS_CONFIG_FILE="/dev/null", AWS_SHARED_CREDENTIALS_FILE="/dev/null")
    return {**kept, **more}


def client_for(url, access_key=None, secret=None, **options):
    """A boto3 client of the Lambda API at `url`, without retries."""
    options.setdefault("region_name", REGION)
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=60, **options)
    credentials = {"aws_access_key_id": access_key, "aws_secret_access_key": secret} if access_key else {}
    return SESSION.client("lambda", endpoint_url=url, config=config, **credentials)


class StartError(Exception):
    """The daemon ended instead of listening; `status` and what it wrote on standard error."""

    def __init__(self, status, log):
        super().__init__(f"the daemon ended with {status}: {log}")
        self.status = status
        self.log = log


class Daemon:
    """`offshoot serve` on a state directory of its own."""

    def __init__(self, settings=None, state_dir=None, listen="127.0.0.1:0"):
        """`settings` maps `section.key` to a value; a given `state_dir` is not removed by `close`."""
        self.folder = Path(tempfile.mkdtemp(prefix="offshoot-e2e-"))
        self.state_dir = Path(state_dir) if state_dir else self.folder / "state"
        self.settings = dict(settings or {})
        self.listen = listen
        self.process = None
        self.address = None
        self.ready_s = None

    def start(self):
        variables = {f"OFFSHOOT_{path.replace('.', '_').upper()}": str(value) for path, value in self.settings.items()}
        command = [str(BINARY), "serve", "--listen", self.listen, "--state-dir", str(self.state_dir)]
        begun = time.monotonic()
        with open(self.folder / "daemon.log", "ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=clean_environment(**variables),
            )
        line = self._first_line()
        self.ready_s = time.monotonic() - begun
        if not line.startswith(LISTENING):
            self.process.kill()
            status = self.process.wait()
            self.process.stdout.close()
            self.process = None
            raise StartError(status, self.log())
        self.address = line.removeprefix(LISTENING).strip()
        return self

    def _first_line(self):
        readable, _, _ = select.select([self.process.stdout], [], [], START_LIMIT_S)
        return self.process.stdout.readline().decode() if readable else ""

    @property
    def pid(self):
        return self.process.pid

    @property
    def url(self):
        return f"http://{self.address}"

    @property
    def port(self):
        return int(self.address.rsplit(":", 1)[1])

    @property
    def owner(self):
        """The name that everything of this daemon bears in the kernel."""
        return f"{zlib.crc32(os.fsencode(self.state_dir.resolve())):08x}"

    def log(self):
        return (self.folder / "daemon.log").read_text(errors="replace")

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, limit_s=STOP_LIMIT_S):
        status = self.process.wait(limit_s)
        self.process.stdout.close()
        self.process = None
        return status

    def stop(self):
        """SIGTERM; the exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill9(self):
        self.signal(signal.SIGKILL)
        self.wait()

    def restart(self):
        if self.process:
            self.stop()
        return self.start()

    def close(self):
        """Ends the daemon if it runs, and removes its files."""
        if self.process:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.kill9()
        shutil.rmtree(self.folder, ignore_errors=True)

    def client(self, access_key=None, secret=None, **options):
        return client_for(self.url, access_key, secret, **options)

    def request(self, method, path, body=None, headers=None, host=None):
        """One plain HTTP request: status, headers, body."""
        connection = http.client.HTTPConnection(self.address, timeout=60)
        try:
            connection.request(method, path, body, {**({"Host": host} if host else {}), **(headers or {})})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def cli(self, *arguments, stdin=None, environment=None):
        """`offshoot ARGUMENTS` against this daemon, or against none if it does not run."""
        where = {"OFFSHOOT_ENDPOINT": self.url} if self.process else {}
        return subprocess.run(
            [str(BINARY), *map(str, arguments)],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            env=clean_environment(**where, **(environment or {})),
            timeout=120,
        )


class DaemonTest(unittest.TestCase):
    """Tests that share one daemon; at its end it must exit with 0 and leave nothing in the kernel."""

    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(cls.settings).start()
        cls.addClassCleanup(cls.daemon.close)
        cls.client = cls.daemon.client()

    @classmethod
    def tearDownClass(cls):
        owner = cls.daemon.owner
        # Read before the end: idle connections of the client would otherwise hold the drain up.
        cls.client.close()
        status = cls.daemon.stop()
        if status != 0:
            raise AssertionError(f"the daemon exited with {status}: {cls.daemon.log()}")
        left = kernel.left_by(owner)
        if left:
            raise AssertionError(f"the daemon left {left}")


class OwnDaemon(unittest.TestCase):
    """Tests that need a daemon each."""

    def daemon(self, settings=None, **more):
        daemon = Daemon(settings, **more)
        self.addCleanup(daemon.close)
        return daemon


def eventually(condition, limit_s=10, pause_s=0.05):
    """What `condition` returns once that is true, or its last answer after `limit_s`."""
    begun = time.monotonic()
    while True:
        found = condition()
        if found or time.monotonic() - begun > limit_s:
            return found
        time.sleep(pause_s)
