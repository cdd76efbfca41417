"""Functions beside each other: what one has to be started for, and how often, keeps no other one waiting."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

from daemon import OwnDaemon
from functions import deploy
from test_seeds import DRAWS, EACH_A_CLONE, start, until

INIT_S = 4
SLOW_INIT = f"""
import time
time.sleep({INIT_S})
def handler(event, context):
    return None
"""
BUSY = """
import time
def handler(event, context):
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
"""


class Neighbours(OwnDaemon):
    def seeded(self, made, source):
        name = deploy(made.client(), source)
        until(made, name, "clone")
        return name

    def test_clones_wait_for_no_inits(self):
        made = self.daemon({**EACH_A_CLONE, "limits.cold_starts": 1}).start()
        name = self.seeded(made, DRAWS)
        slow = [deploy(made.client(), SLOW_INIT, Timeout=30) for _ in range(2)]
        begun = time.monotonic()
        with ThreadPoolExecutor(len(slow)) as callers:
            inits = [callers.submit(start, made, other) for other in slow]
            time.sleep(0.5)
            self.assertEqual(start(made, name)[0], "clone")
            self.assertLess(time.monotonic() - begun, INIT_S - 1)
            self.assertFalse(any(init.done() for init in inits))
            for init in inits:
                self.assertIn(init.result()[0], ("cold", "level1"))
        self.assertGreater(time.monotonic() - begun, len(slow) * INIT_S, "one init at a time")

    def test_a_crowd_of_callers_takes_turns_with_the_callers_of_other_functions(self):
        made = self.daemon(EACH_A_CLONE).start()
        crowded, other = self.seeded(made, BUSY), self.seeded(made, DRAWS)
        crowd = 20 * len(os.sched_getaffinity(0))
        with ThreadPoolExecutor(crowd) as callers:
            answers = [callers.submit(start, made, crowded) for _ in range(crowd)]
            time.sleep(0.2)
            self.assertEqual(start(made, other)[0], "clone")
            before = sum(answer.done() for answer in answers)
            self.assertEqual({answer.result()[0] for answer in answers}, {"clone"})
        self.assertLess(before, crowd / 2, "the other one had to wait for most of the crowd")
