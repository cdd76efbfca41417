"""The official runtime clients for Node and Rust; `official_clients.sh` builds them and runs this."""

import os
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from daemon import DaemonTest, eventually
from functions import deploy, invoke
from test_runtime_api_clones import publish
from test_seeds import start

BUILT = Path(os.environ.get("OFFSHOOT_E2E_BUILT", ""))

NODE_BOOTSTRAP = """#!/bin/sh
exec /usr/bin/node /var/task/node_modules/aws-lambda-ric/bin/index.mjs index.handler
"""

NODE_FUNCTION = """
exports.handler = async (event, context) => {
    if (event.fail) throw new RangeError("from the Node client");
    if (event.exit) process.exit(event.exit);
    if (event.size) return "x".repeat(event.size);
    return {event, id: context.awsRequestId, arn: context.invokedFunctionArn};
};
"""


class Client:
    """What every official client must do; mixed into a test of one."""

    failure = None

    def test_events_are_answered_cold_and_hot(self):
        for number in range(3):
            answer = invoke(self.client, self.name, {"n": number})
            self.assertIsNone(answer.error, answer)
            self.assertEqual((answer.value["event"], answer.value["id"]), ({"n": number}, answer.request_id))
            self.assertTrue(answer.value["arn"].endswith(self.name))

    def test_absent_payload_is_an_empty_object(self):
        self.assertEqual(invoke(self.client, self.name).value["event"], {})

    def test_error_is_told_and_the_instance_stays(self):
        answer = invoke(self.client, self.name, {"fail": True})
        self.assertEqual(answer.error, "Unhandled")
        self.assertIn(self.failure, answer.value["errorMessage"])
        self.assertIsNone(invoke(self.client, self.name, {}).error)

    def test_large_event_and_response_pass(self):
        answer = invoke(self.client, self.name, {"pad": "y" * 6_000_000, "size": 6_291_554})
        self.assertIsNone(answer.error, answer)
        self.assertEqual(len(answer.body), 6_291_556)

    def test_response_over_the_limit_is_told(self):
        answer = invoke(self.client, self.name, {"size": 6_291_557})
        self.assertEqual(
            (answer.error, answer.value["errorType"]), ("Unhandled", "Function.ResponseSizeTooLarge"), answer
        )
        self.assertTrue(eventually(lambda: invoke(self.client, self.name, {}).error is None))


class Node(Client, DaemonTest):
    failure = "from the Node client"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        files = {"bootstrap": (NODE_BOOTSTRAP, 0o755), "index.js": NODE_FUNCTION}
        modules = BUILT / "node/node_modules"
        for file in sorted(modules.rglob("*")):
            if file.is_file() and not file.is_symlink() and "deps" not in file.relative_to(modules).parts:
                files[f"node_modules/{file.relative_to(modules)}"] = (file.read_bytes(), file.stat().st_mode & 0o777)
        cls.name = deploy(cls.client, files=files, Runtime="provided.al2023", Timeout=20, MemorySize=512)

    def test_exit_is_told(self):
        answer = invoke(self.client, self.name, {"exit": 4})
        self.assertEqual(answer.value["errorType"], "Runtime.ExitError", answer)
        self.assertIn("exit status 4", answer.value["errorMessage"])


class Rust(Client, DaemonTest):
    failure = "from the Rust client"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.name = cls.deployed()

    @classmethod
    def deployed(cls, **more):
        bootstrap = (BUILT / "rust/target/release/bootstrap").read_bytes()
        files = {"bootstrap": (bootstrap, 0o755)}
        return deploy(cls.client, files=files, Runtime="provided.al2023", Timeout=20, MemorySize=256, **more)

    def published(self, **variables):
        environment = {"Variables": variables}
        name = self.deployed(SnapStart={"ApplyOn": "PublishedVersions"}, Environment=environment)
        version, status = publish(self.client, name)
        self.assertEqual(status, "On", self.daemon.log())
        return version

    def test_published_version_is_cloned_by_one_thread_and_by_many(self):
        for variables in ({}, {"MANY_THREADS": "1"}):
            with self.subTest(variables):
                version = self.published(**variables)
                found = [start(self.daemon, version)]
                # An instance that has answered is hot: eight at once meet clones.
                with ThreadPoolExecutor(8) as pool:
                    found += pool.map(lambda _: start(self.daemon, version), range(8))
                self.assertEqual({error for _, _, error in found}, {None})
                clones = [value for rung, value, _ in found if rung in ("clone", "parked")]
                self.assertGreater(len(clones), 1)
                self.assertEqual({value["restores"] for value in clones}, {1})
                self.assertEqual(len({value["nonce"] for value in clones}), len(clones))

    def test_failed_restore_is_the_answer(self):
        rung, value, error = start(self.daemon, self.published(FAIL_RESTORE="1"))
        self.assertIn(rung, ("clone", "parked"))
        self.assertEqual(error, "Unhandled")
        self.assertIn("no way back", value["errorMessage"])


if __name__ == "__main__":
    unittest.main()
