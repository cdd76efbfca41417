"""What the porter has decided, and why: `offshoot explain`, `offshoot events actions`, and the pages behind them."""

import json
import time
import unittest

from daemon import DaemonTest, OwnDaemon, eventually
from functions import ECHO, deploy, fresh_name, invoke


class Explain(DaemonTest):
    settings = {"seeds.after_events": 1, "seeds.idle_after": 1, "seeds.parked": 1}

    def seeded(self):
        name = deploy(self.client, ECHO)
        invoke(self.client, name)
        self.assertTrue(eventually(lambda: self.explain(name)["parked"] == 1, 20), self.daemon.log())
        return name

    def explain(self, name):
        return json.loads(self.daemon.cli("explain", name, "--json").stdout)

    def actions(self, *arguments):
        return json.loads(self.daemon.cli("events", "actions", "--json", *arguments).stdout)["events"]

    def test_explain_tells_the_ladder_with_its_figures(self):
        found = self.explain(self.seeded())
        self.assertEqual((found["idle"], found["parked"], found["invocations"]), (1, 1, 1))
        self.assertEqual(found["next_rung"], "hot")
        self.assertEqual((found["seed"]["state"], found["template"]["state"]), ("ready", "resident"))
        self.assertGreater(found["template"]["bytes"], 1 << 20)
        self.assertGreater(found["limit_bytes"], found["used_bytes"])
        cold = next(rung for rung in found["rungs"] if rung["rung"] == "cold")
        level1 = next(rung for rung in found["rungs"] if rung["rung"] == "level1")
        self.assertEqual(cold["samples"] + level1["samples"], 1)
        # A Python that has started holds a few megabytes, what began in a clone of its runtime less; no more than its limit.
        at_least = 2 << 20 if cold["samples"] else 1 << 20
        self.assertTrue(at_least < found["idle_bytes"] < 128 << 20, found["idle_bytes"])
        self.assertEqual([action["action"] for action in found["actions"]], ["make_seed", "park 1"])

    def test_every_action_is_an_event_with_its_figures(self):
        name = self.seeded()
        mine = [action for action in self.actions() if action["function"] == name]
        self.assertEqual([action["action"] for action in mine], ["make_seed", "park 1"])
        self.assertRegex(mine[0]["why"], r"^1 invocations have ended, 1 were waited for$")
        self.assertIn("0 parked", mine[1]["why"])
        self.assertLess(abs(mine[0]["at_ms"] / 1000 - time.time()), 60)
        numbers = [action["number"] for action in self.actions()]
        self.assertEqual(numbers, sorted(set(numbers)))
        after = self.actions("--after", str(mine[0]["number"]))
        self.assertTrue(after and all(action["number"] > mine[0]["number"] for action in after))

    def test_page_of_actions_leaves_the_depth_of_the_queue_as_it_was(self):
        status, _, body = self.daemon.request("GET", "/offshoot/v1/events")
        self.assertEqual((status, set(json.loads(body))), (200, {"waiting", "claimed", "dead"}))
        status, _, body = self.daemon.request("GET", "/offshoot/v1/events?after=0")
        self.assertEqual((status, set(json.loads(body))), (200, {"events"}))
        status, _, _ = self.daemon.request("GET", "/offshoot/v1/events?after=x")
        self.assertEqual(status, 400)

    def test_function_that_was_never_invoked_has_nothing_to_explain(self):
        name = deploy(self.client, ECHO)
        for unknown in (name, fresh_name()):
            result = self.daemon.cli("explain", unknown)
            self.assertEqual(result.returncode, 4, result.stderr)
            self.assertIn(b"not invoked", result.stderr)

    def test_changed_function_begins_anew(self):
        name = self.seeded()
        self.client.update_function_configuration(FunctionName=name, Description="changed")
        invoke(self.client, name)
        self.assertEqual(self.explain(name)["invocations"], 1)


