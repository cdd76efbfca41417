"""A process that has no function yet, as the seed of its runtime, and what its clones do when one arrives."""

import driver
from cases import Case
from driver import BOOTED, FROZEN, INIT_ERROR, READY


class RuntimeSeed(Case):
    """What both have in common. The files lie there from the start: nobody may look at them before the function arrives."""

    def seed(self, files, freeze=True):
        runtime = self.start(files, None, ready=False)
        if freeze:
            self.assertEqual(runtime.freeze().kind, FROZEN, runtime.log())
            self.assertTrue(runtime.booted)
        return runtime

    def meet(self, files, handler, **env):
        """The runtime's first word after its function has arrived."""
        runtime = self.seed(files)
        runtime.channel.sendall(driver.resume_frame({"_HANDLER": handler, **env}))
        return runtime, runtime.receive()

    def ready(self, files, handler, **env):
        runtime, first = self.meet(files, handler, **env)
        self.assertEqual(first.kind, READY, f"{first} {runtime.log()}")
        return runtime

    def assert_serves_and_freezes(self, files, handler):
        runtime = self.ready(files, handler, AWS_LAMBDA_FUNCTION_NAME="met", OWN="1")
        self.assertEqual(self.answer(runtime.invoke(5)), [5, "met", "1"])
        self.assertEqual(runtime.freeze().kind, FROZEN, "it may become the seed of its function")
        self.assertEqual(self.answer(runtime.resume(6, {"OWN": "2"})), [6, "met", "2"])

    def assert_reports_init_error(self, files, handler, kind):
        runtime, first = self.meet(files, handler)
        self.assertEqual((first.kind, first.meta), (INIT_ERROR, None))
        self.assertEqual(first.json()["errorType"], kind)
        self.assertEqual(runtime.exit_status(), 1)

    def assert_takes_no_event(self, files):
        runtime = self.seed(files, freeze=False)
        runtime.send(1)
        with self.assertRaises(EOFError):
            self.assertNotEqual(runtime.receive().kind, BOOTED)
        self.assertEqual(runtime.exit_status(), 1)


class PythonRuntimeSeed(RuntimeSeed):
    runtime = "python3.11"
    OWN = "import os\nmet = os.environ['AWS_LAMBDA_FUNCTION_NAME']\ndef handler(e, c): return [e, met, os.environ['OWN']]\n"

    def test_a_function_arrives_is_served_and_frozen(self):
        self.assert_serves_and_freezes({"app.py": self.OWN}, "app.handler")

    def test_an_init_that_fails_is_reported_as_ever(self):
        self.assert_reports_init_error({"app.py": "raise KeyError('x')\n"}, "app.handler", "KeyError")

    def test_an_event_before_a_function_ends_the_process(self):
        self.assert_takes_no_event({})

    def test_a_module_of_the_functions_own_goes_before_the_librarys(self):
        files = {"queue.py": "own = 1\n", "app.py": "import queue\ndef handler(e, c): return queue.own\n"}
        runtime = self.seed(files)
        runtime.channel.sendall(driver.resume_frame({"_HANDLER": "app.handler"}))
        self.assertEqual(runtime.exit_status(), 66)
        self.assertIn("queue", runtime.log())
        # The control: a process that starts with the function takes the function's.
        self.assertEqual(self.answer(self.start(files, "app.handler").invoke({})), 1)

    def test_logging_has_the_functions_format(self):
        source = "import logging\ndef handler(e, c): logging.getLogger().warning('seen')\n"
        for log_format, expected in (("JSON", '"message": "seen"'), ("Text", "[WARNING]\t")):
            runtime = self.ready({"app.py": source}, "app.handler", AWS_LAMBDA_LOG_FORMAT=log_format)
            self.answer(runtime.invoke({}))
            self.assertEqual(runtime.log().count(expected), 1, runtime.log())

    def test_nothing_is_loaded_that_every_clone_would_have_to_renew(self):
        source = "import sys\ndef handler(e, c): return sorted(sys.modules)\n"
        loaded = self.answer(self.ready({"app.py": source}, "app.handler").invoke({}))
        self.assertIn("logging", loaded, "the control")
        self.assertFalse({"random", "uuid", "ssl", "_ssl", "tempfile", "numpy"} & set(loaded))


class NodeRuntimeSeed(RuntimeSeed):
    runtime = "nodejs20.x"
    OWN = "const met = process.env.AWS_LAMBDA_FUNCTION_NAME; exports.handler = async (e) => [e, met, process.env.OWN]"

    def test_a_function_arrives_is_served_and_frozen(self):
        self.assert_serves_and_freezes({"index.js": self.OWN}, "index.handler")
        module = self.OWN.replace("exports.handler =", "export const handler =")
        self.assert_serves_and_freezes({"index.mjs": module}, "index.handler")

    def test_an_init_that_fails_is_reported_as_ever(self):
        self.assert_reports_init_error({"index.js": "throw new RangeError('x')"}, "index.handler", "RangeError")
        rejected = "Promise.reject(new Error('x')); exports.handler = 1"
        self.assert_reports_init_error({"index.js": rejected}, "index.nothing", "Runtime.HandlerNotFound")

    def test_an_event_before_a_function_ends_the_process(self):
        self.assert_takes_no_event({})

    def test_console_has_the_functions_format_and_level(self):
        files = {"index.js": "exports.handler = async () => { console.info('quiet'); console.warn('seen') }"}
        settings = {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "WARN"}
        runtime = self.ready(files, "index.handler", **settings)
        self.answer(runtime.invoke({}))
        self.assertIn('"message":"seen"', runtime.log())
        self.assertNotIn("quiet", runtime.log())

    def test_streams_work(self):
        source = (
            "exports.handler = awslambda.streamifyResponse(async (event, stream) => { stream.write('a'); stream.end('b') })"
        )
        runtime = self.ready({"index.js": source}, "index.handler")
        self.assertEqual(runtime.invoke({}, streaming=True).kind, driver.STREAM_BEGIN)
        self.assertEqual(runtime.receive().body, b"a")

    def test_nothing_is_loaded_that_every_clone_would_have_to_renew(self):
        source = "exports.handler = async () => process.moduleLoadList.filter((name) => /crypto|https/.test(name)).length"
        cold = self.answer(self.start({"index.js": source}, "index.handler").invoke({}))
        self.assertEqual(self.answer(self.ready({"index.js": source}, "index.handler").invoke({})), cold)
