"""Secrets: what a function keeps secret is in its clones and in no image; credentials of its role come from an endpoint."""

import functools
import json
import os
import tempfile
import unittest
from datetime import datetime, timedelta, timezone
from pathlib import Path

import boto3

from daemon import ROLE, DaemonTest, OwnDaemon, eventually
from functions import deploy, deploy_node
from test_seeds import EACH_A_CLONE, start, until

# Put together here, so that no package and no image has them from this file.
CANARY = "canary-" + "7c1e9a" * 5
AWS_KEY = "AKIA" + "QX7Z" * 4
# With seeds of runtimes, what has no seed of its own starts from one of those.
COLD_OR_CLONE = {**EACH_A_CLONE, "seeds.runtime_seeds": "false"}
KNOWN_ROLE = "arn:aws:iam::000000000000:role/known"

READS_LATE = """
import os
from snapshot_restore_py import register_after_restore
seen = []
register_after_restore(lambda: seen.append(os.environ["API_KEY"]))
def handler(event, context):
    return [os.environ["API_KEY"], os.environ["OPEN"], *seen]
"""

NODE_READS_LATE = """
const seen = [];
globalThis.awslambda.registerAfterRestore(() => seen.push(process.env.API_KEY));
exports.handler = async () => [process.env.API_KEY, process.env.OPEN, ...seen];
"""

READS_EARLY = """
import os
KEY = os.environ.get("API_KEY")
def handler(event, context):
    return KEY
"""

NODE_READS_EARLY = """
const key = process.env.API_KEY;
exports.handler = async () => key;
"""

# Read from where no tracking sees it: the variable of the C library, with a fall-back that hides the want of it.
NEEDS_IT = """
import ctypes
getenv = ctypes.CDLL(None).getenv
getenv.restype = ctypes.c_char_p
KEY = getenv(b"API_KEY").decode()
def handler(event, context):
    return KEY
"""

# As if it had come from a service: not a variable, but the value of one.
HOLDS_VALUE = """
held = bytes(reversed({reversed!r})).decode()
def handler(event, context):
    return held
"""


def late(client, env, source=READS_LATE, of=deploy):
    return of(client, source, Environment={"Variables": {"OPEN": "to all", **env}})


def seed_of(daemon, name):
    listed = json.loads(daemon.cli("seed", "list", "--json").stdout)["seeds"]
    return next(seed for seed in listed if seed["function"] == name)


def stored(daemon, text):
    """How many files beneath the state directory's seeds hold a text, as it is or in UTF-16."""
    count = 0
    for path in (daemon.state_dir / "seeds").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            count += text.encode() in data or text.encode("utf-16-le") in data
    return count


class Withheld(DaemonTest):
    settings = COLD_OR_CLONE
    anew = ("cold",)

    def assert_starts_anew(self, name, value):
        rung, found, error = start(self.daemon, name)
        self.assertEqual((found, error), (value, None))
        self.assertIn(rung, self.anew)

    def assert_in_clones_only(self, name):
        self.assert_starts_anew(name, [CANARY, "to all"])
        # Twice: what is learnt of the first clone makes another image.
        for _ in range(2):
            self.assertEqual(until(self.daemon, name, "clone"), [CANARY, "to all", CANARY])
        self.assertTrue(list((self.daemon.state_dir / "seeds").iterdir()))
        self.assertEqual(stored(self.daemon, CANARY), 0)
        self.assertGreaterEqual(stored(self.daemon, "to all"), 1, "images can be searched for what is not withheld")

    def test_python_clone_has_the_secret_and_its_image_has_not(self):
        self.assert_in_clones_only(late(self.client, {"API_KEY": CANARY}))

    def test_node_clone_has_the_secret_and_its_image_has_not(self):
        self.assert_in_clones_only(late(self.client, {"API_KEY": CANARY}, NODE_READS_LATE, deploy_node))

    def assert_starts_cold(self, name, *reasons):
        start(self.daemon, name)
        self.assertTrue(eventually(lambda: seed_of(self.daemon, name)["state"] == "refused"), self.daemon.log())
        reason = seed_of(self.daemon, name)["reason"]
        for part in ("API_KEY", "seeds.secret_names", *reasons):
            self.assertIn(part, reason)
        self.assert_starts_anew(name, CANARY)
        self.assertNotIn(CANARY, self.daemon.log())

    def test_init_that_reads_a_secret_starts_cold_and_the_reason_names_it(self):
        env = {"API_KEY": CANARY, "DB_PASSWORD": "unread one"}
        for source, of in ((READS_EARLY, deploy), (NODE_READS_EARLY, deploy_node)):
            self.assert_starts_cold(late(self.client, env, source, of), "its init reads the secret variable API_KEY,")

    def test_init_that_fails_for_want_of_a_secret_starts_cold_and_the_reason_names_it(self):
        name = late(self.client, {"API_KEY": CANARY}, NEEDS_IT)
        self.assert_starts_cold(name, "AttributeError", "API_KEY was withheld")

    def test_value_that_is_in_memory_all_the_same_refuses_the_image(self):
        source = HOLDS_VALUE.format(reversed=CANARY.encode()[::-1])
        name = late(self.client, {"API_KEY": CANARY}, source)
        start(self.daemon, name)
        self.assertTrue(eventually(lambda: seed_of(self.daemon, name)["state"] == "refused"), self.daemon.log())
        self.assertIn("the value of the variable API_KEY in ", seed_of(self.daemon, name)["reason"])
        self.assert_starts_anew(name, CANARY)
        self.assertEqual(stored(self.daemon, CANARY), 0)

    def test_key_in_the_code_is_told_and_does_not_refuse(self):
        name = deploy(self.client, f"KEY = {AWS_KEY!r}\ndef handler(event, context): return KEY")
        self.assertEqual(until(self.daemon, name, "clone"), AWS_KEY)
        self.assertIn("what looks like an AWS access key id in ", seed_of(self.daemon, name)["secrets"])
        self.assertNotIn(AWS_KEY, self.daemon.log())
        plain = deploy(self.client, "def handler(event, context): return 1")
        until(self.daemon, plain, "clone")
        self.assertIsNone(seed_of(self.daemon, plain)["secrets"])


