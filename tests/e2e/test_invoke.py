"""Invoke as boto3 and browsers do it: synchronous, dry, with log, streamed, by function URL."""

import base64
import http.client
import json
import time

from daemon import ACCOUNT, REGION, DaemonTest
from functions import ECHO, NODE_ECHO, PROBE, deploy, deploy_node, invoke, probe

SIX_MIB = 6 << 20

STREAMING = """
exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {
    stream.setContentType("text/plain");
    for (const part of event.parts || ["one ", "two ", "three"]) {
        stream.write(part);
        await new Promise((resolve) => setTimeout(resolve, event.pause_ms || 0));
    }
    if (event.fail) throw new TypeError("in the middle");
    stream.end();
});
"""

URL_FUNCTION = """
import json
def handler(event, context):
    http = event["requestContext"]["http"]
    body = {"method": http["method"], "path": event["rawPath"], "query": event["rawQueryString"],
            "body": event.get("body"), "base64": event["isBase64Encoded"], "version": event["version"],
            "custom": event["headers"].get("x-custom"), "cookies": event.get("cookies")}
    return {"statusCode": 201, "headers": {"X-From": "function", "Content-Type": "application/json"},
            "cookies": ["a=1", "b=2"], "body": json.dumps(body)}
"""

URL_STREAM = """
exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {
    stream = awslambda.HttpResponseStream.from(stream, {statusCode: 418, headers: {"X-From": "stream"}});
    stream.write("first,");
    await new Promise((resolve) => setTimeout(resolve, 400));
    stream.write("second");
    stream.end();
});
"""


