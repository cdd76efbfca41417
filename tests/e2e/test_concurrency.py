"""Several events in one instance, as the function's configuration says."""

import json
import re
import threading

from botocore.exceptions import ClientError

from daemon import DaemonTest, eventually
from functions import NODE_ECHO, deploy, deploy_node, invoke
from test_seeds import start, until

PROVIDER = "arn:aws:lambda:us-east-1:000000000000:capacity-provider:any"

# Each instance gives itself a name, clones included; an event tells how many were in it while it was.
MEETING = """
let instance;
let inside = 0;
let most = 0;
const meetings = {};

async function meet(event) {
    const met = (meetings[event.meet] ??= { there: 0, goes: [] });
    met.there += 1;
    if (met.there >= event.all) met.goes.forEach((go) => go());
    else await new Promise((go) => met.goes.push(go));
}

exports.handler = async (event, context) => {
    console.log(`begin ${event.tag}`);
    instance ??= require('node:crypto').randomUUID();
    inside += 1;
    most = Math.max(most, inside);
    try {
        if (event.meet) await meet(event);
        await new Promise((go) => setTimeout(go, event.wait_ms ?? 0));
        if (event.fail) throw new RangeError(event.tag);
        if (event.exit) process.exit(3);
        if (event.loose) setTimeout(() => { throw new TypeError('loose'); }, 1);
        if (event.hang || event.loose) await new Promise(() => {});
        console.log(`end ${event.tag}`);
        return { instance, most, tag: event.tag, id: context.awsRequestId, stream: context.logStreamName };
    } finally {
        inside -= 1;
    }
};
"""

STREAM = """
let inside = 0;
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
    inside += 1;
    while (inside < event.all) await new Promise((go) => setTimeout(go, 5));
    for (let part = 0; part < 20; part += 1) {
        stream.write(`${event.tag}.${part} `);
        await new Promise((go) => setImmediate(go));
    }
    stream.end();
});
"""


def at_once(concurrency):
    config = {"CapacityProviderArn": PROVIDER, "PerExecutionEnvironmentMaxConcurrency": concurrency}
    return {"CapacityProviderConfig": {"LambdaManagedInstancesCapacityProviderConfig": config}}