class WithheldAboveRuntimes(Withheld):
    settings = EACH_A_CLONE
    anew = ("cold", "level1")


class Control(DaemonTest):
    settings = {**COLD_OR_CLONE, "seeds.secret_names": "", "seeds.secrets": "ignore"}

    def test_secret_is_in_the_image_if_nothing_is_withheld(self):
        name = late(self.client, {"API_KEY": CANARY})
        self.assertEqual(until(self.daemon, name, "clone"), [CANARY, "to all", CANARY])
        self.assertGreaterEqual(stored(self.daemon, CANARY), 1)
        early = late(self.client, {"API_KEY": CANARY}, READS_EARLY)
        self.assertEqual(until(self.daemon, early, "clone"), CANARY)


class Refused(DaemonTest):
    settings = {**COLD_OR_CLONE, "seeds.secrets": "refuse"}

    def test_key_in_the_code_refuses_the_image(self):
        name = deploy(self.client, f"KEY = {AWS_KEY!r}\ndef handler(event, context): return KEY")
        start(self.daemon, name)
        self.assertTrue(eventually(lambda: seed_of(self.daemon, name)["state"] == "refused"), self.daemon.log())
        self.assertIn("what looks like an AWS access key id in ", seed_of(self.daemon, name)["reason"])
        self.assertEqual(stored(self.daemon, AWS_KEY), 0)
        self.assertEqual(start(self.daemon, name), ("cold", AWS_KEY, None))

    def test_plain_functions_have_seeds(self):
        for name in (deploy(self.client, READS_LATE.replace('os.environ["API_KEY"]', "1")), deploy_node(self.client)):
            self.client.update_function_configuration(FunctionName=name, Environment={"Variables": {"OPEN": "1"}})
            until(self.daemon, name, "clone")