class RequestResponse(DaemonTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.echo = deploy(cls.client, ECHO)
        cls.node = deploy_node(cls.client, NODE_ECHO)
        cls.probe_name = deploy(cls.client, PROBE, Environment={"Variables": {"COLOUR": "grün"}}, MemorySize=256)

    def test_python_function_answers(self):
        answer = invoke(self.client, self.echo, {"name": "Ada", "list": [1, None, "ü"]})
        self.assertEqual((answer.status, answer.error, answer.version), (200, None, "$LATEST"))
        self.assertEqual(answer.value, {"name": "Ada", "list": [1, None, "ü"]})
        self.assertRegex(answer.request_id, r"^[0-9a-f-]{36}$")

    def test_node_function_answers(self):
        answer = invoke(self.client, self.node, {"name": "Ada", "list": [1, None, "ü"]})
        self.assertEqual((answer.status, answer.error), (200, None))
        self.assertEqual(answer.value, {"name": "Ada", "list": [1, None, "ü"]})

    def test_second_invocation_is_hot_and_stages_say_so(self):
        name = deploy(self.client, ECHO)
        path = f"/2015-03-31/functions/{name}/invocations"
        starts = []
        for _ in range(2):
            status, headers, _ = self.daemon.request("POST", path, b"{}", {"X-Offshoot-Stages": "1"})
            self.assertEqual(status, 200)
            starts.append(headers["X-Offshoot-Start"])
            stages = dict(pair.split("=") for pair in headers["X-Offshoot-Stages"].split(";"))
        self.assertIn(starts[0], ("cold", "level1"))
        self.assertEqual(starts[1], "hot")
        wanted = {"queue", "restore", "sandbox", "fork", "runtime_init", "user_init", "handler", "response"}
        self.assertEqual(set(stages), wanted)
        self.assertTrue(all(int(us) >= 0 for us in stages.values()))
        self.assertEqual(stages["sandbox"], "0")

    def test_stages_are_not_told_to_those_who_do_not_ask(self):
        self.assertNotIn("x-offshoot-stages", invoke(self.client, self.echo, {}).headers)

    def test_absent_payload_is_an_empty_object(self):
        self.assertEqual(invoke(self.client, self.echo).value, {})
        self.assertEqual(invoke(self.client, self.node).value, {})

    def test_any_json_is_an_event(self):
        for event in (None, 0, "text", [], [1], True, 1.5):
            answer = invoke(self.client, self.echo, Payload=json.dumps(event))
            self.assertEqual(answer.body, json.dumps(event).encode())

    def test_tail_has_start_output_end_and_report(self):
        answer = invoke(self.client, self.probe_name, {"code": "print('hello log')"}, LogType="Tail")
        lines = answer.tail.splitlines()
        self.assertRegex(lines[0], rf"^START RequestId: {answer.request_id} Version: \$LATEST$")
        self.assertIn("hello log", lines)
        self.assertIn(f"END RequestId: {answer.request_id}", lines)
        self.assertRegex(
            lines[-1],
            rf"^REPORT RequestId: {answer.request_id}\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms"
            r"\tMemory Size: 256 MB\tMax Memory Used: \d+ MB",
        )

    def test_tail_is_the_last_4_kb(self):
        answer = invoke(self.client, self.probe_name, {"code": "print('x' * 100000)"}, LogType="Tail")
        self.assertLessEqual(len(answer.tail), 4096)
        self.assertIn("REPORT RequestId", answer.tail)

    def test_dry_run_answers_204_and_runs_nothing(self):
        answer = invoke(self.client, self.probe_name, {"code": "1/0"}, InvocationType="DryRun")
        self.assertEqual((answer.status, answer.body, answer.error), (204, b"", None))

    def test_version_alias_and_arn_name_the_same_function(self):
        self.client.update_function_configuration(FunctionName=self.echo, Description="for a version")
        version = self.client.publish_version(FunctionName=self.echo)["Version"]
        self.client.create_alias(FunctionName=self.echo, Name="live", FunctionVersion=version)
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.echo}"
        for name, qualifier in [
            (self.echo, version),
            (self.echo, "live"),
            (f"{self.echo}:live", None),
            (f"{self.echo}:{version}", None),
            (f"{arn}:live", None),
            (f"{ACCOUNT}:function:{self.echo}", version),
            (arn, "live"),
            (f"{arn}:{version}", version),
        ]:
            more = {"Qualifier": qualifier} if qualifier else {}
            answer = invoke(self.client, name, {"a": 1}, **more)
            self.assertEqual((answer.version, answer.value), (version, {"a": 1}), f"{name} {qualifier}")
        self.assertEqual(invoke(self.client, arn, {"a": 1}).version, "$LATEST")

    def test_client_context_reaches_the_handler(self):
        context = {"custom": {"k": "v"}, "env": {"locale": "de"}, "client": {"app_title": "t"}}
        encoded = base64.b64encode(json.dumps(context).encode()).decode()
        code = "c = context.client_context; result = [c.custom, c.env, c.client.app_title]"
        answer = invoke(self.client, self.probe_name, {"code": code}, ClientContext=encoded)
        self.assertEqual(answer.value, [{"k": "v"}, {"locale": "de"}, "t"])

    def test_context_tells_about_the_function(self):
        code = """
        result = {"name": context.function_name, "version": context.function_version,
                  "memory": context.memory_limit_in_mb, "arn": context.invoked_function_arn,
                  "id": context.aws_request_id, "left": context.get_remaining_time_in_millis(),
                  "group": context.log_group_name, "stream": context.log_stream_name}
        """
        found = probe(self.client, self.probe_name, code)
        self.assertEqual((found["name"], found["version"], found["memory"]), (self.probe_name, "$LATEST", "256"))
        self.assertEqual(found["arn"], f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.probe_name}")
        self.assertTrue(0 < found["left"] <= 3000, found["left"])
        self.assertEqual(found["group"], f"/aws/lambda/{self.probe_name}")
        self.assertTrue(found["stream"])

    def test_environment_is_the_functions_and_lambdas(self):
        found = probe(self.client, self.probe_name, "result = dict(os.environ)")
        wanted = {
            "COLOUR": "grün",
            "AWS_LAMBDA_FUNCTION_NAME": self.probe_name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "_HANDLER": "app.handler",
            "LAMBDA_TASK_ROOT": "/var/task",
            "AWS_REGION": REGION,
            "TZ": ":UTC",
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.11",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        }
        self.assertEqual({key: found.get(key) for key in wanted}, wanted)
        self.assertEqual([key for key in found if key.startswith("OFFSHOOT") and key != "OFFSHOOT_CHANNEL_FD"], [])

    def test_tmp_is_writable_and_nothing_else(self):
        code = """
        result = {}
        for folder in ("/tmp", "/var/task", "/opt", "/", "/etc", "/usr", "/var", "/var/runtime", "/root", "/home", "/dev", "/proc"):
            try:
                with open(folder + "/offshoot-e2e", "w") as file:
                    file.write("x")
                result[folder] = True
            except OSError as error:
                result[folder] = False
        """
        found = probe(self.client, self.probe_name, code)
        self.assertEqual([folder for folder, writable in found.items() if writable], ["/tmp"])

    def test_payload_and_response_of_6_mib(self):
        event = {"data": "x" * (SIX_MIB - 12)}
        text = json.dumps(event, separators=(",", ":"))
        self.assertLessEqual(len(text), SIX_MIB)
        for name in (self.echo, self.node):
            answer = invoke(self.client, name, Payload=text)
            self.assertIsNone(answer.error, answer)
            self.assertEqual(answer.value, event)


class Streams(DaemonTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.streaming = deploy_node(cls.client, STREAMING, Timeout=5)

    def stream(self, name, event, **more):
        response = self.client.invoke_with_response_stream(FunctionName=name, Payload=json.dumps(event), **more)
        parts, complete, times = [], None, []
        for item in response["EventStream"]:
            if "PayloadChunk" in item:
                parts.append(item["PayloadChunk"]["Payload"])
                times.append(time.monotonic())
            else:
                complete = item["InvokeComplete"]
        return parts, complete, times

    def test_parts_arrive_in_order_and_the_end_is_told(self):
        parts, complete, _ = self.stream(self.streaming, {}, LogType="Tail")
        self.assertEqual(b"".join(parts), b"one two three")
        self.assertNotIn("ErrorCode", {key for key, value in complete.items() if value})
        self.assertIn(b"REPORT RequestId", base64.b64decode(complete["LogResult"]))

    def test_parts_arrive_when_they_are_written(self):
        _, _, times = self.stream(self.streaming, {"parts": ["a", "b", "c"], "pause_ms": 200})
        self.assertEqual(len(times), 3)
        self.assertGreater(times[2] - times[0], 0.3)

    def test_failure_in_the_middle_is_told_at_the_end(self):
        parts, complete, _ = self.stream(self.streaming, {"fail": True})
        self.assertEqual(b"".join(parts), b"one two three")
        self.assertIn("TypeError", complete["ErrorCode"] + complete["ErrorDetails"])

    def test_long_streams_are_whole(self):
        part = "0123456789abcdef" * 4096
        parts, complete, _ = self.stream(self.streaming, {"parts": [part] * 64})
        self.assertEqual(b"".join(parts), part.encode() * 64)

    def test_buffered_function_can_be_streamed(self):
        name = deploy(self.client, ECHO)
        parts, complete, _ = self.stream(name, {"a": 1})
        self.assertEqual(json.loads(b"".join(parts)), {"a": 1})

    def test_streaming_function_can_be_invoked_as_a_whole(self):
        self.assertEqual(invoke(self.client, self.streaming, {}).body, b"one two three")

    def test_failure_before_the_first_part_is_told(self):
        name = deploy(self.client, "def handler(event, context):\n    raise ValueError('early')")
        parts, complete, _ = self.stream(name, {})
        self.assertIn("ValueError", complete["ErrorCode"])
        self.assertIn("early", complete["ErrorDetails"])


class FunctionUrls(DaemonTest):
    def url_of(self, name, **more):
        config = self.client.create_function_url_config(FunctionName=name, AuthType="NONE", **more)
        self.client.add_permission(
            FunctionName=name,
            StatementId="url",
            Action="lambda:InvokeFunctionUrl",
            Principal="*",
            FunctionUrlAuthType="NONE",
        )
        url = config["FunctionUrl"]
        self.assertTrue(url.startswith("http://") and url.endswith("/"), url)
        return url.removeprefix("http://").removesuffix("/")

    def test_request_becomes_an_event_and_the_answer_a_response(self):
        host = self.url_of(deploy(self.client, URL_FUNCTION))
        self.assertTrue(host.endswith(f":{self.daemon.port}"), host)
        headers = {"X-Custom": "yes", "Cookie": "c=3; d=4"}
        status, answer, body = self.daemon.request("GET", "/a/b?x=1&y=%20", headers=headers, host=host)
        self.assertEqual((status, answer["X-From"]), (201, "function"))
        self.assertEqual(answer.get_all("Set-Cookie"), ["a=1", "b=2"])
        self.assertEqual(
            json.loads(body),
            {
                "method": "GET",
                "path": "/a/b",
                "query": "x=1&y=%20",
                "body": None,
                "base64": False,
                "version": "2.0",
                "custom": "yes",
                "cookies": ["c=3", "d=4"],
            },
        )

    def test_posted_text_and_bytes_reach_the_function(self):
        host = self.url_of(deploy(self.client, URL_FUNCTION))
        _, _, body = self.daemon.request("POST", "/", b'{"a": 1}', {"Content-Type": "application/json"}, host)
        found = json.loads(body)
        self.assertEqual((found["method"], found["body"], found["base64"]), ("POST", '{"a": 1}', False))
        _, _, body = self.daemon.request("POST", "/", b"\x00\xff", {"Content-Type": "application/octet-stream"}, host)
        found = json.loads(body)
        self.assertTrue(found["base64"])
        self.assertEqual(base64.b64decode(found["body"]), b"\x00\xff")

    def test_plain_answer_is_the_body(self):
        host = self.url_of(deploy(self.client, "def handler(event, context):\n    return {'hello': 'url'}"))
        status, headers, body = self.daemon.request("GET", "/", host=host)
        self.assertEqual((status, json.loads(body)), (200, {"hello": "url"}))
        self.assertIn("application/json", headers["Content-Type"])

    def test_failed_function_is_502_and_tells_nothing(self):
        host = self.url_of(deploy(self.client, "def handler(event, context):\n    raise ValueError('secret')"))
        status, _, body = self.daemon.request("GET", "/", host=host)
        self.assertEqual(status, 502)
        self.assertNotIn(b"secret", body)

    def test_streamed_url_sends_its_head_and_each_part_at_once(self):
        host = self.url_of(deploy_node(self.client, URL_STREAM), InvokeMode="RESPONSE_STREAM")
        connection = http.client.HTTPConnection(self.daemon.address, timeout=30)
        self.addCleanup(connection.close)
        connection.request("GET", "/", headers={"Host": host})
        response = connection.getresponse()
        self.assertEqual((response.status, response.headers["X-From"]), (418, "stream"))
        first = response.read1(100)
        begun = time.monotonic()
        rest = response.read()
        self.assertEqual(first + rest, b"first,second")
        self.assertGreater(time.monotonic() - begun, 0.2)

    def test_unknown_url_is_404(self):
        status, _, _ = self.daemon.request("GET", "/", host=f"nobody.lambda-url.{REGION}.localhost")
        self.assertEqual(status, 404)
