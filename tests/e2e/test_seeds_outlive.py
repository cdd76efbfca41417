"""What a seed outlives: its daemon, templates that are killed, images that are damaged; and what the next daemon has of it."""

import contextlib
import json
import os
import signal
import unittest
from concurrent.futures import ThreadPoolExecutor

from daemon import OwnDaemon, eventually
from functions import deploy
from test_seeds import DRAWS, EACH_A_CLONE, damage, seeds_of, start, until

import kernel


# More callers who wait for one template than it takes to get another (engine/node/src/seeds/templates.rs).
CROWD = 80


class AtOnce(OwnDaemon):
    def test_functions_first_called_at_once_are_restored_beside_each_other_and_a_damaged_one_harms_no_other(self):
        made = self.daemon(EACH_A_CLONE).start()
        answers = "def handler(event, context):\n    return {number}\n"
        names = [deploy(made.client(), answers.format(number=number)) for number in range(6)]
        for name in names:
            until(made, name, "clone")
        known = set(os.listdir(made.state_dir / "seeds"))
        broken = deploy(made.client(), answers.format(number=6))
        until(made, broken, "clone")
        made.stop()
        for image in set(os.listdir(made.state_dir / "seeds")) - known:
            damage(made.state_dir / "seeds" / image)
        made.start()
        everyone = [*names, broken]
        with ThreadPoolExecutor(len(everyone)) as callers:
            met = list(callers.map(lambda name: start(made, name), everyone))
        self.assertEqual([answer for _, answer, _ in met], list(range(7)))
        self.assertEqual([rung for rung, _, _ in met[:-1]], ["restore"] * 6)
        self.assertNotIn(met[-1][0], ("restore", "clone"))
        self.assertEqual([start(made, name)[0] for name in names], ["clone"] * 6)


class Recalled(OwnDaemon):
    """What was at hand is at hand again in the next daemon, before anybody calls."""

    def setUp(self):
        self.made = self.daemon({**EACH_A_CLONE, "seeds.parked": 1, "seeds.recall": "true"}).start()
        self.list = self.made.state_dir / "templates.json"
        self.name = deploy(self.made.client(), DRAWS)
        until(self.made, self.name, "clone", "parked")
        self.assertTrue(eventually(lambda: self.list.exists() and self.name in self.list.read_text()))

    def templates(self):
        return next(seed["templates"] for seed in seeds_of(self.made) if seed["function"] == self.name)

    def known(self):
        return [seed["function"] for seed in seeds_of(self.made)]

    def test_after_an_orderly_end_and_after_a_kill(self):
        for end in (self.made.stop, self.made.kill9):
            end()
            self.made.start()
            self.assertTrue(eventually(lambda: self.name in self.known() and self.templates() == 1), self.made.log())
            explained = json.loads(self.made.cli("explain", self.name, "--json").stdout)
            self.assertEqual((explained["parked"], explained["busy"]), (0, 0), "nothing waits for a call")
            self.assertEqual(start(self.made, self.name)[0], "clone")

    def test_list_that_is_wrong_costs_nothing_but_the_templates(self):
        self.made.stop()
        others = ["gone", "../../etc/passwd", "x" * 1000, ""]
        listed = [{"function": other, "version": version} for other in others for version in ("$LATEST", "7", "..", "")]
        self.list.write_text(json.dumps([*listed, {"function": self.name, "version": "$LATEST"}]))
        self.made.start()
        self.assertTrue(eventually(lambda: self.name in self.known() and self.templates() == 1), self.made.log())
        self.made.stop()
        for bad in (b"", b"[", b"\xff" * 100, b"[]" * 10, b"{}", b'[{"function": 1}]'):
            self.list.write_bytes(bad)
            self.made.start()
            self.assertIn("templates of the last daemon are not made again", self.made.log())
            self.assertEqual(start(self.made, self.name)[0], "restore")
            self.made.stop()


class OneSeed(OwnDaemon):
    def setUp(self):
        self.made = self.daemon(EACH_A_CLONE).start()
        self.name = deploy(self.made.client(), DRAWS)
        until(self.made, self.name, "clone")

    def seed(self):
        return next(seed for seed in seeds_of(self.made) if seed["function"] == self.name)