class RuntimeSeeds(OwnDaemon):
    """Functions have no seeds of their own yet, and no instance is kept: each start is of the runtime's seed, if that is there."""

    settings = {"limits.keep_alive_s": 0, "seeds.after_events": 1000, "seeds.idle_after": 1000}

    def explain(self, name):
        return json.loads(self.run_daemon.cli("explain", name, "--json").stdout)

    def start(self, name):
        path = f"/2015-03-31/functions/{name}/invocations"
        _, headers, _ = self.run_daemon.request("POST", path, "{}", {"X-Offshoot-Stages": "1"})
        return headers["X-Offshoot-Start"]

    def begin(self, **more):
        self.run_daemon = self.daemon({**self.settings, **more}).start()
        client = self.run_daemon.client()
        self.addCleanup(client.close)
        return deploy(client, ECHO), deploy(client, ECHO, Environment={"Variables": {"PYTHONHASHSEED": "1"}})

    def rungs(self, name):
        return {rung["rung"]: rung for rung in self.explain(name)["rungs"]}

    def test_start_of_the_runtimes_seed_is_expected_learnt_and_kept_in_mind(self):
        name, alone = self.begin()
        self.assertEqual([self.start(name), self.start(alone)], ["cold", "cold"])
        # Nobody asks for anything but the explanation.
        expected = eventually(lambda: (self.explain(name)["runtime_seed"].get("image_bytes") or 0) > 0, 20)
        self.assertTrue(expected, self.run_daemon.log())
        self.assertEqual(self.explain(name)["next_rung"], "level1")
        found = self.explain(name)
        self.assertEqual((found["runtime_seed"]["state"], self.rungs(name)["level1"]["samples"]), ("ready", 0))
        self.assertGreater(found["runtime_seed"]["image_bytes"], 1 << 20)
        # Control: a function that the interpreter has to start for.
        self.assertEqual((self.explain(alone)["next_rung"], self.explain(alone)["runtime_seed"]), ("cold", None))
        self.assertEqual([self.start(name), self.start(alone)], ["level1", "cold"])
        rungs = self.rungs(name)
        self.assertEqual((rungs["level1"]["samples"], rungs["cold"]["samples"]), (1, 1))
        self.assertLess(rungs["level1"]["p50_us"], rungs["cold"]["p50_us"])

    def test_seed_of_an_earlier_daemon_is_expected_before_anything_started_of_it(self):
        name, alone = self.begin()
        self.start(name)
        self.assertTrue(eventually(lambda: self.explain(name)["next_rung"] == "level1", 20), self.run_daemon.log())
        self.run_daemon.restart()
        # Known from an event that does not start of it.
        self.assertEqual(self.start(name), "level1")
        self.assertEqual(self.rungs(name)["level1"]["samples"], 1)

    def test_without_seeds_of_runtimes_none_is_expected(self):
        name, _ = self.begin(**{"seeds.runtime_seeds": "false"})
        self.assertEqual([self.start(name), self.start(name)], ["cold", "cold"])
        found = self.explain(name)
        self.assertEqual((found["next_rung"], found["runtime_seed"]), ("cold", None))


class Rotation(DaemonTest):
    settings = {
        "limits.keep_alive_s": 0, "seeds.after_events": 1, "seeds.parked": 0, "seeds.rotate_clones": 3,
    }

    def test_seed_is_made_anew_after_its_clones_while_clones_go_on(self):
        name = deploy(self.client, ECHO)
        path = f"/2015-03-31/functions/{name}/invocations"

        def start():
            _, headers, _ = self.daemon.request("POST", path, "{}", {"X-Offshoot-Stages": "1"})
            return headers["X-Offshoot-Start"]

        self.assertTrue(eventually(lambda: start() == "clone", 20), self.daemon.log())

        def rotated():
            self.assertIn(start(), ("clone", "restore"))
            events = json.loads(self.daemon.cli("events", "actions", "--json").stdout)["events"]
            actions = [event["action"] for event in events if event["function"] == name]
            return "rotate_seed" in actions and "replace_template local" in actions

        self.assertTrue(eventually(rotated, 20), self.daemon.log())


if __name__ == "__main__":
    unittest.main()
