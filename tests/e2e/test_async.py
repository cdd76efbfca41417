"""Asynchronous events: accepted durably, retried with the same id, given up into dead letters or a destination."""

import json
import time

from daemon import ACCOUNT, REGION, DaemonTest, eventually
from functions import deploy, invoke

# A function has no place that outlives it, so that it tells what it did by printing: its log is durable.
RECORDER = """
import json
def handler(event, context):
    print("SEEN " + json.dumps({"id": context.aws_request_id, "event": event}), flush=True)
    if event.get("fail"):
        raise ValueError("as told")
    return {"ran": True}
"""

SHORT_BACKOFF = {"events.retry_backoff_s": "1,1"}


def arn_of(name):
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


def seen(daemon, name):
    """What the RECORDER `name` says that it got, oldest first."""
    status, _, text = daemon.request("GET", f"/offshoot/v1/functions/{name}/logs?bytes=1000000")
    if status != 200:
        return []
    found = [line.partition("SEEN ")[2] for line in text.decode().splitlines()]
    return [json.loads(line) for line in found if line]


def send(client, name, event):
    answer = invoke(client, name, event, InvocationType="Event")
    assert (answer.status, answer.body) == (202, b""), answer
    return answer.request_id


def depth(daemon):
    return json.loads(daemon.request("GET", "/offshoot/v1/events")[2])


def letters(daemon, name):
    return json.loads(daemon.request("GET", f"/offshoot/v1/events/dead?function={name}")[2])["letters"]


class Events(DaemonTest):
    settings = SHORT_BACKOFF

    def wait_seen(self, name, count, limit_s=10):
        found = eventually(lambda: (lambda now: now if len(now) >= count else None)(seen(self.daemon, name)), limit_s)
        self.assertTrue(found, f"not {count} runs: {seen(self.daemon, name)}")
        return found

    def wait_letter(self, name, limit_s=10):
        found = eventually(lambda: letters(self.daemon, name), limit_s)
        self.assertTrue(found, "no dead letter")
        return found

    def test_event_is_accepted_and_runs_once(self):
        name = deploy(self.client, RECORDER)
        request_id = send(self.client, name, {"a": 1})
        self.assertEqual(self.wait_seen(name, 1), [{"id": request_id, "event": {"a": 1}}])
        time.sleep(0.3)
        self.assertEqual(len(seen(self.daemon, name)), 1)
        self.assertEqual(letters(self.daemon, name), [])

    def test_absent_payload_is_an_empty_object(self):
        name = deploy(self.client, RECORDER)
        self.client.invoke(FunctionName=name, InvocationType="Event")
        self.assertEqual(self.wait_seen(name, 1)[0]["event"], {})

    def test_many_events_run_once_each(self):
        name = deploy(self.client, RECORDER)
        ids = [send(self.client, name, {"n": number}) for number in range(60)]
        found = self.wait_seen(name, 60)
        self.assertEqual(sorted(run["id"] for run in found), sorted(ids))
        self.assertEqual(sorted(run["event"]["n"] for run in found), list(range(60)))

    def test_failed_event_is_retried_twice_with_its_id_and_then_buried(self):
        name = deploy(self.client, RECORDER)
        begun = time.monotonic()
        request_id = send(self.client, name, {"fail": True})
        letter = self.wait_letter(name)[0]
        self.assertGreater(time.monotonic() - begun, 1.8)
        self.assertEqual([run["id"] for run in seen(self.daemon, name)], [request_id] * 3)
        self.assertEqual((letter["requestId"], letter["function"], letter["attempt"]), (request_id, name, 3))
        self.assertIn("ValueError", letter["lastError"])

    def test_configured_number_of_retries_is_kept(self):
        name = deploy(self.client, RECORDER)
        self.client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
        send(self.client, name, {"fail": True})
        self.wait_letter(name)
        self.assertEqual(len(seen(self.daemon, name)), 1)

    def test_dead_letters_are_listed_and_redriven_by_the_command_line(self):
        name = deploy(self.client, RECORDER)
        self.client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
        request_id = send(self.client, name, {"fail": True})
        self.wait_letter(name)
        listed = self.daemon.cli("events", "list", "--function", name, "--json")
        self.assertEqual(listed.returncode, 0, listed.stderr)
        found = json.loads(listed.stdout)
        found = found["letters"] if isinstance(found, dict) else found
        self.assertEqual([letter["requestId"] for letter in found], [request_id])
        redriven = self.daemon.cli("events", "redrive", str(found[0]["id"]))
        self.assertEqual(redriven.returncode, 0, redriven.stderr)
        runs = self.wait_seen(name, 2)
        self.assertEqual([run["id"] for run in runs], [request_id] * 2)
        self.wait_letter(name)
        purged = self.daemon.cli("events", "purge", "--function", name, "--yes")
        self.assertEqual(purged.returncode, 0, purged.stderr)
        self.assertEqual(letters(self.daemon, name), [])

    def test_dead_letters_are_redriven_by_the_page(self):
        name = deploy(self.client, RECORDER)
        self.client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
        send(self.client, name, {"fail": True})
        self.wait_letter(name)
        self.assertGreaterEqual(depth(self.daemon)["dead"], 1)
        status, _, body = self.daemon.request("POST", "/offshoot/v1/events/redrive", json.dumps({"function": name}))
        self.assertEqual((status, json.loads(body)), (200, {"redriven": 1}))
        self.wait_seen(name, 2)

    def test_letters_of_other_functions_stay_where_they_are(self):
        one, other = (deploy(self.client, RECORDER) for _ in range(2))
        for name in (one, other):
            self.client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
            send(self.client, name, {"fail": True})
            self.wait_letter(name)
        purge = self.daemon.request("POST", "/offshoot/v1/events/purge", json.dumps({"function": one}))
        self.assertEqual(json.loads(purge[2]), {"purged": 1})
        self.assertEqual((len(letters(self.daemon, one)), len(letters(self.daemon, other))), (0, 1))

    def test_failure_destination_gets_the_record(self):
        target, name = deploy(self.client, RECORDER), deploy(self.client, RECORDER)
        self.client.put_function_event_invoke_config(
            FunctionName=name, MaximumRetryAttempts=1, DestinationConfig={"OnFailure": {"Destination": arn_of(target)}}
        )
        request_id = send(self.client, name, {"fail": True, "a": 1})
        record = self.wait_seen(target, 1)[0]["event"]
        context = record["requestContext"]
        self.assertEqual((context["requestId"], context["condition"]), (request_id, "RetriesExhausted"))
        self.assertEqual(context["approximateInvokeCount"], 2)
        self.assertTrue(context["functionArn"].startswith(arn_of(name)))
        self.assertEqual(record["requestPayload"], {"fail": True, "a": 1})
        self.assertEqual(record["responseContext"]["functionError"], "Unhandled")
        self.assertEqual(record["responsePayload"]["errorType"], "ValueError")
        self.assertEqual(letters(self.daemon, name), [])

    def test_success_destination_gets_the_record(self):
        target, name = deploy(self.client, RECORDER), deploy(self.client, RECORDER)
        self.client.put_function_event_invoke_config(
            FunctionName=name, DestinationConfig={"OnSuccess": {"Destination": arn_of(target)}}
        )
        send(self.client, name, {"a": 1})
        record = self.wait_seen(target, 1)[0]["event"]
        self.assertEqual(record["requestContext"]["condition"], "Success")
        self.assertEqual(record["responsePayload"], {"ran": True})

    def test_throttled_event_runs_later(self):
        name = deploy(self.client, RECORDER)
        self.client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
        request_id = send(self.client, name, {"late": True})
        time.sleep(0.5)
        self.assertEqual(seen(self.daemon, name), [])
        self.client.delete_function_concurrency(FunctionName=name)
        self.assertEqual([run["id"] for run in self.wait_seen(name, 1)], [request_id])

    def test_event_of_a_deleted_function_ends_as_a_letter(self):
        name = deploy(self.client, RECORDER)
        self.client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
        send(self.client, name, {"a": 1})
        self.client.delete_function(FunctionName=name)
        self.wait_letter(name)

    def test_event_follows_the_alias_that_was_named(self):
        name = deploy(self.client, RECORDER, Publish=True)
        self.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
        invoke(self.client, name, {"via": "alias"}, InvocationType="Event", Qualifier="live")
        self.assertEqual(self.wait_seen(name, 1)[0]["event"], {"via": "alias"})