class Changed(DaemonTest):
    """A seed that has no secret outlives its value."""

    settings = EACH_A_CLONE

    def change(self, name, **variables):
        self.client.update_function_configuration(FunctionName=name, Environment={"Variables": variables})

    def file(self, name):
        """The seed's file on disk, by its number: another one that was made under the same name is another file."""
        return (self.daemon.state_dir / "seeds" / seed_of(self.daemon, name)["image"]).stat().st_ino

    def assert_seed_stays(self, source, of):
        name = late(self.client, {"API_KEY": CANARY}, source, of)
        until(self.daemon, name, "clone")
        before = self.file(name)
        for value in (f"new-{CANARY}", f"newer-{CANARY}"):
            self.change(name, OPEN="to all", API_KEY=value)
            rung, found, _ = start(self.daemon, name)
            self.assertEqual((rung, found), ("clone", [value, "to all", value]), self.daemon.log())
        self.assertEqual(self.file(name), before)
        self.assertEqual(stored(self.daemon, CANARY), 0)
        # Control: what the process of the seed does have is another seed, and the old one goes.
        old = seed_of(self.daemon, name)["image"]
        self.change(name, OPEN="to few", API_KEY=CANARY)
        rung, found, _ = start(self.daemon, name)
        self.assertIn(rung, ("cold", "level1"))
        self.assertEqual(found, [CANARY, "to few"])
        self.assertTrue(eventually(lambda: old not in os.listdir(self.daemon.state_dir / "seeds")))
        self.assertEqual(until(self.daemon, name, "clone"), [CANARY, "to few", CANARY])

    def test_python_seed_stays_when_a_secret_changes(self):
        self.assert_seed_stays(READS_LATE, deploy)

    def test_node_seed_stays_when_a_secret_changes(self):
        self.assert_seed_stays(NODE_READS_LATE, deploy_node)

    def test_seed_refused_for_the_value_of_a_secret_is_tried_again_with_another(self):
        held = "held-" + CANARY
        name = late(self.client, {"API_KEY": held}, HOLDS_VALUE.format(reversed=held.encode()[::-1]))
        start(self.daemon, name)
        self.assertTrue(eventually(lambda: seed_of(self.daemon, name)["state"] == "refused"), self.daemon.log())
        self.change(name, OPEN="to all", API_KEY="found nowhere " + "else" * 3)
        self.assertEqual(until(self.daemon, name, "clone"), held)


class Parked(DaemonTest):
    """No clone that waits with the secret of before answers."""

    settings = {"seeds.after_events": 1, "seeds.parked": 2}

    def test_what_waits_with_the_old_value_ends_and_the_seed_is_not_made_again(self):
        name = late(self.client, {"API_KEY": CANARY})

        def waiting():
            start(self.daemon, name)
            return json.loads(self.daemon.cli("explain", name, "--json").stdout)["parked"] == 2

        self.assertTrue(eventually(waiting, 20), self.daemon.log())
        value = f"new-{CANARY}"
        self.client.update_function_configuration(
            FunctionName=name, Environment={"Variables": {"OPEN": "to all", "API_KEY": value}}
        )
        rung, found, _ = start(self.daemon, name)
        self.assertEqual((rung, found[0]), ("clone", value))
        # The first clone tells of the seed: nobody asks for another one.
        self.assertTrue(eventually(lambda: self.explain(name)["seed"]["state"] == "ready", 20))
        self.assertTrue(eventually(lambda: self.explain(name)["parked"] == 2, 20), self.explain(name))
        # That of before is remembered.
        self.assertEqual([action["action"] for action in self.explain(name)["actions"]].count("make_seed"), 1)

    def explain(self, name):
        return json.loads(self.daemon.cli("explain", name, "--json").stdout)


# A client that is made by init asks for credentials there and then.
WITH_BOTO3 = """
import os, boto3
client = boto3.client("sts", region_name="us-east-1", endpoint_url="http://127.0.0.1:9")
def handler(event, context):
    found = client._request_signer._credentials.get_frozen_credentials()
    return [found.access_key, found.secret_key, found.token]
"""

ASKS = """
import json, os, urllib.error, urllib.request
def ask(path="/credentials", **headers):
    uri = os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
    request = urllib.request.Request(uri.replace("/credentials", path), headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
def handler(event, context):
    token = os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
    status, found = ask(Authorization=token)
    return {"token": token, "status": status, "found": found, "without": ask()[0],
            "wrong": ask(Authorization=token[::-1])[0], "elsewhere": ask("/")[0]}
"""

NODE_ASKS = """
exports.handler = async () => {
    const { AWS_CONTAINER_CREDENTIALS_FULL_URI: uri, AWS_CONTAINER_AUTHORIZATION_TOKEN: token } = process.env;
    const ask = (authorization) => fetch(uri, { headers: authorization ? { authorization } : {} });
    const answer = await ask(token);
    return { token, status: answer.status, found: await answer.json(), without: (await ask()).status,
             wrong: (await ask("x" + token)).status, elsewhere: (await fetch(new URL("/", uri))).status };
};
"""

SEES = """
import os
def handler(event, context):
    return [sorted(name for name in os.environ if "CONTAINER" in name), open("/proc/net/tcp").read().count(":232A")]
"""


@functools.cache
def boto3_files():
    """What boto3 needs of itself, for a package."""
    root = Path(boto3.__file__).parent.parent
    files = {}
    for package in ("boto3", "botocore", "jmespath", "s3transfer", "dateutil", "urllib3"):
        for path in (root / package).rglob("*"):
            inside = path.relative_to(root)
            of_others = inside.parts[:2] == ("botocore", "data") and len(inside.parts) > 3 and inside.parts[2] != "sts"
            if path.is_file() and path.suffix != ".pyc" and not of_others:
                files[str(inside)] = path.read_bytes()
    files["six.py"] = (root / "six.py").read_bytes()
    return files


