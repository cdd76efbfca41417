"""Seeds: a version that is used is frozen once, and its instances are clones of it; whatever breaks, callers get answers."""

import itertools
import json
import os
import re
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from daemon import DaemonTest, OwnDaemon, eventually
from functions import deploy, deploy_node, fresh_name

# What may be met where there is no seed of the version: the runtime's seed is made after the first cold start.
WITHOUT_SEED = ("cold", "level1")
# Every event meets a new instance, and the first one has the seed made. The next daemon begins without templates.
EACH_A_CLONE = {"limits.keep_alive_s": 0, "seeds.after_events": 1, "seeds.parked": 0, "seeds.recall": "false"}

DRAWS = """
import os, random, ssl, tempfile, uuid
calls = 0
def handler(event, context):
    global calls
    calls += 1
    return {"calls": calls, "stream": context.log_stream_name, "pid": os.getpid(), "draws": {
        "random": random.random(), "openssl": ssl.RAND_bytes(16).hex(), "urandom": os.urandom(16).hex(),
        "uuid1": str(uuid.uuid1()), "uuid4": str(uuid.uuid4()), "tempfile": next(tempfile._get_candidate_names()),
    }}
"""

NODE_DRAWS = """
const crypto = require("node:crypto");
let calls = 0;
exports.handler = async () => ({ calls: ++calls, draws: {
    math: Math.random(), bytes: crypto.randomBytes(16).toString("hex"), uuid: crypto.randomUUID(),
    int: crypto.randomInt(2 ** 47), values: Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("hex"),
} });
"""

WRITES_TMP = """
open("/tmp/made-by-init", "w").write("x")
def handler(event, context):
    return open("/tmp/made-by-init").read()
"""

BAD_HOOK = """
from snapshot_restore_py import register_after_restore
def after():
    raise ValueError("no connection")
register_after_restore(after)
def handler(event, context):
    return "answered"
"""

# Has 48 MiB of its own from its init on. What a clone drops of it is zeros for that clone only.
HEAVY = """
import hashlib, mmap, os
held = mmap.mmap(-1, 48 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
held.write(os.urandom(1 << 20) * 48)
def handler(event, context):
    sum = hashlib.sha256(held).hexdigest()
    held.madvise(mmap.MADV_DONTNEED, 0, 1 << 20)
    return {"sum": sum, "cleared": held[:1 << 20] == bytes(1 << 20)}
"""

CONFINED = """
import ctypes
def handler(event, context):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall(425, 1, 0)  # io_uring_setup
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    wanted = ("Seccomp", "NoNewPrivs", "CapEff", "CapBnd", "Groups")
    return {"errno": ctypes.get_errno(), **{name: status[name].strip() for name in wanted}}
"""


def start(daemon, name, event=None):
    """One invocation: the rung, the answer, the error's kind if there is one."""
    path = f"/2015-03-31/functions/{name}/invocations"
    status, headers, body = daemon.request("POST", path, json.dumps(event or {}), {"X-Offshoot-Stages": "1"})
    if status != 200:
        raise AssertionError(f"{status}: {body}")
    return headers["X-Offshoot-Start"], json.loads(body), headers["X-Amz-Function-Error"]


def until(daemon, name, *rungs, limit_s=20):
    """Invokes until an instance comes from one of the rungs; its answer."""
    found = []

    def tried():
        rung, value, error = start(daemon, name)
        found[:] = [rung, value, error]
        return rung in rungs

    if not eventually(tried, limit_s):
        raise AssertionError(f"{found} instead of {rungs}: {daemon.log()}")
    return found[1]


def seeds_of(daemon):
    """What `offshoot seed` tells of each."""
    return json.loads(daemon.cli("seed", "list", "--json").stdout)["seeds"]


