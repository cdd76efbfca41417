"""What bootstraps do when their process is frozen and when it is a clone, driven over their channel without cloning
anything: `tests/engine/uniqueness.py` does so with real clones."""

import time

import driver
from cases import BIG, Case
from driver import COLLECTED, FROZEN, INIT_ERROR


class Cloned(Case):
    """What both have in common."""

    def frozen(self, files, handler, events=()):
        runtime = self.start(files, handler)
        for event in events:
            self.answer(runtime.invoke(event))
        self.assertEqual(runtime.freeze().kind, FROZEN, runtime.log())
        return runtime

    def assert_fails(self, runtime, frame, when, status, kind, message):
        """A hook has failed: what the node is told, and how the process ends."""
        self.assertEqual((frame.kind, frame.meta), (INIT_ERROR, {"errorType": when}), runtime.log())
        error = frame.json()
        self.assertEqual((error["errorType"], error["errorMessage"]), (kind, message))
        self.assertEqual(runtime.exit_status(), status)
        self.assertIn(message, runtime.log())

    def assert_serves_frames_in_any_pieces(self, runtime):
        together = driver.resume_frame({"A": "1"}) + driver.invoke_frame(1) + driver.invoke_frame(2)
        runtime.channel.sendall(together)
        self.assertEqual([self.answer(runtime.receive()) for _ in range(2)], [1, 2])
        for at in range(len(together)):
            runtime.channel.sendall(together[at : at + 1])
            time.sleep(0.0003)
        self.assertEqual([self.answer(runtime.receive()) for _ in range(2)], [1, 2])
        # The first frame ends in the middle of a read, and the second is longer than any read.
        runtime.channel.sendall(driver.resume_frame({"A": "x" * 60_000}) + driver.invoke_frame("y" * BIG) + driver.invoke_frame(3))
        self.assertEqual([self.answer(runtime.receive()) for _ in range(2)], ["y" * BIG, 3])

    def assert_refuses_bodies(self, start):
        for kind in (driver.RESUME, driver.FREEZE, driver.COLLECT):
            runtime = start()
            runtime.channel.sendall(driver.frame(kind, {"env": {}}, b"x"))
            self.assertEqual(runtime.exit_status(), 1)

    def assert_collects(self, runtime):
        """`runtime` tells whether something that nobody holds is still there, and makes another such thing."""
        self.assertIsNone(self.answer(runtime.invoke({})))
        self.assertTrue(self.answer(runtime.invoke({})), "the control: it stays until somebody collects it")
        self.assertEqual(runtime.collect().kind, COLLECTED, runtime.log())
        self.assertFalse(self.answer(runtime.invoke({})))
        self.assertEqual(runtime.freeze().kind, FROZEN, runtime.log())
        self.assertIsNotNone(self.answer(runtime.resume({})))


