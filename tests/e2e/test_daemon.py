"""The daemon's life: start, end by signal and by accident, and that it leaves nothing behind."""

import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from botocore.exceptions import BotoCoreError

import kernel
from daemon import DaemonTest, OwnDaemon, StartError, eventually
from functions import ECHO, PROBE, deploy, deploy_node, invoke

SLOW = """
import time
def handler(event, context):
    print("begun", flush=True)
    time.sleep(event["s"])
    return "done"
"""
CYCLES = 30
# What `limits.ghosts` is by default.
GHOSTS = 8


class StartAndStop(OwnDaemon):
    def test_daemon_is_ready_within_a_second(self):
        daemon = self.daemon().start()
        self.assertLess(daemon.ready_s, 1.0)
        status, _, body = daemon.request("GET", "/offshoot/v1/health")
        self.assertEqual(status, 200)
        self.assertIn(b'"status":"ok"', body)
        self.assertEqual(daemon.stop(), 0)

    def test_second_daemon_on_the_same_state_is_refused_by_name(self):
        first = self.daemon().start()
        client = first.client()
        name = deploy(client, ECHO)
        invoke(client, name, {})
        with self.assertRaises(StartError) as caught:
            self.daemon(state_dir=first.state_dir).start()
        self.assertIn(str(first.state_dir), caught.exception.log)
        self.assertNotEqual(caught.exception.status, 0)
        # The refused one has touched nothing: the instance is still there and hot.
        path = f"/2015-03-31/functions/{name}/invocations"
        _, headers, _ = first.request("POST", path, b"{}", {"X-Offshoot-Stages": "1"})
        self.assertEqual(headers["X-Offshoot-Start"], "hot")

    def test_busy_address_is_named(self):
        with socket.create_server(("127.0.0.1", 0)) as busy:
            address = f"127.0.0.1:{busy.getsockname()[1]}"
            with self.assertRaises(StartError) as caught:
                self.daemon(listen=address).start()
        self.assertIn(address, caught.exception.log)

    def test_sigterm_lets_a_running_invocation_end_and_exits_0(self):
        daemon = self.daemon().start()
        client = daemon.client()
        name = deploy(client, SLOW, Timeout=10)
        answers = []
        running = threading.Thread(target=lambda: answers.append(invoke(client, name, {"s": 2})))
        running.start()
        logs = f"/offshoot/v1/functions/{name}/logs"
        self.assertTrue(eventually(lambda: b"begun" in daemon.request("GET", logs)[2]))
        port, owner, begun = daemon.port, daemon.owner, time.monotonic()
        daemon.signal(signal.SIGTERM)
        time.sleep(0.3)
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        running.join()
        client.close()
        self.assertEqual(answers[0].value, "done")
        self.assertEqual(daemon.wait(), 0)
        self.assertLess(time.monotonic() - begun, 4)
        self.assertEqual(kernel.left_by(owner), [])

    def test_drain_is_limited_in_time(self):
        daemon = self.daemon({"server.drain_timeout_s": 1}).start()
        client = daemon.client()
        name = deploy(client, SLOW, Timeout=60)
        answers = []

        def call():
            try:
                answers.append(invoke(client, name, {"s": 30}).error)
            except BotoCoreError as error:
                answers.append(error)

        running = threading.Thread(target=call)
        running.start()
        logs = f"/offshoot/v1/functions/{name}/logs"
        self.assertTrue(eventually(lambda: b"begun" in daemon.request("GET", logs)[2]))
        owner, begun = daemon.owner, time.monotonic()
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.wait(), 0)
        running.join()
        self.assertLess(time.monotonic() - begun, 8)
        # The caller gets an error, of the function or of the connection, and no success.
        self.assertEqual(len(answers), 1)
        self.assertTrue(answers[0], answers)
        self.assertEqual(kernel.left_by(owner), [])

    def test_sigint_ends_it_too(self):
        daemon = self.daemon().start()
        daemon.signal(signal.SIGINT)
        self.assertEqual(daemon.wait(), 0)


class Killed(OwnDaemon):
    def test_everything_of_a_killed_daemon_is_cleared_and_functions_are_there(self):
        others = kernel.link_numbers()
        daemon = self.daemon({"network.egress": "true"}).start()
        client = daemon.client()
        python, node = deploy(client, ECHO), deploy_node(client)
        slow = deploy(client, SLOW, Timeout=60)
        for name in (python, node):
            invoke(client, name, {})
        threading.Thread(target=lambda: self.ignore(invoke, client, slow, {"s": 30}), daemon=True).start()
        owner = daemon.owner
        self.assertTrue(eventually(lambda: len(kernel.in_cgroups(owner)) >= 6))
        mine = set(kernel.below(daemon.pid)) | kernel.in_cgroups(owner)
        before_links = kernel.link_numbers()
        self.assertTrue(before_links)
        daemon.kill9()
        client.close()
        daemon.start()
        # The new daemon's own ghosts are in groups of the same names.
        self.assertEqual(kernel.occupied(owner), set())
        self.assertTrue(eventually(lambda: not mine & set(kernel.processes()), 2))
        self.assertEqual(before_links & kernel.link_numbers(), set())
        client = daemon.client()
        self.assertEqual(invoke(client, python, {"a": 1}).value, {"a": 1})
        self.assertEqual(invoke(client, node, {"a": 1}).value, {"a": 1})
        client.close()
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(kernel.link_numbers() - others, set())

    def test_everything_is_gone_even_before_the_restart(self):
        daemon = self.daemon().start()
        client = daemon.client()
        invoke(client, deploy(client, ECHO), {})
        mine = set(kernel.below(daemon.pid))
        self.assertGreaterEqual(len(mine), 3)
        mounts = kernel.mounts()
        daemon.kill9()
        gone = eventually(lambda: not mine & set(kernel.processes()))
        self.assertTrue(gone, "processes outlive a killed daemon")
        if not kernel.SHARED_MACHINE:
            self.assertEqual(kernel.mounts(), mounts)
        daemon.start()

    def test_daemon_ends_when_its_nursery_does(self):
        daemon = self.daemon().start()
        client = daemon.client()
        name = deploy(client, ECHO)
        invoke(client, name, {})
        # What it makes has its command line, too, until it becomes another program.
        own = (pid for pid, (parent, _) in kernel.processes().items() if parent == daemon.pid)
        nurseries = [pid for pid in own if b"__nursery" in kernel.command_line(pid)]
        self.assertEqual(len(nurseries), 1)
        owner = daemon.owner
        os.kill(nurseries[0], signal.SIGKILL)
        client.close()
        # A daemon that can run nothing must not look alive to its supervisor.
        self.assertNotEqual(daemon.wait(), 0)
        self.assertIn("nursery", daemon.log())
        self.assertEqual(kernel.left_by(owner), [])

    def ignore(self, call, *arguments):
        try:
            call(*arguments)
        except Exception:
            pass