class Killed(DaemonTest):
    settings = SHORT_BACKOFF

    def kill(self):
        type(self).client.close()
        self.daemon.kill9()
        self.daemon.start()
        type(self).client = self.daemon.client()

    def test_accepted_event_runs_after_the_daemon_was_killed(self):
        name = deploy(self.client, RECORDER)
        # Not runnable before the end, so that it is certain that nobody ran it.
        self.client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
        ids = [send(self.client, name, {"n": number}) for number in range(20)]
        self.kill()
        self.assertEqual(seen(self.daemon, name), [])
        self.client.delete_function_concurrency(FunctionName=name)
        eventually(lambda: len(seen(self.daemon, name)) >= 20, 15)
        self.assertEqual(sorted(run["id"] for run in seen(self.daemon, name)), sorted(ids))

    def test_running_event_runs_again_after_the_daemon_was_killed(self):
        source = RECORDER + "\n    # sleeps once it has told\n"
        source = source.replace("    if event", "    import time; time.sleep(event.get('s', 0))\n    if event")
        name = deploy(self.client, source, Timeout=10)
        request_id = send(self.client, name, {"s": 1})
        self.assertTrue(eventually(lambda: seen(self.daemon, name)))
        self.kill()
        self.assertTrue(eventually(lambda: len(seen(self.daemon, name)) >= 2), seen(self.daemon, name))
        self.assertEqual({run["id"] for run in seen(self.daemon, name)}, {request_id})
        # Done for good: neither queued nor buried.
        self.assertTrue(eventually(lambda: depth(self.daemon) == {"waiting": 0, "claimed": 0, "dead": 0}))