class PythonClone(Cloned):
    runtime = "python3.11"
    ECHO = {"app.py": "def handler(e, c): return e\n"}

    def test_garbage_is_collected_between_events(self):
        source = (
            "import weakref\nclass Thing: pass\nlast = None\ndef handler(e, c):\n"
            " global last\n was = None if last is None else last() is not None\n"
            " thing = Thing()\n thing.itself = thing\n last = weakref.ref(thing)\n return was\n"
        )
        self.assert_collects(self.start({"app.py": source}, "app.handler"))

    def test_resume_and_events_in_any_pieces(self):
        self.assert_serves_frames_in_any_pieces(self.frozen(self.ECHO, "app.handler"))

    def test_resume_or_freeze_with_a_body_ends_the_process(self):
        self.assert_refuses_bodies(lambda: self.start(self.ECHO, "app.handler"))

    def test_environment_is_set_and_unset_before_the_event(self):
        source = (
            "import os, time\ndef handler(e, c):\n"
            "  return [os.environ.get('NEW'), os.environ.get('LANG'), c.log_stream_name, time.localtime(0).tm_hour]\n"
        )
        runtime = self.frozen({"app.py": source}, "app.handler")
        env = {"NEW": "ü", "LANG": None, "NEVER_SET": None, "AWS_LAMBDA_LOG_STREAM_NAME": "mine", "TZ": "UTC-5"}
        self.assertEqual(self.answer(runtime.resume({}, env)), ["ü", None, "mine", 5])

    def test_hooks_run_last_first_before_and_first_first_after(self):
        source = (
            "from snapshot_restore_py import register_after_restore as after, register_before_snapshot as before\n"
            "ran = []\n"
            "before(ran.append, 'before 1')\n"
            "@before\ndef second(): ran.append('before 2')\n"
            "@after\ndef third(): ran.append('after 1')\n"
            "after(lambda a, b: ran.append(a + b), 'after', b=' 2')\n"
            "def handler(e, c): return ran if second and third else None\n"
        )
        runtime = self.frozen({"app.py": source}, "app.handler", events=[1])
        self.assertEqual(self.answer(runtime.resume({})), ["before 2", "before 1", "after 1", "after 2"])
        self.assertEqual(runtime.freeze().kind, FROZEN, "a clone may be frozen again")
        self.assertEqual(self.answer(runtime.invoke({}))[4:], ["before 2", "before 1"])

    def test_package_of_the_function_goes_first(self):
        files = {
            "snapshot_restore_py.py": "def get_before_snapshot(): return []\ndef get_after_restore(): return [(mark, ('a',), {})]\n"
            "seen = []\ndef mark(what): seen.append(what)\n",
            "app.py": "from snapshot_restore_py import seen\ndef handler(e, c): return seen\n",
        }
        self.assertEqual(self.answer(self.frozen(files, "app.handler").resume({})), ["a"])

    def test_failing_hook_before_is_reported_and_ends_the_process(self):
        source = (
            "from snapshot_restore_py import register_before_snapshot\nclass Own(Exception): pass\n"
            "@register_before_snapshot\ndef fails(): raise Own('not now')\ndef handler(e, c): return 1\n"
        )
        runtime = self.start({"app.py": source}, "app.handler")
        frame = runtime.freeze()
        self.assert_fails(runtime, frame, "Runtime.BeforeSnapshotError", 64, "Own", "not now")
        self.assertIn("app.py", frame.json()["stackTrace"][0])

    def test_failing_hook_after_is_reported_and_no_event_is_delivered(self):
        for error, kind in (("ConnectionResetError", "ConnectionResetError"), ("SystemExit", "SystemExit")):
            source = (
                "from snapshot_restore_py import register_after_restore\n"
                f"@register_after_restore\ndef fails(): raise {error}('no database')\n"
                "def handler(e, c): print('delivered')\n"
            )
            runtime = self.frozen({"app.py": source}, "app.handler")
            frame = runtime.resume({})
            self.assert_fails(runtime, frame, "Runtime.AfterRestoreError", 65, kind, "no database")
            self.assertNotIn("delivered", runtime.log())

    def test_random_is_seeded_anew(self):
        source = "import random\nrandom.seed(7)\ndef handler(e, c): return random.random()\n"
        expected = 0.32383276483316237  # of random.seed(7)
        self.assertEqual(self.answer(self.start({"app.py": source}, "app.handler").invoke({})), expected, "the control")
        drawn = {self.answer(self.frozen({"app.py": source}, "app.handler").resume({})) for _ in range(2)}
        self.assertEqual(len(drawn - {expected}), 2)

    def test_only_what_is_loaded_is_touched(self):
        source = "import sys\ndef handler(e, c): return sorted(sys.modules)\n"
        before = self.answer(self.start({"app.py": source}, "app.handler").invoke({}))
        after = self.answer(self.frozen({"app.py": source}, "app.handler").resume({}))
        self.assertEqual(set(after) - set(before), {"_offshoot_clone"})
        self.assertFalse({"random", "uuid", "ssl", "tempfile", "logging"} & set(after))

    def test_modules_of_user_code_with_names_of_the_library_are_left_alone(self):
        files = {
            "random.py": "state = 1\n",
            "uuid.py": "",
            "tempfile.py": "",
            "app.py": "import random, tempfile, uuid\n"
            "def handler(e, c): return [vars(random)['state'], hasattr(uuid, '_node'), hasattr(tempfile, '_name_sequence')]\n",
        }
        self.assertEqual(self.answer(self.frozen(files, "app.handler").resume({})), [1, False, False])

    def test_uuid1_gets_a_node_that_is_no_card(self):
        source = "import uuid\nuuid.uuid1()\ndef handler(e, c): return uuid.uuid1().node\n"
        nodes = {self.answer(self.frozen({"app.py": source}, "app.handler").resume({})) for _ in range(2)}
        self.assertEqual(len(nodes), 2)
        self.assertTrue(all(node >> 40 & 1 for node in nodes), "the multicast bit says so")

    def test_fork_hooks_run_when_there_is_one_thread(self):
        source = (
            "import os, threading, time\nran = []\n"
            "os.register_at_fork(before=lambda: ran.append('b1'), after_in_child=lambda: ran.append('c1'))\n"
            "os.register_at_fork(before=lambda: ran.append('b2'), after_in_parent=lambda: ran.append('p2'))\n"
            "os.register_at_fork(after_in_child=lambda: ran.append('c3'))\n"
            "START\n"
            "def handler(e, c): return ran\n"
        )
        alone = self.frozen({"app.py": source.replace("START", "")}, "app.handler")
        self.assertEqual(self.answer(alone.resume({})), ["b2", "b1", "c1", "c3"])
        thread = "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()"
        several = self.frozen({"app.py": source.replace("START", thread)}, "app.handler")
        self.assertEqual(self.answer(several.resume({})), [])

    def test_what_was_registered_still_runs_in_a_forked_child(self):
        source = (
            "import os\nran = []\nos.register_at_fork(after_in_child=lambda: ran.append('child'))\n"
            "def handler(e, c):\n  source, sink = os.pipe()\n"
            "  if os.fork() == 0:\n    os.write(sink, repr(ran).encode())\n    os._exit(0)\n"
            "  os.wait()\n  return os.read(source, 100).decode()\n"
        )
        self.assertEqual(self.answer(self.start({"app.py": source}, "app.handler").invoke({})), "['child']")