def damage(path):
    """Turns a byte in the middle over."""
    os.chmod(path, 0o600)
    with open(path, "r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 0xFF]))
    os.chmod(path, 0o400)


class Clones(DaemonTest):
    settings = EACH_A_CLONE

    def draw(self, name, count):
        until(self.daemon, name, "clone")
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: start(self.daemon, name), range(count)))
        self.assertEqual({rung for rung, _, _ in found}, {"clone"})
        self.assertEqual({value["calls"] for _, value, _ in found}, {1}, "state of another event was seen")
        for generator in found[0][1]["draws"]:
            drawn = {value["draws"][generator] for _, value, _ in found}
            self.assertEqual(len(drawn), count, f"{generator} repeats")
        return [value for _, value, _ in found]

    def test_no_two_clones_of_python_draw_the_same(self):
        values = self.draw(deploy(self.client, DRAWS), 24)
        self.assertEqual(len({value["stream"] for value in values}), 24, "log streams are shared")

    def test_no_two_clones_of_node_draw_the_same(self):
        self.draw(deploy_node(self.client, NODE_DRAWS), 24)

    def test_clone_is_confined_as_what_was_started_there(self):
        name = deploy(self.client, CONFINED)
        rung, cold, _ = start(self.daemon, name)
        self.assertIn(rung, WITHOUT_SEED)
        clone = until(self.daemon, name, "clone")
        # It has more of the same filters: of its seed, and those of its way.
        self.assertEqual(clone, cold)
        self.assertEqual((cold["Seccomp"], cold["NoNewPrivs"]), ("2", "1"))
        self.assertNotEqual(cold["errno"], 0)

    def test_report_tells_the_restore_instead_of_the_init(self):
        name = deploy(self.client, DRAWS)
        until(self.daemon, name, "clone")
        logs = self.daemon.cli("logs", name).stdout.decode()
        self.assertIn("Init Duration:", logs)
        self.assertRegex(logs, r"Restore Duration: \d+\.\d\d ms\tBilled Restore Duration: \d+ ms")

    def test_init_that_leaves_files_gets_no_seed_and_the_log_says_why(self):
        name = deploy(self.client, WRITES_TMP)
        self.assertTrue(eventually(lambda: start(self.daemon, name) and "made-by-init in /tmp" in self.daemon.log()))
        rung, value, _ = start(self.daemon, name)
        self.assertIn(rung, WITHOUT_SEED)
        self.assertEqual(value, "x")
        seed = next(seed for seed in seeds_of(self.daemon) if seed["function"] == name)
        self.assertEqual(seed["state"], "refused")
        self.assertIn("/tmp", seed["reason"])

    def test_failing_hook_ends_the_clone_and_is_the_answer(self):
        name = deploy(self.client, BAD_HOOK)
        rung, *answered = start(self.daemon, name)
        self.assertIn(rung, WITHOUT_SEED)
        self.assertEqual(answered, ["answered", None])
        value = until(self.daemon, name, "clone")
        self.assertIn("no connection", value["errorMessage"])

    def test_changed_code_answers_at_once_and_the_old_image_goes(self):
        name = deploy(self.client, "def handler(event, context): return 1")
        self.assertEqual(until(self.daemon, name, "clone"), 1)
        seeds = self.daemon.state_dir / "seeds"
        before = set(os.listdir(seeds))
        deploy(self.client, "def handler(event, context): return 2", name=fresh_name())
        self.client.delete_function(FunctionName=name)
        deploy(self.client, "def handler(event, context): return 2", name=name)
        self.assertEqual(start(self.daemon, name)[1], 2)
        self.assertEqual(until(self.daemon, name, "clone"), 2)
        self.assertTrue(eventually(lambda: len(before - set(os.listdir(seeds))) >= 1), "the old image is there")


TRAINED = """
import os, json
seen = []
def handler(event, context):
    seen.append(event)
    return {"before": len(seen) - 1, "first": seen[0]}
"""


class Training(DaemonTest):
    settings = EACH_A_CLONE

    def seen_by_clone(self, **more):
        return until(self.daemon, deploy(self.client, TRAINED, **more), "clone")

    def test_seed_handles_the_event_that_the_function_names_and_no_other(self):
        trained = self.seen_by_clone(Environment={"Variables": {"OFFSHOOT_TRAINING_EVENT": '{"kind": "training"}'}})
        self.assertEqual(trained, {"before": 16, "first": {"kind": "training"}})
        # The control: without one, a clone has seen nothing but its own event.
        self.assertEqual(self.seen_by_clone()["before"], 0)

    def test_training_event_is_a_file_of_the_package(self):
        files = {"app.py": TRAINED, "events/training.json": '{"kind": "from a file"}'}
        variables = {"OFFSHOOT_TRAINING_EVENT": "@events/training.json"}
        name = deploy(self.client, files=files, Environment={"Variables": variables})
        self.assertEqual(until(self.daemon, name, "clone"), {"before": 16, "first": {"kind": "from a file"}})

    def test_training_event_that_is_not_there_is_no_reason_against_a_seed(self):
        variables = {"OFFSHOOT_TRAINING_EVENT": "@../../etc/passwd"}
        name = deploy(self.client, TRAINED, Environment={"Variables": variables})
        self.assertEqual(until(self.daemon, name, "clone")["before"], 0)
        self.assertIn("the training event cannot be read", self.daemon.log())

    def test_training_that_fails_is_no_reason_against_a_seed(self):
        source = "def handler(event, context):\n    if event.get('train'): raise ValueError('untrainable')\n    return 1"
        variables = {"OFFSHOOT_TRAINING_EVENT": '{"train": true}'}
        name = deploy(self.client, source, Environment={"Variables": variables})
        self.assertEqual(until(self.daemon, name, "clone"), 1)
        self.assertIn("the training event failed", self.daemon.log())


