"""Clones of runtimes that speak the Runtime API: versions with SnapStart whose client asks to be frozen (`restore/next`)."""

import json
import unittest
from concurrent.futures import ThreadPoolExecutor

import kernel
from daemon import DaemonTest, OwnDaemon, eventually
from functions import deploy, deploy_ric, invoke
from test_seeds import start

EACH_A_CLONE = {"limits.keep_alive_s": 0, "seeds.parked": 0}
SNAP_START = {"ApplyOn": "PublishedVersions"}

HOOKED = """
import os, random, ssl
from snapshot_restore_py import register_after_restore, register_before_snapshot
order, calls = [], 0
register_before_snapshot(order.append, "before")
@register_after_restore
def after():
    order.append("after")
    random.seed()
def handler(event, context):
    global calls
    calls += 1
    if event.get("fail"):
        raise LookupError("from a clone")
    if event.get("exit"):
        os._exit(event["exit"])
    return {"calls": calls, "order": order, "id": context.aws_request_id, "stream": context.log_stream_name,
            "type": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"],
            "draws": {"random": random.random(), "openssl": ssl.RAND_bytes(16).hex(), "urandom": os.urandom(16).hex()}}
"""

# The same generators, and nobody who makes Python's own anew.
HOOKLESS = """
import os, random, ssl
def handler(event, context):
    return {"random": random.random(), "openssl": ssl.RAND_bytes(16).hex()}
"""

BAD_HOOK = """
from snapshot_restore_py import register_after_restore
@register_after_restore
def after():
    raise ValueError("no connection")
def handler(event, context):
    return "answered"
"""

# A client of our own: one connection for all calls, waited for in the way that the bootstrap names.
SMALL = """#!/usr/bin/python3
import json, os, random, select, socket
WAY, RESTORE = "{way}", {restore}
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
BASE = "/2018-06-01/runtime"
def connected():
    connection = socket.create_connection((host, int(port)))
    if WAY == "epoll":
        connection.setblocking(False)
        poller.register(connection, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
    return connection
def some():
    while True:
        try:
            return connection.recv(1 << 16)
        except BlockingIOError:
            poller.poll()
def call(method, path, body=b"", more=""):
    head = f"{{method}} {{BASE}}/{{path}} HTTP/1.1\\r\\nHost: x\\r\\n{{more}}Content-Length: {{len(body)}}\\r\\n\\r\\n"
    connection.sendall(head.encode() + body)
    answer = b""
    while b"\\r\\n\\r\\n" not in answer:
        answer += some()
    head, _, body = answer.partition(b"\\r\\n\\r\\n")
    lines = head.decode().lower().split("\\r\\n")
    headers = dict(line.split(": ", 1) for line in lines[1:])
    while len(body) < int(headers["content-length"]):
        body += some()
    return int(lines[0].split()[1]), headers, body
poller = select.epoll() if WAY == "epoll" else None
connection = connected()
told = []
if RESTORE:
    told.append(call("GET", "restore/next")[0])
    random.seed()
if os.environ.get("FAIL_RESTORE"):
    error = json.dumps({{"errorMessage": "no way back", "errorType": "Small.Lost"}}).encode()
    call("POST", "restore/error", error, "Lambda-Runtime-Function-Error-Type: Small.Lost\\r\\n")
    os._exit(65)
calls = 0
while True:
    _, headers, event = call("GET", "invocation/next")
    calls += 1
    event, request = json.loads(event), headers["lambda-runtime-aws-request-id"]
    if event.get("die"):
        os._exit(9)
    answer = {{"told": told, "calls": calls, "random": random.random(), "number": connection.fileno(),
              "again": event.get("again") and call("GET", "restore/next")[0]}}
    mode = "Lambda-Runtime-Function-Response-Mode: streaming\\r\\n" if event.get("stream") else ""
    call("POST", f"invocation/{{request}}/response", json.dumps(answer).encode(), mode)
"""

# Not the runtime's first process: that one waits for it.
CHILD = """#!/bin/sh
/usr/bin/python3 /var/task/client.py
exit $?
"""


def small(client, way="blocking", restore=True, files=None, **more):
    files = files or {"bootstrap": (SMALL.format(way=way, restore=restore), 0o755)}
    return deploy(client, files=files, Runtime="provided.al2023", Handler="any", Timeout=10, MemorySize=256, **more)


