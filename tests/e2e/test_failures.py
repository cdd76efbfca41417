"""Functions that fail in every way there is. After each, the next invocation works and the failed sandbox is gone."""

import json
import time

import kernel
from daemon import DaemonTest, eventually
from functions import PROBE, deploy, deploy_node, invoke

SIX_MIB_AND_A_BIT = 6_291_557

SEGFAULT = "import ctypes; ctypes.string_at(0)"
HOG = "data = [bytearray(1 << 20) for _ in range(1000)]"

NODE_PROBE = """
exports.handler = async (event) => await eval(event.code);
"""


class Failures(DaemonTest):
    # Sandboxes and processes are counted, and a seed's are not the function's: test_seed_faults has them.
    settings = {"seeds.after_events": 0}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.probe_name = deploy(cls.client, PROBE, Timeout=5)
        cls.node = deploy_node(cls.client, NODE_PROBE, Timeout=5)

    def fails(self, name, code, error_type, *hints, within_s=2.0):
        """The error object of code that must fail with `error_type` and these words in its message."""
        begun = time.monotonic()
        answer = invoke(self.client, name, {"code": code}, LogType="Tail")
        took_s = time.monotonic() - begun
        self.assertEqual((answer.status, answer.error), (200, "Unhandled"), answer)
        self.assertEqual(answer.value["errorType"], error_type, answer)
        for hint in hints:
            self.assertIn(hint, answer.value["errorMessage"])
        self.assertLess(took_s, within_s)
        self.assertIn(f"REPORT RequestId: {answer.request_id}", answer.tail)
        return answer

    def works_again(self, name, code="result = 'fine'", value="fine"):
        answer = invoke(self.client, name, {"code": code})
        self.assertEqual((answer.error, answer.value), (None, value), answer)

    def sandboxes(self):
        return kernel.occupied(self.daemon.owner)

    def gone(self, before):
        """The sandboxes of `before` do not exist any more, nor their processes."""
        self.assertTrue(eventually(lambda: not self.sandboxes() & before), f"{self.sandboxes() & before} still there")

    def mine(self, name):
        """Processes whose environment names the function."""
        mark = f"AWS_LAMBDA_FUNCTION_NAME={name}\0".encode()
        found = []
        for pid in kernel.in_cgroups(self.daemon.owner):
            try:
                with open(f"/proc/{pid}/environ", "rb") as environment:
                    if mark in environment.read() + b"\0":
                        found.append(pid)
            except OSError:
                continue
        return found

    def warm(self, name, code="result = 1"):
        """Makes an instance of `name`; the sandboxes that are its."""
        before = self.sandboxes()
        invoke(self.client, name, {"code": code})
        return self.sandboxes() - before

    def fresh(self, source=PROBE, **more):
        return deploy(self.client, source, **more)

    def test_exception_is_described_and_the_instance_stays(self):
        answer = self.fails(self.probe_name, "raise ValueError('no good')", "ValueError", "no good")
        self.assertEqual(answer.value["requestId"], answer.request_id)
        self.assertTrue(any("app.py" in line for line in answer.value["stackTrace"]))
        self.works_again(self.probe_name)

    def test_node_exception_is_described(self):
        answer = self.fails(self.node, "throw new RangeError('no good')", "RangeError", "no good")
        self.assertTrue(answer.value["trace"])
        self.works_again(self.node, "'fine'")

    def test_import_error_at_init_is_described(self):
        name = deploy(self.client, "import nothing_of_this_name\ndef handler(event, context): pass")
        for _ in range(2):
            answer = invoke(self.client, name)
            self.assertEqual((answer.status, answer.error), (200, "Unhandled"))
            self.assertEqual(answer.value["errorType"], "Runtime.ImportModuleError")
            self.assertIn("nothing_of_this_name", answer.value["errorMessage"])
        self.assertTrue(eventually(lambda: not self.mine(name)), "a failed init left its sandbox")

    def test_missing_handler_is_described(self):
        name = deploy(self.client, "x = 1", Handler="app.nobody")
        answer = invoke(self.client, name)
        self.assertEqual(answer.value["errorType"], "Runtime.HandlerNotFound", answer)

    def test_exception_at_init_is_described_and_the_next_version_works(self):
        name = deploy(self.client, "raise KeyError('at init')\ndef handler(event, context): pass")
        answer = invoke(self.client, name)
        self.assertEqual((answer.error, answer.value["errorType"]), ("Unhandled", "KeyError"), answer)

    def test_exit_is_an_exit_error_with_its_status(self):
        name = self.fresh()
        sandboxes = self.warm(name)
        self.fails(name, "os._exit(3)", "Runtime.ExitError", "exit status 3")
        self.gone(sandboxes)
        self.works_again(name)

    def test_exit_without_a_reason(self):
        name = self.fresh()
        self.fails(name, "os._exit(0)", "Runtime.ExitError", "Runtime exited without providing a reason")
        self.works_again(name)

    def test_exit_at_init_is_told(self):
        name = deploy(self.client, "import os\nos._exit(4)\ndef handler(event, context): pass")
        answer = invoke(self.client, name)
        self.assertEqual((answer.error, answer.value["errorType"]), ("Unhandled", "Runtime.ExitError"), answer)
        self.assertIn("exit status 4", answer.value["errorMessage"])

    def test_segfault_is_an_exit_error_at_once(self):
        name = self.fresh()
        sandboxes = self.warm(name)
        self.fails(name, SEGFAULT, "Runtime.ExitError", "segmentation fault", within_s=1.0)
        self.gone(sandboxes)
        self.works_again(name)

    def test_time_out_is_told_and_ends_the_sandbox(self):
        name = self.fresh(Timeout=1)
        sandboxes = self.warm(name)
        self.assertEqual(len(sandboxes), 1)
        begun = time.monotonic()
        answer = self.fails(
            name, "import time; time.sleep(60)", "Sandbox.Timedout", "Task timed out after 1.00 seconds", within_s=1.5
        )
        self.assertGreaterEqual(time.monotonic() - begun, 0.95)
        self.assertIn(answer.request_id, answer.value["errorMessage"])
        self.assertIn("Status: timeout", answer.tail)
        self.gone(sandboxes)
        self.works_again(name)

    def test_time_out_ends_children_too(self):
        name = self.fresh(Timeout=1)
        self.warm(name)
        self.assertEqual(len(self.mine(name)), 1)
        code = """
import subprocess, time
subprocess.Popen(["/usr/bin/python3", "-c", "import time, signal; signal.signal(15, signal.SIG_IGN); time.sleep(600)"])
time.sleep(60)
"""
        self.fails(name, code, "Sandbox.Timedout")
        self.assertTrue(eventually(lambda: not self.mine(name)), "children of a timed-out function live on")

    def test_more_memory_than_there_is(self):
        name = self.fresh(MemorySize=128)
        sandboxes = self.warm(name)
        answer = invoke(self.client, name, {"code": HOG}, LogType="Tail")
        self.assertEqual(answer.error, "Unhandled")
        self.assertIn(answer.value["errorType"], ("Runtime.OutOfMemory", "Runtime.ExitError"), answer)
        self.gone(sandboxes)
        self.works_again(name)

    def test_hanging_init_is_ended(self):
        name = deploy(self.client, "import time\ntime.sleep(600)\ndef handler(event, context): pass", Timeout=1)
        begun = time.monotonic()
        answer = invoke(self.client, name)
        # Lambda gives init 10 seconds, however short the function's own time-out is.
        self.assertLess(time.monotonic() - begun, 13)
        self.assertEqual((answer.error, answer.value["errorType"]), ("Unhandled", "Sandbox.Timedout"), answer)
        self.assertTrue(eventually(lambda: not self.mine(name)), "the hanging init lives on")

    def test_response_that_is_too_large(self):
        code = f"result = 'x' * {SIX_MIB_AND_A_BIT - 2}"
        self.fails(self.probe_name, code, "Function.ResponseSizeTooLarge", "6291556")
        self.works_again(self.probe_name)

    def test_response_of_exactly_the_limit_passes(self):
        answer = invoke(self.client, self.probe_name, {"code": f"result = 'x' * {SIX_MIB_AND_A_BIT - 3}"})
        self.assertIsNone(answer.error)
        self.assertEqual(len(answer.body), SIX_MIB_AND_A_BIT - 1)

    def test_response_far_too_large_ends_nothing_but_its_sandbox(self):
        answer = invoke(self.client, self.fresh(MemorySize=1024), {"code": "result = 'x' * (100 << 20)"})
        self.assertEqual(answer.error, "Unhandled")
        self.works_again(self.probe_name)

    def test_response_that_is_no_json(self):
        self.fails(self.probe_name, "result = {1, 2}", "Runtime.MarshalError", "set")
        self.works_again(self.probe_name)

    def test_unhandled_rejection_in_node_is_told(self):
        name = deploy_node(self.client, NODE_PROBE, Timeout=5)
        code = "new Promise((resolve) => { Promise.reject(new Error('nobody cares')); setTimeout(resolve, 1000); })"
        answer = invoke(self.client, name, {"code": code})
        self.assertEqual(answer.error, "Unhandled")
        self.assertEqual(answer.value["errorType"], "Runtime.UnhandledPromiseRejection")
        self.assertTrue(eventually(lambda: len(self.mine(name)) == 0))
        self.works_again(name, "'fine'")

    def test_process_exit_in_node_is_an_exit_error(self):
        name = deploy_node(self.client, NODE_PROBE, Timeout=5)
        self.fails(name, "process.exit(5)", "Runtime.ExitError", "exit status 5")
        self.works_again(name, "'fine'")

    def test_garbage_on_the_channel_is_an_exit_error(self):
        name = self.fresh()
        sandboxes = self.warm(name)
        self.fails(name, "os.write(3, b'garbage ' * 100); import time; time.sleep(5)", "Runtime.ExitError")
        self.gone(sandboxes)
        self.works_again(name)

    def test_flood_of_output_is_bounded_and_the_answer_comes(self):
        answer = invoke(
            self.client, self.probe_name, {"code": "print('x' * 50_000_000)\nresult = 'fine'"}, LogType="Tail"
        )
        self.assertEqual(answer.value, "fine")
        self.assertLessEqual(len(answer.tail), 4096)
        self.assertIn("REPORT", answer.tail)

    def test_provided_runtime_without_a_bootstrap_fails_with_a_reason(self):
        name = deploy(self.client, files={"readme": "x"}, Runtime="provided.al2023", Handler="any")
        status, headers, body = self.daemon.request("POST", f"/2015-03-31/functions/{name}/invocations", b"{}")
        self.assertIn(b"bootstrap", body)
        if status == 200:
            self.assertEqual(headers["X-Amz-Function-Error"], "Unhandled")
            self.assertEqual(json.loads(body)["errorType"], "Runtime.InvalidEntrypoint")