class Credentials(OwnDaemon):
    settings = COLD_OR_CLONE
    anew = ("cold",)
    clones = ("clone",)

    def setUp(self):
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.file = folder / "role.json"
        self.rotate("first")
        roles = f'{{ "{KNOWN_ROLE}" = "{self.file}" }}'
        self.made = self.daemon({**self.settings, "credentials.roles": roles}).start()
        self.client = self.made.client()

    def rotate(self, name):
        """Puts new credentials where the old ones are, as a program that renews them does."""
        end = datetime.now(timezone.utc) + timedelta(hours=6)
        keys = {"AccessKeyId": f"id-{name}", "SecretAccessKey": f"secret-{name}", "SessionToken": f"token-{name}"}
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps({"Credentials": {**keys, "Expiration": end.isoformat()}}))
        os.replace(new, self.file)

    def test_boto3_has_credentials_in_a_cold_start_and_in_clones(self):
        files = {**boto3_files(), "app.py": WITH_BOTO3}
        # A secret variable beside: making a client goes through all variables.
        more = {"MemorySize": 512, "Timeout": 30, "Environment": {"Variables": {"DB_PASSWORD": CANARY}}}
        name = deploy(self.client, files=files, Role=KNOWN_ROLE, **more)
        expected = ["id-first", "secret-first", "token-first"]
        self.assertEqual(until(self.made, name, *self.anew), expected)
        self.assertEqual(until(self.made, name, *self.clones), expected)
        self.rotate("second")
        self.assertEqual(until(self.made, name, *self.clones), ["id-second", "secret-second", "token-second"])
        for text in ("secret-first", "secret-second", CANARY):
            self.assertEqual(stored(self.made, text), 0)

    def assert_each_has_its_own_token(self, name):
        cold = until(self.made, name, *self.anew)
        until(self.made, name, *self.clones)
        clones = [until(self.made, name, *self.clones) for _ in range(3)]
        self.assertEqual(len({answer["token"] for answer in (cold, *clones)}), 4)
        for answer in (cold, *clones):
            self.assertEqual(answer["status"], 200, answer)
            self.assertEqual((answer["without"], answer["wrong"], answer["elsewhere"]), (401, 403, 404))
            self.assertEqual(set(answer["found"]), {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"})
            self.assertRegex(answer["found"]["Expiration"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
            self.assertEqual(answer["found"]["AccessKeyId"], "id-first")
            self.assertEqual(stored(self.made, answer["token"]), 0)

    def test_each_python_instance_has_a_token_of_its_own(self):
        self.assert_each_has_its_own_token(deploy(self.client, ASKS, Role=KNOWN_ROLE))

    def test_each_node_instance_has_a_token_of_its_own(self):
        self.assert_each_has_its_own_token(deploy_node(self.client, NODE_ASKS, Role=KNOWN_ROLE))

    def test_function_of_another_role_gets_nothing(self):
        name = deploy(self.client, SEES, Role=ROLE)
        for rungs in (self.anew, self.clones):
            self.assertEqual(until(self.made, name, *rungs), [[], 0])
        known = deploy(self.client, SEES, Role=KNOWN_ROLE)
        names = ["AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_CREDENTIALS_FULL_URI"]
        for rungs in (self.anew, self.clones):
            self.assertEqual(until(self.made, known, *rungs), [names, 1])

    def test_expired_file_is_an_error_that_says_so(self):
        self.file.write_text('{"AccessKeyId":"a","SecretAccessKey":"b","Expiration":"2020-01-01T00:00:00Z"}')
        answer = start(self.made, deploy(self.client, ASKS, Role=KNOWN_ROLE))[1]
        self.assertEqual(answer["status"], 500)
        self.assertIn("have expired", answer["found"]["message"])


class CredentialsAboveRuntimes(Credentials):
    # No function gets a seed of its own here, but each is initialised in a clone of its runtime.
    settings = {
        "limits.keep_alive_s": 0,
        "seeds.after_events": 1_000_000,
        "seeds.idle_after": 1_000_000,
        "seeds.parked": 0,
    }
    anew = clones = ("level1",)

    def setUp(self):
        super().setUp()
        for of in (deploy, deploy_node):
            until(self.made, of(self.client), "level1")


if __name__ == "__main__":
    unittest.main()