def publish(client, name):
    """Version 1 of a function with SnapStart, and whether it has its snapshot."""
    client.publish_version(FunctionName=name)
    waiter = client.get_waiter("published_version_active")
    waiter.wait(FunctionName=name, Qualifier="1", WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    active = client.get_function_configuration(FunctionName=name, Qualifier="1")
    return f"{name}:1", active["SnapStart"]["OptimizationStatus"]


class Clones(DaemonTest):
    settings = EACH_A_CLONE

    def published(self, name):
        version, status = publish(self.client, name)
        self.assertEqual(status, "On", self.daemon.log())
        return version

    def refused(self, version, *words):
        name, _, number = version.partition(":")
        listed = json.loads(self.daemon.cli("seed", "list", "--json").stdout)["seeds"]
        wanted = (name, number or "$LATEST")
        seed = next(seed for seed in listed if (seed["function"], seed["version"]) == wanted)
        self.assertEqual(seed["state"], "refused")
        for word in words:
            self.assertIn(word, seed["reason"])

    def many(self, version, count):
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: start(self.daemon, version), range(count)))
        self.assertEqual({(rung, error) for rung, _, error in found}, {("clone", None)})
        return [value for _, value, _ in found]

    def test_first_event_of_the_official_client_is_answered_by_a_clone_whose_hooks_ran(self):
        version = self.published(deploy_ric(self.client, HOOKED, SnapStart=SNAP_START))
        rung, value, error = start(self.daemon, version)
        self.assertEqual((rung, error), ("clone", None))
        self.assertEqual((value["calls"], value["order"]), (1, ["before", "after"]))
        self.assertEqual((value["type"], value["stream"]), ("snap-start", None))

    def test_no_two_clones_of_the_official_client_draw_the_same(self):
        version = self.published(deploy_ric(self.client, HOOKED, SnapStart=SNAP_START))
        values = self.many(version, 16)
        self.assertEqual({value["calls"] for value in values}, {1}, "state of another event was seen")
        self.assertEqual(len({value["id"] for value in values}), 16)
        for generator in values[0]["draws"]:
            drawn = {value["draws"][generator] for value in values}
            self.assertEqual(len(drawn), 16, f"{generator} repeats")

    def test_without_a_hook_pythons_own_generator_repeats(self):
        version = self.published(deploy_ric(self.client, HOOKLESS, SnapStart=SNAP_START))
        values = self.many(version, 6)
        self.assertEqual(len({value["random"] for value in values}), 1, "it is not the hook that keeps clones apart")
        self.assertEqual(len({value["openssl"] for value in values}), 6)

    def test_errors_and_ends_of_clones_are_told_as_before(self):
        version = self.published(deploy_ric(self.client, HOOKED, SnapStart=SNAP_START))
        rung, value, error = start(self.daemon, version, {"fail": True})
        self.assertEqual((rung, value["errorType"], error), ("clone", "LookupError", "Unhandled"))
        rung, value, _ = start(self.daemon, version, {"exit": 7})
        self.assertEqual((rung, value["errorType"]), ("clone", "Runtime.ExitError"))

    def test_failing_hook_of_the_official_client_ends_the_clone_and_is_the_answer(self):
        version = self.published(deploy_ric(self.client, BAD_HOOK, SnapStart=SNAP_START))
        rung, value, error = start(self.daemon, version)
        self.assertEqual((rung, error), ("clone", "Unhandled"))
        self.assertEqual(value["errorType"], "ValueError")
        self.assertIn("no connection", value["errorMessage"])

    def test_what_is_not_published_starts_cold_and_is_not_told_to_be_frozen(self):
        name = deploy_ric(self.client, HOOKED, SnapStart=SNAP_START)
        rung, value, _ = start(self.daemon, name)
        self.assertEqual((rung, value["order"], value["type"]), ("cold", [], "on-demand"))

    def test_small_clients_are_cloned_whether_they_block_or_poll(self):
        for way in ("blocking", "epoll"):
            with self.subTest(way):
                version = self.published(small(self.client, way, SnapStart=SNAP_START))
                values = self.many(version, 8)
                self.assertEqual({(*value["told"], value["calls"]) for value in values}, {(200, 1)})
                self.assertEqual(len({value["random"] for value in values}), 8)

    def test_call_after_the_restore_is_out_of_turn(self):
        version = self.published(small(self.client, SnapStart=SNAP_START))
        self.assertEqual(start(self.daemon, version, {"again": True})[1]["again"], 403)

    def test_clone_streams(self):
        version = self.published(small(self.client, SnapStart=SNAP_START))
        answer = self.client.invoke_with_response_stream(FunctionName=version, Payload=b'{"stream": true}')
        parts = [event["PayloadChunk"]["Payload"] for event in answer["EventStream"] if "PayloadChunk" in event]
        self.assertEqual(json.loads(b"".join(parts))["told"], [200])

    def test_restore_error_of_a_small_client_is_the_answer(self):
        environment = {"Variables": {"FAIL_RESTORE": "1"}}
        version = self.published(small(self.client, SnapStart=SNAP_START, Environment=environment))
        rung, value, error = start(self.daemon, version)
        self.assertEqual((rung, error), ("clone", "Unhandled"))
        self.assertEqual(value, {"errorMessage": "no way back", "errorType": "Small.Lost"})

    def test_client_that_asks_for_events_at_once_starts_cold_and_the_list_says_why(self):
        version, status = publish(self.client, small(self.client, restore=False, SnapStart=SNAP_START))
        self.assertEqual(status, "Off")
        rung, value, error = start(self.daemon, version)
        self.assertEqual((rung, value["told"], error), ("cold", [], None))
        self.refused(version, "restore/next")

    def test_call_of_a_child_process_starts_cold_and_the_list_says_why(self):
        client = SMALL.format(way="blocking", restore=True)
        files = {"bootstrap": (CHILD, 0o755), "client.py": client}
        version, status = publish(self.client, small(self.client, files=files, SnapStart=SNAP_START))
        self.assertEqual(status, "Off")
        rung, value, error = start(self.daemon, version)
        self.assertEqual((rung, value["told"], error), ("cold", [200], None))
        self.refused(version, "another process")