class Crowd(DaemonTest):
    """What the tests of several events share."""

    def deploy(self, concurrency=8, source=MEETING, **more):
        return deploy_node(self.client, source, **{"Timeout": 20, **at_once(concurrency), **more})

    def invoke_all(self, name, events, **more):
        """All at once; their answers in the order of the events."""
        answers = [None] * len(events)

        def run(at):
            answers[at] = invoke(self.daemon.client(), name, events[at], **more)

        threads = [threading.Thread(target=run, args=[at]) for at in range(len(events))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers

    def meeting(self, name, count, **more):
        """So many events that are all in hand at the same time: each waits for all others."""
        return self.invoke_all(name, [{"meet": "m", "all": count, "tag": at} for at in range(count)], **more)

    def assert_one_instance(self, answers):
        self.assertEqual([answer.error for answer in answers], [None] * len(answers), answers)
        self.assertEqual(len({answer.value["instance"] for answer in answers}), 1, answers)
        self.assertEqual([answer.value["tag"] for answer in answers], list(range(len(answers))))


class Concurrency(Crowd):
    settings = {"events.retry_backoff_s": "1,1"}

    def log(self, name):
        return self.daemon.request("GET", f"/offshoot/v1/functions/{name}/logs?bytes=1000000")[2].decode()

    def test_eight_events_at_once_are_in_one_instance(self):
        name = self.deploy()
        # They could not all meet anywhere else.
        answers = self.meeting(name, 8)
        self.assert_one_instance(answers)
        self.assertEqual(max(answer.value["most"] for answer in answers), 8)
        self.assertEqual(len({answer.request_id for answer in answers}), 8)
        for answer in answers:
            self.assertEqual(answer.value["id"], answer.request_id)

    def test_no_more_than_configured_are_in_one(self):
        name = self.deploy(concurrency=2)
        answers = self.invoke_all(name, [{"tag": at, "wait_ms": 300} for at in range(6)])
        self.assertEqual([answer.error for answer in answers], [None] * 6)
        self.assertLessEqual(max(answer.value["most"] for answer in answers), 2)
        self.assertGreaterEqual(len({answer.value["instance"] for answer in answers}), 3)

    def test_without_the_setting_each_event_has_an_instance_of_its_own(self):
        name = deploy_node(self.client, MEETING, Timeout=20)
        answers = self.invoke_all(name, [{"tag": at, "wait_ms": 300} for at in range(3)])
        self.assertEqual({answer.value["most"] for answer in answers}, {1})
        self.assertEqual(len({answer.value["instance"] for answer in answers}), 3)

    def test_log_has_every_request_with_its_lines(self):
        name = self.deploy()
        answers = self.meeting(name, 8)
        log = eventually(lambda: (lambda text: text if text.count("REPORT RequestId") == 8 else None)(self.log(name)))
        self.assertTrue(log, self.log(name))
        for answer in answers:
            of = [line for line in log.splitlines() if answer.request_id in line]
            texts = [line.split("\t", 2)[2] for line in of]
            self.assertEqual(len(texts), 5, texts)
            self.assertTrue(texts[0].startswith("START RequestId: "), texts)
            self.assertTrue(texts[1].endswith(f"INFO\tbegin {answer.value['tag']}"), texts)
            self.assertTrue(texts[2].endswith(f"INFO\tend {answer.value['tag']}"), texts)
            self.assertTrue(texts[3].startswith("END RequestId: "), texts)
            self.assertRegex(texts[4], r"^REPORT RequestId: .*Duration: .*Max Memory Used: \d+ MB")
        self.assertEqual(len(re.findall(r"Init Duration", log)), 1, "one of them is the first")

    def test_tail_has_the_lines_of_its_request(self):
        name = self.deploy()
        for at, answer in enumerate(self.meeting(name, 4, LogType="Tail")):
            self.assertIn(f"begin {at}", answer.tail)
            self.assertIn(f"REPORT RequestId: {answer.request_id}", answer.tail)
            for other in set(range(4)) - {at}:
                self.assertNotIn(f"begin {other}", answer.tail)

    def test_handler_that_throws_fails_its_own_event(self):
        name = self.deploy()
        events = [{"meet": "m", "all": 4, "tag": at, "fail": at == 2} for at in range(4)]
        answers = self.invoke_all(name, events)
        self.assertEqual([answer.error for answer in answers], [None, None, "Unhandled", None])
        self.assertEqual((answers[2].value["errorType"], answers[2].value["errorMessage"]), ("RangeError", "2"))
        again = invoke(self.client, name, {"tag": 0})
        self.assertEqual(again.value["instance"], answers[0].value["instance"], "it goes on")

    def test_event_that_times_out_is_answered_and_its_instance_drained(self):
        name = self.deploy(Timeout=2)
        invoke(self.client, name, {"tag": "warm"})
        events = [{"meet": "m", "all": 3, "tag": at, "hang": at == 0} for at in range(3)]
        late = {"tag": 3, "wait_ms": 1500}
        answers = [None]

        def run_late():
            answers[0] = invoke(self.daemon.client(), name, late)

        # It comes when the others are in the instance, and is still there when one of them times out.
        thread = threading.Timer(1.0, run_late)
        thread.start()
        first = self.invoke_all(name, events)
        thread.join()
        self.assertEqual(first[0].value["errorType"], "Sandbox.Timedout", first)
        self.assertIn(first[0].request_id, first[0].value["errorMessage"])
        self.assertEqual([answer.error for answer in first[1:]], [None, None])
        self.assertIsNone(answers[0].error, "the others go on")
        self.assertEqual(answers[0].value["instance"], first[1].value["instance"])
        after = invoke(self.client, name, {"tag": 4})
        self.assertNotEqual(after.value["instance"], first[1].value["instance"], "it takes no more")

    def test_dying_instance_answers_each_of_its_callers(self):
        name = self.deploy()
        events = [{"meet": "m", "all": 4, "tag": at, "exit": at == 1, "hang": at != 1} for at in range(4)]
        answers = self.invoke_all(name, events)
        for answer in answers:
            self.assertEqual((answer.status, answer.error), (200, "Unhandled"))
            self.assertEqual(answer.value["errorType"], "Runtime.ExitError")
            self.assertIn(f"RequestId: {answer.request_id} Error: Runtime exited with error: exit status 3", answer.value["errorMessage"])
        self.assertIsNone(invoke(self.client, name, {"tag": 0}).error)

    def test_uncaught_error_is_told_to_its_event_and_ends_the_others(self):
        name = self.deploy()
        events = [{"meet": "m", "all": 3, "tag": at, "loose": at == 1, "hang": at != 1} for at in range(3)]
        kinds = [answer.value["errorType"] for answer in self.invoke_all(name, events)]
        self.assertEqual(kinds, ["Runtime.ExitError", "TypeError", "Runtime.ExitError"])

    def test_asynchronous_events_of_a_dying_instance_are_tried_again(self):
        name = self.deploy()
        # The hanging one is in hand when the other one ends the process; both are asynchronous.
        for tag, more in (("hangs", {"hang": True}), ("exits", {"exit": True, "wait_ms": 300})):
            self.assertEqual(invoke(self.client, name, {"meet": tag, "all": 1, "tag": tag, **more}, InvocationType="Event").status, 202)
        begun = lambda tag: self.log(name).count(f"begin {tag}")
        self.assertTrue(eventually(lambda: begun("hangs") >= 2 and begun("exits") == 3, 20), self.log(name))

    def test_streams_of_several_callers_are_their_own(self):
        name = self.deploy(source=STREAM)
        parts = [None] * 3

        def run(at):
            payload = json.dumps({"tag": f"t{at}", "all": 3})
            response = self.daemon.client().invoke_with_response_stream(FunctionName=name, Payload=payload)
            chunks = [part["PayloadChunk"]["Payload"] for part in response["EventStream"] if "PayloadChunk" in part]
            parts[at] = b"".join(chunks).decode()

        threads = [threading.Thread(target=run, args=[at]) for at in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(parts, ["".join(f"t{at}.{part} " for part in range(20)) for at in range(3)])

    def test_reserved_concurrency_counts_events(self):
        name = self.deploy()
        self.client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=2)
        client = self.daemon.client()
        refused = []

        def run(at):
            try:
                invoke(client, name, {"tag": at, "wait_ms": 2000})
            except ClientError as error:
                refused.append(error.response["Error"]["Code"])

        held = [threading.Thread(target=run, args=[at]) for at in range(4)]
        for thread in held:
            thread.start()
        for thread in held:
            thread.join()
        self.assertEqual(refused, ["TooManyRequestsException"] * 2)

    def test_large_events_and_answers_are_whole(self):
        name = self.deploy(source=NODE_ECHO)
        events = [{"text": str(at) * 2_000_000} for at in range(4)]
        answers = self.invoke_all(name, events)
        self.assertEqual([answer.value for answer in answers], events)


class Clones(Crowd):
    # Every instance ends with its last event, and the first one has the seed made.
    settings = {"limits.keep_alive_s": 0, "seeds.after_events": 1, "seeds.parked": 0}

    def test_clone_has_several_events_from_its_first_one_on(self):
        name = self.deploy()
        until(self.daemon, name, "clone")
        instances = set()
        for _ in range(3):
            answers = self.meeting(name, 8)
            self.assert_one_instance(answers)
            instances.add(answers[0].value["stream"])
        self.assertEqual(len(instances), 3, "each was a clone of its own")

    def test_hook_that_fails_is_told_to_each_event_and_none_is_lost(self):
        hook = "awslambda.registerAfterRestore(() => { throw new RangeError('no connection'); });"
        name = self.deploy(source=hook + MEETING)
        # Until there is a seed, no hook runs.
        self.assertTrue(eventually(lambda: start(self.daemon, name)[2] is not None, 20), self.daemon.log())
        for answer in self.invoke_all(name, [{"tag": at} for at in range(4)]):
            self.assertEqual(answer.value["errorType"], "RangeError", answer)


class Parked(Crowd):
    settings = {"limits.keep_alive_s": 0, "seeds.after_events": 1, "seeds.parked": 1}

    def test_parked_clone_has_several_events(self):
        name = self.deploy()
        until(self.daemon, name, "parked")
        parked = lambda: json.loads(self.daemon.cli("explain", name, "--json").stdout)["parked"]
        self.assertTrue(eventually(lambda: parked() == 1))
        self.assert_one_instance(self.meeting(name, 8))


class Configuration(DaemonTest):
    def refusal(self, call, **arguments):
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        error = caught.exception.response["Error"]
        return error["Code"], error["Message"]

    def test_setting_is_shown_and_changed(self):
        name = deploy_node(self.client, NODE_ECHO, **at_once(8))
        shown = lambda: self.client.get_function_configuration(FunctionName=name)["CapacityProviderConfig"]
        self.assertEqual(shown(), at_once(8)["CapacityProviderConfig"])
        self.client.update_function_configuration(FunctionName=name, Timeout=5)
        self.assertEqual(shown(), at_once(8)["CapacityProviderConfig"], "what is not named stays")
        self.client.update_function_configuration(FunctionName=name, **at_once(1))
        self.assertEqual(shown(), at_once(1)["CapacityProviderConfig"])
        self.assertEqual(invoke(self.client, name, {"a": 1}).value, {"a": 1})

    def test_runtimes_that_handle_one_event_at_a_time_are_refused(self):
        for runtime in ("python3.11", "provided.al2023"):
            code, message = self.refusal(deploy, client=self.client, Runtime=runtime, **at_once(2))
            self.assertEqual(code, "InvalidParameterValueException")
            self.assertIn(runtime, message)
        name = deploy(self.client, **at_once(1))
        code, _ = self.refusal(self.client.update_function_configuration, FunctionName=name, **at_once(2))
        self.assertEqual(code, "InvalidParameterValueException")

    def test_a_function_with_the_setting_keeps_to_its_runtime(self):
        name = deploy_node(self.client, NODE_ECHO, **at_once(2))
        code, _ = self.refusal(self.client.update_function_configuration, FunctionName=name, Runtime="python3.11")
        self.assertEqual(code, "InvalidParameterValueException")

    def test_more_than_64_is_refused(self):
        code, message = self.refusal(deploy_node, client=self.client, **at_once(65))
        self.assertEqual(code, "ValidationException")
        self.assertIn("less than or equal to 64", message)

    def test_what_else_a_capacity_provider_decides_is_refused(self):
        config = at_once(8)
        inner = config["CapacityProviderConfig"]["LambdaManagedInstancesCapacityProviderConfig"]
        inner["ExecutionEnvironmentMemoryGiBPerVCpu"] = 4.0
        code, message = self.refusal(deploy_node, client=self.client, **config)
        self.assertEqual(code, "InvalidParameterValueException")
        self.assertIn("ExecutionEnvironmentMemoryGiBPerVCpu", message)

