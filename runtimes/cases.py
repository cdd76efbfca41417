"""What the cases of both bootstraps share."""

import tempfile
import time
import unittest
from pathlib import Path

import driver
from driver import INIT_ERROR, READY, RESPONSE

BIG = 6_000_000


class Case(unittest.TestCase):
    """A function made of `files`, started by one runtime."""

    runtime = None

    def start(self, files, handler, env=None, ready=True):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        for name, text in files.items():
            path = Path(folder.name, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        runtime = driver.Runtime(self.runtime, folder.name, handler, env)
        self.addCleanup(runtime.__exit__)
        if ready:
            first = runtime.receive()
            self.assertEqual(first.kind, READY, f"{first} {runtime.log()}")
            self.assertTrue(runtime.booted, "READY came without BOOTED before it")
        return runtime

    def assert_ends_with_unread_answers(self, runtime):
        for _ in range(2):
            runtime.send({})
        time.sleep(0.1)
        runtime.channel.close()
        self.assertIn(runtime.exit_status(), (0, 1))
        self.assertEqual(runtime.log(), "")

    def init_error(self, files, handler):
        runtime = self.start(files, handler, ready=False)
        frame = runtime.receive()
        self.assertEqual(frame.kind, INIT_ERROR)
        self.assertEqual(runtime.exit_status(), 1)
        error = frame.json()
        self.assertIn(error["errorType"], runtime.log())
        return error

    def answer(self, frame, kind=RESPONSE):
        self.assertEqual(frame.kind, kind, frame)
        return frame.json()

    def assert_faulty(self, error, kind, message):
        self.assertEqual((error["errorType"], error["errorMessage"]), (kind, message))