class Used(DaemonTest):
    settings = {"seeds.after_events": 1, "seeds.parked": 0}

    def test_use_alone_makes_no_seed_of_such_a_runtime(self):
        name = small(self.client)
        invoke(self.client, name, {})

        def reason():
            listed = json.loads(self.daemon.cli("seed", "list", "--json").stdout)["seeds"]
            return [seed["reason"] for seed in listed if seed["function"] == name and seed["state"] == "refused"]

        found = eventually(reason)
        self.assertTrue(found, "nothing is known of it")
        self.assertIn("SnapStart", found[0])

    def test_clone_stays_hot(self):
        version, status = publish(self.client, small(self.client, "epoll", SnapStart=SNAP_START))
        self.assertEqual(status, "On")
        # The first one is watched, and ends.
        self.assertEqual(start(self.daemon, version)[0], "clone")
        self.assertTrue(eventually(lambda: start(self.daemon, version)[0] == "hot"))
        self.assertGreater(start(self.daemon, version)[1]["calls"], 1)


class Parked(DaemonTest):
    settings = {"limits.keep_alive_s": 0, "seeds.parked": 1}

    def test_parked_clone_goes_on_when_its_event_comes(self):
        version, status = publish(self.client, deploy_ric(self.client, HOOKED, SnapStart=SNAP_START))
        self.assertEqual(status, "On")
        found = []

        def parked():
            found[:] = start(self.daemon, version)
            return found[0] == "parked"

        self.assertTrue(eventually(parked), found)
        self.assertEqual((found[1]["order"], found[1]["calls"]), (["before", "after"], 1))


class Faults(OwnDaemon):
    def test_killed_daemon_leaves_nothing_and_its_seed_serves_the_next_one(self):
        daemon = self.daemon({"seeds.parked": 0}).start()
        client = daemon.client()
        version, status = publish(client, deploy_ric(client, HOOKED, SnapStart=SNAP_START))
        self.assertEqual(status, "On")
        for _ in range(3):
            start(daemon, version)
        owner = daemon.owner
        mine = set(kernel.below(daemon.pid)) | kernel.in_cgroups(owner)
        client.close()
        daemon.kill9()
        self.assertTrue(eventually(lambda: not mine & set(kernel.processes())), "processes outlive a killed daemon")
        daemon.start()
        rung, value, error = start(daemon, version)
        self.assertEqual((rung, value["order"], error), ("restore", ["before", "after"], None))
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(kernel.left_by(owner), [])


if __name__ == "__main__":
    unittest.main()
