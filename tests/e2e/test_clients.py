"""Clients that are not ours: the AWS command line outside, AWS's runtime client and a bare Runtime API client inside."""

import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import kernel
from daemon import REGION, ROLE, DaemonTest, clean_environment, eventually
from functions import ECHO, deploy, deploy_ric, fresh_name, invoke, zipped

RIC_FUNCTION = """
import os
def handler(event, context):
    if event.get("fail"):
        raise LookupError("from the official client")
    if event.get("exit"):
        os._exit(event["exit"])
    if event.get("size"):
        return "x" * event["size"]
    return {"event": event, "id": context.aws_request_id, "left": context.get_remaining_time_in_millis(),
            "arn": context.invoked_function_arn, "context": context.client_context and context.client_context.custom}
"""

# Speaks the Runtime API by hand: init, then for each event the calls that the event names, whose answers it returns.
RAW_BOOTSTRAP = """#!/usr/bin/python3
import http.client, json, os, socket, time
api = os.environ["AWS_LAMBDA_RUNTIME_API"]
def call(method, path, body=None, headers={}):
    connection = http.client.HTTPConnection(api)
    body = body and body * int(headers.get("X-Repeat", 1))
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, dict((k.lower(), v) for k, v in answer.getheaders()), text.decode()
BASE = "/2018-06-01/runtime"
if os.environ.get("INIT_ERROR"):
    status, _, text = call("POST", BASE + "/init/error", json.dumps({"errorMessage": "cannot", "errorType": "Init.Broken"}),
         {"Lambda-Runtime-Function-Error-Type": "Init.Broken"})
    print("INIT", status, text, flush=True)
    os._exit(1)
while True:
    status, headers, text = call("GET", BASE + "/invocation/next")
    event = json.loads(text)
    request = headers["lambda-runtime-aws-request-id"]
    told = [[status, {k: v for k, v in headers.items() if k.startswith("lambda-")}]]
    for method, path, body, more in event.get("calls", []):
        told.append(call(method, path.replace("ID", request), body, more)[::2])
    if event.get("tell"):
        print("TOLD", told[1:], flush=True)
    if event.get("print"):
        print(event["print"], flush=True)
    if not event.get("answered"):
        call("POST", f"{BASE}/invocation/{request}/response", json.dumps(told))
    for method, path, body, more in event.get("after", []):
        answer = call(method, path.replace("ID", request), body, more)
        print("AFTER", path, answer[0], answer[2], flush=True)
"""

EXTENSION = """#!/usr/bin/python3
import http.client, json, os, sys, time
connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def call(method, path, body=None, headers={}):
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    return answer, answer.read().decode()
answer, text = call("POST", "/2020-01-01/extension/register", json.dumps({"events": ["INVOKE", "SHUTDOWN"]}),
                    {"Lambda-Extension-Name": "watcher.py", "Lambda-Extension-Accept-Feature": "accountId"})
own = answer.headers["Lambda-Extension-Identifier"]
print("EXT registered", answer.status, text, flush=True)
answer, text = call("PUT", "/2022-07-01/telemetry", json.dumps({"schemaVersion": "2022-12-13", "types": ["platform"],
                    "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:8080"}}), {"Lambda-Extension-Identifier": own})
print("EXT telemetry", answer.status, flush=True)
while True:
    answer, text = call("GET", "/2020-01-01/extension/event/next", headers={"Lambda-Extension-Identifier": own})
    print("EXT event", answer.status, text, flush=True)
    if json.loads(text)["eventType"] == "SHUTDOWN":
        # Nothing that a function writes outlives its sandbox, but its process's name can be seen from outside.
        with open("/proc/self/comm", "w") as name:
            name.write(json.loads(text)["shutdownReason"])
        time.sleep(1)
        sys.exit(0)
"""

RUNTIME = "/2018-06-01/runtime"