class SnapStart(DaemonTest):
    settings = {"limits.keep_alive_s": 0, "seeds.parked": 0}

    def publish(self, source):
        name = deploy(self.client, source, SnapStart={"ApplyOn": "PublishedVersions"})
        version = self.client.publish_version(FunctionName=name)
        return name, version

    def test_published_version_is_pending_until_its_snapshot_is_there(self):
        name, version = self.publish(DRAWS)
        self.assertEqual((version["State"], version["SnapStart"]["OptimizationStatus"]), ("Pending", "Off"))
        waiter = self.client.get_waiter("published_version_active")
        waiter.wait(FunctionName=name, Qualifier="1", WaiterConfig={"Delay": 1, "MaxAttempts": 20})
        active = self.client.get_function_configuration(FunctionName=name, Qualifier="1")
        self.assertEqual(active["SnapStart"], {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"})
        latest = self.client.get_function_configuration(FunctionName=name)
        self.assertEqual(latest["SnapStart"]["OptimizationStatus"], "Off")
        # The first event that it ever gets.
        self.assertEqual(start(self.daemon, f"{name}:1")[0], "clone")
        self.assertIn(start(self.daemon, name)[0], WITHOUT_SEED)

    def test_seed_of_a_published_version_outlives_changes_of_the_function(self):
        name, _ = self.publish(DRAWS)
        self.assertTrue(eventually(lambda: start(self.daemon, f"{name}:1")[0] == "clone"))
        self.client.update_function_configuration(FunctionName=name, Description="changed")
        self.assertEqual(start(self.daemon, f"{name}:1")[0], "clone")
        images = len(os.listdir(self.daemon.state_dir / "seeds"))
        self.client.delete_function(FunctionName=name, Qualifier="1")
        seeds = self.daemon.state_dir / "seeds"
        self.assertTrue(eventually(lambda: len(os.listdir(seeds)) < images), "the image of a deleted version stays")

    def test_version_that_can_have_no_snapshot_works_without(self):
        name, _ = self.publish(WRITES_TMP)

        def status():
            found = self.client.get_function_configuration(FunctionName=name, Qualifier="1")
            return found["State"], found["SnapStart"]["OptimizationStatus"]

        self.assertTrue(eventually(lambda: status() == ("Active", "Off")), status())
        rung, value, _ = start(self.daemon, f"{name}:1")
        self.assertIn(rung, WITHOUT_SEED)
        self.assertEqual(value, "x")


class Parked(DaemonTest):
    settings = {"seeds.after_events": 1, "seeds.parked": 1}

    def test_second_event_at_once_meets_a_parked_clone(self):
        slow = "import time\ndef handler(event, context):\n    time.sleep(event.get('s', 0))\n    return 1"
        name = deploy(self.client, slow)

        def rungs(count):
            with ThreadPoolExecutor(count) as pool:
                return [rung for rung, _, _ in pool.map(lambda _: start(self.daemon, name, {"s": 0.3}), range(count))]

        # Each time one more at once than there are hot instances.
        found = {rung for count in range(1, 9) for rung in rungs(count)}
        self.assertIn("parked", found)


class Bounded(DaemonTest):
    settings = {**EACH_A_CLONE, "seeds.resident": 1}

    def test_template_that_is_used_least_goes_and_comes_again(self):
        names = [deploy(self.client, DRAWS) for _ in range(2)]
        for name in names:
            until(self.daemon, name, "clone")
        # What was learnt of a first clone makes its template once more.
        self.assertTrue(eventually(lambda: start(self.daemon, names[1])[0] == "clone" and self.resident() == 1))
        self.assertEqual(start(self.daemon, names[0])[0], "restore")
        self.assertEqual(self.resident(), 1)

    def resident(self):
        return [seed["state"] for seed in seeds_of(self.daemon)].count("resident")


class Held(DaemonTest):
    settings = {"seeds.after_events": 1, "seeds.parked": 0, "seeds.resident": 1}

    def test_template_that_its_clones_keep_alive_is_used_again(self):
        """A second template of the same image was made beside it, and the first one's memory was counted nowhere."""
        slow = "import time\ndef handler(event, context):\n    time.sleep(event.get('s', 0))\n    return 1"
        first, other = (deploy(self.client, slow) for _ in range(2))

        def rungs(name, count):
            with ThreadPoolExecutor(count) as pool:
                return [rung for rung, _, _ in pool.map(lambda _: start(self.daemon, name, {"s": 0.3}), range(count))]

        # Each time more at once than there are hot instances, at last after the seed has learnt.
        for name in (first, other):
            self.assertIn("clone", [rung for count in range(2, 8) for rung in rungs(name, count)])
            self.assertTrue(eventually(lambda name=name: self.seed(name)["learnt"]))
            self.assertIn("clone", rungs(name, 10))
        self.assertEqual(self.seed(first)["state"], "stored")
        found = rungs(first, 13)
        self.assertIn("clone", found)
        self.assertNotIn("restore", found)

    def seed(self, name):
        return next(seed for seed in seeds_of(self.daemon) if seed["function"] == name)


class Short(DaemonTest):
    """Templates want more memory than there is."""

    settings = {**EACH_A_CLONE, "limits.memory_mb": 256}

    def test_templates_are_mapped_from_their_images_when_memory_gets_short(self):
        names = [deploy(self.client, HEAVY, MemorySize=128) for _ in range(4)]
        sums = [until(self.daemon, name, "clone")["sum"] for name in names]

        found = []

        def mapped():
            for name, expected in zip(names, sums):
                rung, value, _ = start(self.daemon, name)
                self.assertIn(rung, ("clone", "restore"))
                self.assertEqual(value, {"sum": expected, "cleared": True}, rung)
            found.extend(own_kb(seed["templatePid"]) for seed in seeds_of(self.daemon) if seed["backing"] == "mapped")
            return len(found) >= 4

        self.assertTrue(eventually(mapped, 20), f"{seeds_of(self.daemon)} {self.daemon.log()}")
        self.assertLess(max(found), 24 << 10, "most of a template's pages are its own")


def own_kb(pid):
    """Memory that is a process's own, not of files."""
    return int(re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1])


class Budget(OwnDaemon):
    def test_image_used_least_goes_when_there_is_no_room(self):
        made = self.daemon({**EACH_A_CLONE, "seeds.disk_mb": 24}).start()
        client = made.client()
        names = [deploy(client, DRAWS, MemorySize=256 + at) for at in range(6)]
        for name in names:
            until(made, name, "clone")
        kept = sum(path.stat().st_blocks * 512 for path in (made.state_dir / "seeds").iterdir())
        self.assertLess(kept, 24 << 20)
        self.assertIn("removed a seed: the images are over their budget", made.log())
        # What has lost its seed is answered all the same.
        self.assertIn(start(made, names[0])[0], WITHOUT_SEED)

    def test_image_of_a_version_that_is_gone_goes_at_the_next_start(self):
        made = self.daemon(EACH_A_CLONE).start()
        name = deploy(made.client(), DRAWS)
        until(made, name, "clone")
        made.stop()
        images = made.state_dir / "seeds"
        kept = set(os.listdir(images))
        stray = next(path for path in images.iterdir() if path.name.startswith("version-") and "." not in path.name)
        (images / f"version-{'0' * 40}").write_bytes(stray.read_bytes())
        made.start()
        self.assertTrue(eventually(lambda: set(os.listdir(images)) == kept), os.listdir(images))
        self.assertEqual(start(made, name)[0], "restore")


class Runtimes(OwnDaemon):
    """Functions without a seed begin in a clone of their runtime."""

    def setUp(self):
        settings = {"limits.keep_alive_s": 0, "seeds.after_events": 3, "seeds.idle_after": 3, "seeds.parked": 0, "seeds.recall": "false"}
        self.made = self.daemon(settings).start()
        self.client = self.made.client()

    def ready(self, deploy, source):
        """Waits until the runtime of such functions has a seed."""
        warm = deploy(self.client, source)
        self.assertEqual(start(self.made, warm)[0], "cold")
        self.assertTrue(eventually(lambda: self.runtimes()))

    def runtimes(self):
        listed = json.loads(self.made.cli("seed", "list", "--json").stdout)["seeds"]
        return [seed for seed in listed if seed["level"] == 1 and seed["state"] == "resident"]

    def assert_first_is_level1_and_seed_a_difference(self, deploy, source, at_most_kb):
        self.ready(deploy, source)
        name = deploy(self.client, source)
        first, second = (start(self.made, name) for _ in range(2))
        self.assertEqual((first[0], second[0]), ("level1", "level1"), self.made.log())
        for generator, drawn in first[1]["draws"].items():
            self.assertNotEqual(drawn, second[1]["draws"][generator], f"{generator} repeats in two clones of the runtime")
        until(self.made, name, "clone")
        listed = json.loads(self.made.cli("seed", "list", "--json").stdout)["seeds"]
        seed = next(seed for seed in listed if seed["function"] == name)
        self.assertEqual((seed["level"], seed["parent"]), (2, self.runtimes()[0]["image"]))
        self.assertLess(self.runtimes()[0]["storedBytes"], at_most_kb << 10)
        self.assertLess(seed["storedBytes"], self.runtimes()[0]["storedBytes"])
        return name

    def test_python_begins_in_its_runtime(self):
        # The figures that docs/benchmarks.md aims at.
        self.assert_first_is_level1_and_seed_a_difference(deploy, DRAWS, 12_000)

    def test_node_begins_in_its_runtime_and_survives_a_restart(self):
        name = self.assert_first_is_level1_and_seed_a_difference(deploy_node, NODE_DRAWS, 30_000)
        self.made.restart()
        self.assertEqual(start(self.made, name)[0], "restore")
        other = deploy_node(self.made.client(), NODE_DRAWS)
        self.assertEqual(start(self.made, other)[0], "level1")

    def test_variable_that_the_interpreter_reads_when_it_starts_starts_cold(self):
        source = "import sys\ndef handler(event, context): return sys.flags.optimize"
        self.ready(deploy, source)
        name = deploy(self.client, source, Environment={"Variables": {"PYTHONOPTIMIZE": "2"}})
        self.assertEqual(start(self.made, name)[:2], ("cold", 2))

    def test_module_in_the_place_of_the_librarys_starts_cold(self):
        source = "import queue\ndef handler(event, context): return queue.own"
        self.ready(deploy, "def handler(event, context): return 1")
        name = deploy(self.client, files={"app.py": source, "queue.py": "own = 7"})
        self.assertEqual(start(self.made, name)[:2], ("cold", 7))

    def test_damaged_seed_of_the_runtime_costs_a_cold_start_and_is_made_again(self):
        source = "def handler(event, context): return 1"
        self.ready(deploy, source)
        # An image that is no image without its runtime's.
        until(self.made, deploy(self.client, source), "clone")
        self.made.stop()
        for path in (self.made.state_dir / "seeds").iterdir():
            damage(path)
        self.made.start()
        self.client = self.made.client()
        self.assertEqual(start(self.made, deploy(self.client, source))[:2], ("cold", 1))
        self.assertTrue(eventually(lambda: start(self.made, deploy(self.client, source))[0] == "level1"))


class Born(OwnDaemon):
    def test_memory_that_a_clone_is_born_with_is_counted(self):
        """What `fork` copies for a clone is charged to no control group."""
        made = self.daemon({"seeds.after_events": 1, "seeds.parked": 0, "seeds.recall": "false"}).start()
        writes = """
            import time
            held = bytearray(16 << 20)
            def handler(event, context):
                held[::4096] = bytes(4096)
                time.sleep(event.get("s", 0))
        """
        name = deploy(made.client(), writes)
        crowds = itertools.count(2)

        def learnt():
            # Each time more at once than there are hot instances.
            count = next(crowds)
            with ThreadPoolExecutor(count) as pool:
                list(pool.map(lambda _: start(made, name, {"s": 0.2}), range(count)))
            return next(seed for seed in seeds_of(made) if seed["function"] == name)["learnt"]

        self.assertTrue(eventually(learnt), made.log())
        made.restart()
        self.assertEqual(start(made, name)[0], "restore")
        explained = json.loads(made.cli("explain", name, "--json").stdout)
        self.assertEqual(explained["idle"], 1)
        self.assertGreater(explained["idle_bytes"], 16 << 20)
        reports = re.findall(r"Max Memory Used: (\d+) MB", made.cli("logs", name).stdout.decode())
        self.assertGreater(int(reports[-1]), 16)


if __name__ == "__main__":
    unittest.main()
