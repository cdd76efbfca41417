"""The official runtime clients for Node and Rust; `official_clients.sh` builds them and runs this."""

import os
import unittest
from pathlib import Path

from daemon import DaemonTest, eventually
from functions import deploy, invoke

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
        bootstrap = (BUILT / "rust/target/release/bootstrap").read_bytes()
        files = {"bootstrap": (bootstrap, 0o755)}
        cls.name = deploy(cls.client, files=files, Runtime="provided.al2023", Timeout=20, MemorySize=256)


if __name__ == "__main__":
    unittest.main()