class CommandLine(DaemonTest):
    """The real `aws` command."""

    def aws(self, *arguments, status=0):
        done = subprocess.run(
            [sys.executable, "-m", "awscli", "lambda", *arguments, "--output", "json"],
            capture_output=True,
            env=clean_environment(
                AWS_ENDPOINT_URL_LAMBDA=self.daemon.url,
                AWS_DEFAULT_REGION=REGION,
                AWS_ACCESS_KEY_ID="any",
                AWS_SECRET_ACCESS_KEY="any",
                AWS_MAX_ATTEMPTS="1",
                AWS_PAGER="",
            ),
            timeout=60,
        )
        self.assertEqual(done.returncode, status, done.stderr)
        return json.loads(done.stdout) if done.stdout.strip() else done.stderr.decode()

    def test_function_is_created_invoked_and_deleted(self):
        name = fresh_name("cli")
        with tempfile.TemporaryDirectory() as place:
            package, out = Path(place) / "f.zip", Path(place) / "out.json"
            package.write_bytes(zipped({"app.py": ECHO}))
            created = self.aws(
                "create-function",
                "--function-name",
                name,
                "--runtime",
                "python3.11",
                "--handler",
                "app.handler",
                "--role",
                ROLE,
                "--zip-file",
                f"fileb://{package}",
                "--timeout",
                "9",
                "--environment",
                "Variables={COLOUR=red}",
            )
            self.assertEqual((created["FunctionName"], created["Timeout"]), (name, 9))
            self.aws("wait", "function-active-v2", "--function-name", name)
            invoked = self.aws(
                "invoke", "--function-name", name, "--payload", '{"name":"Ada"}', "--log-type", "Tail", str(out)
            )
            self.assertEqual((invoked["StatusCode"], json.loads(out.read_text())), (200, {"name": "Ada"}))
            self.assertIn("LogResult", invoked)
            self.aws("update-function-code", "--function-name", name, "--zip-file", f"fileb://{package}", "--publish")
            self.assertIn(name, [function["FunctionName"] for function in self.aws("list-functions")["Functions"]])
            self.aws("delete-function", "--function-name", name)
            self.assertIn("ResourceNotFoundException", self.aws("get-function", "--function-name", name, status=255))