class NoDrift(DaemonTest):
    """Deploying, invoking and deleting again and again leaves no object in the kernel."""

    def cycle(self):
        name = deploy(self.client, ECHO)
        self.assertEqual(invoke(self.client, name, {"a": 1}).value, {"a": 1})
        self.client.delete_function(FunctionName=name)

    def settle(self):
        """Waits until only unused ghosts are left, as many as there should be."""
        idle = lambda: not kernel.occupied(self.daemon.owner)
        self.assertTrue(eventually(idle), "an instance outlives its function")
        full = lambda: [(one["state"], one["uses"]) for one in self.pool()] == GHOSTS * [("ghost", 0)]
        begun = time.monotonic()
        while not full():
            self.assertLess(time.monotonic() - begun, 10, self.pool())
            self.daemon.cli("sandbox", "drain")
            eventually(full, 1)

    def pool(self):
        return json.loads(self.daemon.cli("sandbox", "list", "--json").stdout)["sandboxes"]

    def test_cycles_leave_no_drift_and_a_planted_leak_is_seen(self):
        for _ in range(3):
            self.cycle()
        self.settle()
        before = kernel.Snapshot(self.daemon)
        for _ in range(CYCLES):
            self.cycle()
        self.settle()
        self.assertEqual(kernel.settled_drift(before, self.daemon), [])
        self.planted_leaks_are_seen(before)

    def planted_leaks_are_seen(self, before):
        """The positive control: each kind of leak, planted, is found by the same check."""
        seen = lambda: " ".join(before.drift(kernel.Snapshot(self.daemon)))
        top = next(path for path in kernel.cgroup_tops() if (path / self.daemon.owner).is_dir())
        group = top / self.daemon.owner / "planted"
        group.mkdir()
        try:
            self.assertRegex(seen(), r"control groups: \d+ became \d+")
            sleeper = subprocess.Popen(["sleep", "60"])
            try:
                (group / "cgroup.procs").write_text(str(sleeper.pid))
                self.assertIn("processes in its control groups", seen())
            finally:
                sleeper.kill()
                sleeper.wait()
        finally:
            eventually(lambda: not (group / "cgroup.procs").read_text())
            group.rmdir()
        if kernel.SHARED_MACHINE:
            return
        self.planted(
            "links",
            seen,
            ["ip", "link", "add", "offe2e-0", "type", "veth", "peer", "offe2e-1"],
            ["ip", "link", "delete", "offe2e-0"],
        )
        with tempfile.TemporaryDirectory() as place:
            self.planted("mounts", seen, ["mount", "-t", "tmpfs", "planted", place], ["umount", place])

    def planted(self, what, seen, plant, remove):
        subprocess.run(plant, check=True)
        try:
            self.assertIn(what, seen())
        finally:
            subprocess.run(remove, check=True)

    def test_deleted_functions_code_leaves_the_disk_at_the_next_start_at_the_latest(self):
        mark = "e2e_code_that_must_go"
        name = deploy(self.client, files={f"{mark}.py": "x = 1", "app.py": ECHO})
        found = lambda: list(Path(self.daemon.state_dir).rglob(f"{mark}.py"))
        self.assertEqual(len(found()), 1)
        self.client.delete_function(FunctionName=name)
        type(self).client.close()
        self.daemon.restart()
        type(self).client = self.daemon.client()
        self.assertEqual(found(), [])


class Metrics(DaemonTest):
    def test_metrics_count_invocations_and_are_text(self):
        name = deploy(self.client, PROBE)
        invoke(self.client, name, {"code": "1"})
        invoke(self.client, name, {"code": "1/0"})
        status, headers, body = self.daemon.request("GET", "/metrics")
        self.assertEqual(status, 200)
        self.assertTrue(headers["Content-Type"].startswith("text/plain"))
        lines = [line for line in body.decode().splitlines() if line and not line.startswith("#")]
        self.assertTrue(any(line.startswith(f'faas_invocations_total{{faas_name="{name}"') for line in lines), lines)
        self.assertTrue(any(line.startswith("faas_errors_total") and "raised" in line for line in lines), lines)
        for line in lines:
            float(line.rsplit(" ", 1)[1])
