"""What seeds are made of dies or is damaged while events flow: each caller gets an answer or a Lambda error, and what was
accepted is executed."""

import json
import os
import random
import signal
import threading
import time
import unittest

from daemon import OwnDaemon, eventually
from functions import deploy
from test_seeds import EACH_A_CLONE, damage, until

import kernel

CALLERS = 4
ANSWERS = """
import time
def handler(event, context):
    time.sleep(event["s"])
    print("did", event["id"])
    return event["id"]
"""


class Load:
    """Callers that never stop, and what became of each call."""

    def __init__(self, daemon, name):
        self.daemon, self.name = daemon, name
        self.answered, self.failed, self.wrong = [], [], []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.call_on, args=(at,)) for at in range(CALLERS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def call_on(self, caller):
        number = 0
        while not self.over.is_set():
            number += 1
            self.call(f"{caller}-{number}")

    def call(self, call_id):
        path = f"/2015-03-31/functions/{self.name}/invocations"
        event = json.dumps({"id": call_id, "s": random.choice((0, 0.005, 0.02))})
        try:
            status, headers, body = self.daemon.request("POST", path, event)
        except Exception as error:  # a connection that broke is an answer to nobody
            self.wrong.append(f"{call_id}: {error!r}")
            return
        value = json.loads(body)
        if status == 200 and value == call_id:
            self.answered.append(call_id)
        elif status == 200 and headers["X-Amz-Function-Error"] and "errorType" in value:
            self.failed.append(value)
        elif status >= 400 and headers["X-Amzn-ErrorType"]:
            self.failed.append(value)
        else:
            self.wrong.append(f"{call_id}: {status} {body}")


class UnderLoad(OwnDaemon):
    def setUp(self):
        self.made = self.daemon(EACH_A_CLONE).start()
        self.name = deploy(self.made.client(), ANSWERS)
        until_clone = {"id": "x", "s": 0}
        self.assertTrue(eventually(lambda: self.rung(until_clone) == "clone", 20), self.made.log())

    def rung(self, event):
        path = f"/2015-03-31/functions/{self.name}/invocations"
        _, headers, _ = self.made.request("POST", path, json.dumps(event), {"X-Offshoot-Stages": "1"})
        return headers["X-Offshoot-Start"]

    def nursery(self):
        """The nursery of templates; the children of a nursery that has died are somebody else's."""
        below = kernel.below(self.made.pid)
        return next((pid for pid in below if b"__templates" in kernel.command_line(pid)), None)

    def suffer(self, harm, times, pause_s=0.15, at_least=None):
        """Does harm, which tells how many it has met, again and again under load; what became of the calls, after which
        everything is as before."""
        met = 0
        with Load(self.made, self.name) as load:
            for _ in range(times):
                time.sleep(pause_s)
                met += harm()
            time.sleep(pause_s)
        self.assertGreaterEqual(met, at_least or times, "there was nobody to harm")
        self.assertEqual(load.wrong, [])
        self.assertGreater(len(load.answered), 10 * CALLERS)
        self.assertTrue(eventually(lambda: self.rung({"id": "x", "s": 0}) == "clone", 20), self.made.log())
        return load

    def kill(self, pids):
        """How many there were."""
        killed = 0
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
                killed += 1
            except ProcessLookupError:
                pass
        return killed

    def test_templates_are_killed(self):
        def harm():
            nursery = self.nursery()
            return self.kill(kernel.below(nursery) if nursery else [])

        # Children of that nursery are templates and clones: those at work die with their event.
        load = self.suffer(harm, 6)
        kinds = {failure.get("errorType") for failure in load.failed}
        self.assertLessEqual(kinds, {"Runtime.ExitError"})

    def test_nursery_of_templates_is_killed(self):
        def harm():
            nursery = self.nursery()
            return self.kill([nursery] if nursery else [])

        # Another one is started when the next template is to be made, and the template lives on.
        load = self.suffer(harm, 4, 0.4, at_least=1)
        self.assertEqual(load.failed, [], "clones and templates outlive it")

    def test_images_are_damaged_and_templates_killed(self):
        with Load(self.made, self.name) as load:
            time.sleep(0.2)
            damaged = 0
            for path in (self.made.state_dir / "seeds").iterdir():
                try:
                    damage(path)
                    damaged += 1
                except FileNotFoundError:
                    pass  # it was removed meanwhile
            self.assertGreater(damaged, 1)
            self.assertGreater(self.kill(kernel.below(self.nursery())), 0)
            time.sleep(1)
        self.assertEqual(load.wrong, [])
        self.assertGreater(len(load.answered), 10)
        self.assertLessEqual({failure.get("errorType") for failure in load.failed}, {"Runtime.ExitError"})

    def test_load_tells_when_a_caller_gets_no_answer(self):
        """The control: a daemon that is killed leaves callers without one."""
        with Load(self.made, self.name) as load:
            time.sleep(0.2)
            self.made.kill9()
            time.sleep(0.2)
        self.assertTrue(load.wrong)


class Accepted(OwnDaemon):
    def test_events_accepted_before_the_daemon_was_killed_are_executed_by_clones_of_the_next(self):
        made = self.daemon({**EACH_A_CLONE, "events.parallel": 4}).start()
        client = made.client()
        name = deploy(client, ANSWERS)
        until_clone = json.dumps({"id": "x", "s": 0})
        path = f"/2015-03-31/functions/{name}/invocations"

        def rung():
            return made.request("POST", path, until_clone, {"X-Offshoot-Stages": "1"})[1]["X-Offshoot-Start"]

        self.assertTrue(eventually(lambda: rung() == "clone", 20))
        for round_of in range(3):
            accepted = [f"{round_of}-{at}" for at in range(30)]
            for call_id in accepted:
                answer = client.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps({"id": call_id, "s": 0.01}))
                self.assertEqual(answer["StatusCode"], 202)
            time.sleep(0.05 * round_of)
            made.kill9()
            made.start()
            client = made.client()

            def depth():
                return json.loads(made.cli("events", "depth", "--json").stdout)

            self.assertTrue(eventually(lambda: set(depth().values()) == {0}, 30), depth())
            done = set(made.cli("logs", name).stdout.decode().split())
            self.assertEqual(set(accepted) - done, set())


if __name__ == "__main__":
    unittest.main()