class OfficialRuntimeClient(DaemonTest):
    """`awslambdaric`, unmodified, as runtime provided.al2023."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.name = deploy_ric(cls.client, RIC_FUNCTION)

    def test_event_and_context_arrive_cold_and_hot(self):
        for number in range(3):
            answer = invoke(self.client, self.name, {"n": number}, ClientContext="eyJjdXN0b20iOnsiayI6InYifX0=")
            self.assertIsNone(answer.error, answer)
            found = answer.value
            self.assertEqual(
                (found["event"], found["id"], found["context"]), ({"n": number}, answer.request_id, {"k": "v"})
            )
            self.assertTrue(found["arn"].endswith(f":function:{self.name}"))
            self.assertTrue(0 < found["left"] <= 10_000)

    def test_absent_payload_does_not_trouble_it(self):
        self.assertEqual(invoke(self.client, self.name).value["event"], {})

    def test_error_is_told_as_the_client_describes_it(self):
        answer = invoke(self.client, self.name, {"fail": True})
        self.assertEqual((answer.error, answer.value["errorType"]), ("Unhandled", "LookupError"), answer)
        self.assertEqual(answer.value["errorMessage"], "from the official client")
        self.assertIsNone(invoke(self.client, self.name, {}).error)

    def test_exit_is_told_and_the_next_invocation_works(self):
        answer = invoke(self.client, self.name, {"exit": 7})
        self.assertEqual(answer.value["errorType"], "Runtime.ExitError", answer)
        self.assertIn("exit status 7", answer.value["errorMessage"])
        self.assertIsNone(invoke(self.client, self.name, {}).error)

    def test_large_event_and_response_pass(self):
        answer = invoke(self.client, self.name, {"pad": "y" * (6_000_000), "size": 6_291_556 - 2})
        self.assertIsNone(answer.error, answer)
        self.assertEqual(len(answer.body), 6_291_556)

    def test_response_over_the_limit_is_told(self):
        answer = invoke(self.client, self.name, {"size": 6_291_557})
        self.assertEqual(
            (answer.error, answer.value["errorType"]), ("Unhandled", "Function.ResponseSizeTooLarge"), answer
        )
        # The client takes the 413 for a fault of its own and exits; an invocation that comes meanwhile fails with it.
        self.assertTrue(eventually(lambda: invoke(self.client, self.name, {}).error is None))


class RuntimeApi(DaemonTest):
    """The statuses that runtimes get, by a client that does what it must not."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.name = cls.raw(cls.client)

    @staticmethod
    def raw(client, **more):
        files = {"bootstrap": (RAW_BOOTSTRAP, 0o755)}
        return deploy(client, files=files, Runtime="provided.al2023", Handler="any", Timeout=10, **more)

    def statuses(self, *calls):
        answer = invoke(self.client, self.name, {"calls": list(calls)})
        self.assertIsNone(answer.error, answer)
        return [(status, json.loads(text).get("errorType")) for status, text in answer.value[1:]]

    def log_of(self, name):
        return self.daemon.request("GET", f"/offshoot/v1/functions/{name}/logs")[2].decode()

    def test_next_gives_the_event_with_its_headers(self):
        answer = invoke(self.client, self.name, {})
        status, headers = answer.value[0]
        self.assertEqual((status, headers["lambda-runtime-aws-request-id"]), (200, answer.request_id))
        self.assertTrue(headers["lambda-runtime-invoked-function-arn"].endswith(self.name))
        self.assertGreater(int(headers["lambda-runtime-deadline-ms"]), 1_700_000_000_000)

    def test_wrong_ids_are_400(self):
        self.assertEqual(
            self.statuses(
                ["POST", f"{RUNTIME}/invocation/nobody/response", "{}", {}],
                ["POST", f"{RUNTIME}/invocation/nobody/error", "{}", {}],
                ["POST", f"{RUNTIME}/invocation/00000000-0000-0000-0000-000000000000/response", "{}", {}],
            ),
            [(400, "InvalidRequestID")] * 3,
        )

    def test_calls_out_of_turn_are_403(self):
        self.assertEqual(
            self.statuses(["POST", f"{RUNTIME}/init/error", "{}", {}], ["GET", f"{RUNTIME}/invocation/next", None, {}]),
            [(403, "InvalidStateTransition")] * 2,
        )

    def test_response_twice_is_refused(self):
        name = self.raw(self.client)
        response = ["POST", f"{RUNTIME}/invocation/ID/response", '"first"', {}]
        answer = invoke(self.client, name, {"calls": [response], "answered": True, "after": [response]})
        self.assertEqual(answer.value, "first")
        # What is printed after an answer is read with the next event.
        self.assertIsNone(invoke(self.client, name, {}).error)
        found = [line for line in self.log_of(name).splitlines() if "AFTER" in line]
        self.assertRegex(found[0], r" (403|400) .*(InvalidStateTransition|InvalidRequestID)")

    def test_unknown_mode_and_unknown_route(self):
        found = self.statuses(
            [
                "POST",
                f"{RUNTIME}/invocation/ID/response",
                "{}",
                {"Lambda-Runtime-Function-Response-Mode": "telepathic"},
            ],
            ["GET", f"{RUNTIME}/nothing", None, {}],
        )
        self.assertEqual(found[0], (400, "InvalidFunctionResponseMode"))
        self.assertEqual(found[1][0], 404)

    def test_error_is_answered_with_its_body(self):
        call = [
            "POST",
            f"{RUNTIME}/invocation/ID/error",
            '{"errorMessage": "m", "errorType": "T"}',
            {"Lambda-Runtime-Function-Error-Type": "T"},
        ]
        answer = invoke(self.client, self.name, {"calls": [call], "answered": True})
        self.assertEqual((answer.error, answer.value), ("Unhandled", {"errorMessage": "m", "errorType": "T"}))

    def test_init_error_goes_to_the_waiting_invoke(self):
        name = self.raw(self.client, Environment={"Variables": {"INIT_ERROR": "1"}})
        answer = invoke(self.client, name, {})
        self.assertEqual((answer.error, answer.value["errorType"]), ("Unhandled", "Init.Broken"), answer)

    def test_response_over_the_limit_is_413(self):
        # More than fits into an event: the bootstrap repeats the body.
        call = ["POST", f"{RUNTIME}/invocation/ID/response", "x" * 1_000_000, {"X-Repeat": "7"}]
        name = self.raw(self.client, MemorySize=512)
        answer = invoke(self.client, name, {"calls": [call], "answered": True, "tell": True})
        self.assertEqual(
            (answer.error, answer.value["errorType"]), ("Unhandled", "Function.ResponseSizeTooLarge"), answer
        )
        self.assertIsNone(invoke(self.client, name, {}).error)
        found = [line for line in self.log_of(name).splitlines() if "TOLD" in line]
        self.assertRegex(found[0], r"413.*RequestEntityTooLarge")

    def test_telemetry_is_accepted(self):
        ((status, _),) = self.statuses(["PUT", "/2022-07-01/telemetry", "{}", {}])
        self.assertEqual(status, 202)

    def test_what_it_prints_is_in_the_tail(self):
        answer = invoke(self.client, self.name, {"print": "hello from bootstrap"}, LogType="Tail")
        self.assertIn("hello from bootstrap", answer.tail)

    def test_runtime_in_a_layer_is_found(self):
        layer = self.client.publish_layer_version(
            LayerName=fresh_name("rt"), Content={"ZipFile": zipped({"bootstrap": (RAW_BOOTSTRAP, 0o755)})}
        )
        name = deploy(
            self.client,
            files={"data": "x"},
            Runtime="provided.al2023",
            Handler="any",
            Layers=[layer["LayerVersionArn"]],
        )
        self.assertEqual(invoke(self.client, name, {}).value[0][0], 200)