class Faults(OneSeed):
    def kill_templates(self):
        """While there are no clones: both are children of the nursery of templates."""
        below = kernel.below(self.made.pid)
        nursery = next(pid for pid in below if b"__templates" in kernel.command_line(pid))
        templates = kernel.below(nursery)
        self.assertTrue(templates)
        for pid in templates:
            # The last clone, or a template in whose place there is another one, may be ending.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def test_seed_outlives_the_daemon(self):
        self.made.restart()
        self.assertEqual(start(self.made, self.name)[0], "restore")
        self.assertEqual(start(self.made, self.name)[0], "clone")

    def test_seed_outlives_a_daemon_that_was_killed(self):
        self.made.kill9()
        self.made.start()
        self.assertEqual(start(self.made, self.name)[0], "restore")

    def test_killed_template_is_made_again(self):
        self.kill_templates()
        # "clone" if what was learnt of the first one has made another template meanwhile.
        self.assertIn(start(self.made, self.name)[0], ("restore", "clone"))
        self.assertEqual(start(self.made, self.name)[0], "clone")

    def test_stuck_template_is_killed_and_made_again(self):
        self.assertTrue(eventually(lambda: self.seed()["learnt"]))
        stuck = self.seed()["templatePid"]
        os.kill(stuck, signal.SIGSTOP)
        with ThreadPoolExecutor(4) as callers:
            rungs = list(callers.map(lambda _: start(self.made, self.name)[0], range(4)))
        self.assertTrue(set(rungs) <= {"restore", "clone"}, rungs)
        self.assertFalse(os.path.exists(f"/proc/{stuck}"))
        self.assertIn("it did not answer for 5 s, and was killed", self.made.log())
        self.assertEqual(start(self.made, self.name)[0], "clone")

    def test_damaged_image_costs_a_cold_start_and_no_answer(self):
        self.made.stop()
        for path in (self.made.state_dir / "seeds").iterdir():
            damage(path)
        self.made.start()
        self.assertEqual(start(self.made, self.name)[0], "cold")
        self.assertEqual(start(self.made, self.name)[2], None)

    def test_image_damaged_while_its_seed_is_in_use_is_refused_by_the_next_template(self):
        """The next template is made without reading the image again, if that is still the file that was checked."""
        self.assertTrue(eventually(lambda: self.seed()["learnt"]))
        self.kill_templates()
        self.assertEqual(until(self.made, self.name, "restore")["calls"], 1)
        for path in (self.made.state_dir / "seeds").iterdir():
            damage(path)
        self.kill_templates()
        rung, _, error = start(self.made, self.name)
        self.assertEqual((rung, error), ("cold", None))
        self.assertIn("a seed that was no good is removed", self.made.log())


class Crowd(OneSeed):
    def test_crowd_of_callers_gets_another_template_and_outlives_the_first(self):
        # What is learnt of the first clone makes another template, in the place of this one.
        self.assertTrue(eventually(lambda: self.seed()["learnt"]))
        first = self.seed()["templatePid"]
        with ThreadPoolExecutor(CROWD) as callers:
            # All find the template at work, however fast it is.
            os.kill(first, signal.SIGSTOP)
            try:
                answers = [callers.submit(start, self.made, self.name) for _ in range(CROWD)]
                # Each has a thread of the daemon.
                waiting = eventually(lambda: len(os.listdir(f"/proc/{self.made.pid}/task")) > CROWD, 30)
            finally:
                os.kill(first, signal.SIGCONT)
            self.assertTrue(waiting, "callers do not get as far as the template")
            self.assertEqual({answer.result()[0] for answer in answers}, {"clone"})
        if len(os.sched_getaffinity(0)) == 1:
            self.assertEqual(self.seed()["templates"], 1, "a processor has no use for another one")
            return
        self.assertTrue(eventually(lambda: self.seed()["templates"] == 2), self.made.log())
        os.kill(first, signal.SIGKILL)
        rungs = [start(self.made, self.name)[0] for _ in range(8)]
        self.assertEqual(set(rungs), {"clone"}, "nothing is restored while there is another one")
        self.assertNotEqual(self.seed()["templatePid"], first)


if __name__ == "__main__":
    unittest.main()