class NodeClone(Cloned):
    runtime = "nodejs20.x"
    ECHO = {"index.js": "exports.handler = async (event) => event"}

    def function(self, source, events=()):
        return self.frozen({"index.js": source}, "index.handler", events)

    def test_resume_and_events_in_any_pieces(self):
        self.assert_serves_frames_in_any_pieces(self.frozen(self.ECHO, "index.handler"))

    def test_resume_or_freeze_with_a_body_ends_the_process(self):
        self.assert_refuses_bodies(lambda: self.start(self.ECHO, "index.handler"))

    def test_environment_is_set_and_unset_before_the_event(self):
        runtime = self.function(
            "exports.handler = async (e, c) =>"
            " [process.env.NEW, process.env.LANG ?? null, c.logStreamName, new Date(0).getHours()]"
        )
        env = {"NEW": "ü", "LANG": None, "NEVER_SET": None, "AWS_LAMBDA_LOG_STREAM_NAME": "mine", "TZ": "Etc/GMT-5"}
        self.assertEqual(self.answer(runtime.resume({}, env)), ["ü", None, "mine", 5])

    def test_garbage_is_collected_between_events(self):
        source = (
            "let last;\nexports.handler = async () => {\n"
            "  const was = last === undefined ? null : last.deref() !== undefined;\n"
            "  last = new WeakRef({});\n  return was;\n};"
        )
        self.assert_collects(self.start({"index.js": source}, "index.handler"))

    def test_hooks_run_last_first_before_and_first_first_after(self):
        runtime = self.function(
            "const ran = []; const later = (what) => new Promise((r) => setTimeout(() => r(ran.push(what)), 5));\n"
            "awslambda.registerBeforeSnapshot(later, 'before 1'); awslambda.registerBeforeSnapshot(() => ran.push('before 2'));\n"
            "awslambda.registerAfterRestore(later, 'after 1'); awslambda.registerAfterRestore((a, b) => ran.push(a + b), 'after', ' 2');\n"
            "exports.handler = async () => ran",
            events=[1],
        )
        self.assertEqual(self.answer(runtime.resume({})), ["before 2", "before 1", "after 1", "after 2"])
        self.assertEqual(runtime.freeze().kind, FROZEN, "a clone may be frozen again")
        self.assertEqual(self.answer(runtime.invoke({}))[4:], ["before 2", "before 1"])

    FAILING = (
        ("() => { throw new RangeError('no database') }", "RangeError", "no database"),
        ("async () => { await null; throw new RangeError('no database') }", "RangeError", "no database"),
        ("() => new Promise((r) => setTimeout(() => { throw new RangeError('loose') }, 1))", "RangeError", "loose"),
        (
            "() => new Promise(() => {})",
            "Runtime.NodeJsExit",
            "The event loop ran empty before a hook was done: a promise was never settled.",
        ),
    )

    def test_failing_hook_before_is_reported_and_ends_the_process(self):
        for hook, kind, message in self.FAILING:
            source = f"awslambda.registerBeforeSnapshot({hook}); exports.handler = async () => 1"
            runtime = self.start({"index.js": source}, "index.handler")
            self.assert_fails(runtime, runtime.freeze(), "Runtime.BeforeSnapshotError", 64, kind, message)

    def test_failing_hook_after_is_reported_and_no_event_is_delivered(self):
        for hook, kind, message in self.FAILING:
            runtime = self.function(f"awslambda.registerAfterRestore({hook}); exports.handler = async () => console.log('delivered')")
            frame = runtime.resume({})
            self.assert_fails(runtime, frame, "Runtime.AfterRestoreError", 65, kind, message)
            self.assertNotIn("delivered", runtime.log())

    def test_open_handles_do_not_keep_a_process_from_being_frozen(self):
        runtime = self.function("setInterval(() => {}, 5); exports.handler = async (event) => event")
        self.assertEqual(self.answer(runtime.resume(4)), 4)

    def test_caches_of_random_bytes_are_empty_however_much_was_drawn(self):
        source = (
            "const crypto = require('node:crypto'); const hooks = require('node:async_hooks');\n"
            "const draws = { uuid: () => crypto.randomUUID(), int: () => crypto.randomInt(100) };\n"
            "exports.handler = async ({ what, count }) => {\n"
            "  let fills = 0;\n"
            "  const watch = hooks.createHook({ init: (id, type) => { fills += type === 'RANDOMBYTESREQUEST' } }).enable();\n"
            "  for (let at = 0; at < count; at += 1) draws[what]();\n"
            "  watch.disable(); return fills }"
        )
        for what, size in (("uuid", 128), ("int", 1024)):
            for count in (1, 5, size - 1, size, size + 1):
                runtime = self.start({"index.js": source}, "index.handler")
                self.assertEqual(self.answer(runtime.invoke({"what": what, "count": count})), 1 + (count > size))
                # The control: one more draw fills the cache only if it was just used up.
                if count != size:
                    self.assertEqual(self.answer(runtime.invoke({"what": what, "count": 1})), 0)
                self.assertEqual(runtime.freeze().kind, FROZEN)
                self.assertEqual(self.answer(runtime.resume({"what": what, "count": 1})), 1, f"{what} after {count}")

    def test_random_replaces_v8s_before_user_code_and_looks_like_it(self):
        runtime = self.function(
            "const { random } = Math; const own = Object.getOwnPropertyDescriptor(Math, 'random');\n"
            "exports.handler = async () => { let sum = 0, low = 1, high = 0;\n"
            "  for (let at = 0; at < 1e5; at += 1) { const x = random(); sum += x; low = Math.min(low, x); high = Math.max(high, x) }\n"
            "  return [random === Math.random, random.name, random.length, own.enumerable, own.writable, sum / 1e5, low, high] }"
        )
        *looks, mean, low, high = self.answer(runtime.resume({}))
        self.assertEqual(looks, [True, "random", 0, False, True])
        # Six standard deviations of a mean of uniform numbers, and bounds missed once in e^100 runs.
        self.assertAlmostEqual(mean, 0.5, delta=6 * (1 / 12 / 1e5) ** 0.5)
        self.assertTrue(0 <= low < 1e-3 and 1 - 1e-3 < high < 1, (low, high))

    def test_process_id_is_read_again(self):
        source = "Object.defineProperty(process, 'pid', { value: 1 }); exports.handler = async () => process.pid"
        runtime = self.start({"index.js": source}, "index.handler")
        self.assertEqual(self.answer(runtime.invoke({})), 1, "the control: an id of another process")
        self.assertEqual(self.answer(runtime.resume({})), runtime.process.pid)

    def test_crypto_is_not_loaded_for_a_function_that_does_not_use_it(self):
        source = "exports.handler = async () => process.moduleLoadList.filter((name) => /crypto|https/.test(name)).length"
        before = self.answer(self.start({"index.js": source}, "index.handler").invoke({}))
        self.assertEqual(self.answer(self.function(source).resume({})), before)

    def test_tls_sessions_are_forgotten(self):
        runtime = self.function(
            "const { globalAgent } = require('node:https'); globalAgent._cacheSession('host:443', Buffer.from('ticket'));\n"
            "const seen = () => globalAgent._getSession('host:443') !== undefined; const before = seen();\n"
            "exports.handler = async () => [before, seen()]"
        )
        self.assertEqual(self.answer(runtime.resume({})), [True, False])