class Extensions(DaemonTest):
    """An external extension in a layer, beside each kind of runtime."""

    def events(self, lines):
        return [json.loads(line.split(" ", 3)[3]) for line in lines if line.startswith("EXT event 200")]

    def verify(self, **function):
        layer = self.client.publish_layer_version(
            LayerName=fresh_name("ext"), Content={"ZipFile": zipped({"extensions/watcher.py": (EXTENSION, 0o755)})}
        )
        name = deploy(self.client, Layers=[layer["LayerVersionArn"]], Timeout=10, **function)
        answers = []
        for number in range(3):
            answers.append(invoke(self.client, name, {"n": number}))
            self.assertIsNone(answers[-1].error, answers[-1])
            # What an extension prints after an answer is read with the next event.
            time.sleep(0.3)
        found = self.lines(name)
        self.assertTrue(found[0].startswith("EXT registered 200"), found)
        registered = json.loads(found[0].split(" ", 3)[3])
        self.assertEqual((registered["functionName"], registered["functionVersion"]), (name, "$LATEST"))
        self.assertIn("accountId", registered)
        self.assertEqual(found[1], "EXT telemetry 202")
        events = self.events(found)
        self.assertEqual([event["eventType"] for event in events], ["INVOKE"] * len(events))
        ids = [answer.request_id for answer in answers]
        # From the very first on: init ends when the extension has asked for its first event.
        self.assertEqual([event["requestId"] for event in events], ids[: len(events)])
        self.assertGreaterEqual(len(events), 2)
        # A new configuration ends the instance, and with it the extension.
        update = {"FunctionName": name, "Description": "new"}
        updating = threading.Thread(target=self.client.update_function_configuration, kwargs=update)
        updating.start()
        self.addCleanup(updating.join)
        told = lambda: "spindown" in kernel.below(self.daemon.pid).values()
        self.assertTrue(eventually(told, 3, 0.02), "the extension was not told to shut down")
        self.assertTrue(eventually(lambda: not told(), 5), "the extension outlives its sandbox")

    def lines(self, name):
        text = self.daemon.request("GET", f"/offshoot/v1/functions/{name}/logs")[2].decode()
        return [line[line.index("EXT ") :] for line in text.splitlines() if "EXT " in line]

    def test_extension_beside_our_runtime(self):
        self.verify(source=ECHO)

    def test_extension_beside_a_runtime_of_its_own(self):
        self.verify(files={"bootstrap": (RAW_BOOTSTRAP, 0o755)}, Runtime="provided.al2023", Handler="any")
