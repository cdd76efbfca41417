"""The Node bootstrap, driven over its channel with small handlers."""

import json
import time

import driver
from cases import BIG, Case
from driver import ERROR, STREAM_BEGIN, STREAM_END, STREAM_ERROR


class Node(Case):
    runtime = "nodejs20.x"

    def function(self, source, env=None, name="index.js"):
        return self.start({name: source}, "index.handler", env)

    def test_missing_module_is_an_import_error(self):
        error = self.init_error({}, "nowhere.f")
        self.assertEqual(error["errorType"], "Runtime.ImportModuleError")
        self.assertTrue(error["errorMessage"].startswith("Error: Cannot find module 'nowhere'\nRequire stack:\n- "))
        self.assertTrue(error["trace"][0].startswith("Runtime.ImportModuleError: Error: Cannot find module"))

    def test_missing_dependency_is_an_import_error(self):
        error = self.init_error({"index.js": "require('left-pad')"}, "index.handler")
        self.assertEqual(error["errorType"], "Runtime.ImportModuleError")
        self.assertRegex(error["errorMessage"], r"^Error: Cannot find module 'left-pad'\nRequire stack:\n- .*/index\.js\n")

    def test_missing_dependency_of_an_es_module_is_its_own_error(self):
        error = self.init_error({"index.mjs": "import 'left-pad'"}, "index.handler")
        self.assertEqual(error["errorType"], "Error")
        self.assertIn("Cannot find package 'left-pad'", error["errorMessage"])

    def test_missing_export_is_handler_not_found(self):
        self.assert_faulty(
            self.init_error({"index.js": ""}, "index.handler"),
            "Runtime.HandlerNotFound",
            "index.handler is undefined or not exported",
        )
        self.assert_faulty(
            self.init_error({"index.js": "exports.handler = 1"}, "index.handler"),
            "Runtime.HandlerNotFound",
            "index.handler is not a function",
        )

    def test_malformed_handlers_are_refused(self):
        self.assert_faulty(self.init_error({}, "index"), "Runtime.MalformedHandlerName", "Bad handler")
        self.assertEqual(self.init_error({}, "../index.f")["errorType"], "Runtime.MalformedHandlerName")

    def test_syntax_errors_are_named(self):
        for name in ("index.js", "index.mjs", "index.cjs"):
            error = self.init_error({name: "export const handler = ;"}, "index.handler")
            self.assertEqual(error["errorType"], "Runtime.UserCodeSyntaxError", name)
            self.assertTrue(error["errorMessage"].startswith("SyntaxError: "), error)

    def test_exception_at_load_is_an_init_error_with_its_trace(self):
        error = self.init_error({"index.js": "throw new RangeError('early')"}, "index.handler")
        self.assert_faulty(error, "RangeError", "early")
        self.assertIn("index.js", error["trace"][1])

    def test_rejection_at_load_is_an_init_error(self):
        source = "Promise.reject(new Error('lost')); exports.handler = async () => 1"
        runtime = self.start({"index.js": source}, "index.handler", ready=False)
        self.assert_faulty(runtime.receive().json(), "Runtime.UnhandledPromiseRejection", "Error: lost")
        self.assertEqual(runtime.exit_status(), 1)

    def test_modules_of_every_kind_load(self):
        esm = "export const handler = async (event) => ({ echo: event })"
        cjs = "exports.handler = async (event) => ({ echo: event })"
        module = json.dumps({"type": "module"})
        for files in (
            {"index.js": cjs},
            {"index.cjs": cjs},
            {"index.mjs": esm},
            {"index.js": esm, "package.json": module},
            {"index.js": cjs, "package.json": "{}"},
        ):
            runtime = self.start(files, "index.handler")
            self.assertEqual(self.answer(runtime.invoke([1])), {"echo": [1]}, list(files))

    def test_nested_exports_and_folders_are_found(self):
        source = "exports.a = { b: { handler: async () => 'nested' } }"
        runtime = self.start({"deep/er/app.js": source}, "deep/er/app.a.b.handler")
        self.assertEqual(self.answer(runtime.invoke({})), "nested")

    def test_module_path_holds_layers_and_task_root(self):
        runtime = self.function("exports.handler = async () => process.env.NODE_PATH")
        paths = self.answer(runtime.invoke({})).split(":")
        self.assertEqual(paths[:2], ["/opt/nodejs/node20/node_modules", "/opt/nodejs/node_modules"])
        own = self.start(
            {"src/index.js": "exports.handler = async () => require('shared')", "shared.js": "module.exports = 5"},
            "src/index.handler",
        )
        self.assertEqual(self.answer(own.invoke({})), 5)

    def test_async_errors_have_type_message_and_trace(self):
        runtime = self.function(
            "class Own extends Error { constructor(m) { super(m); this.name = 'Own'; this.extra = 1 } }\n"
            "exports.handler = async () => { throw new Own('broken') }"
        )
        error = self.answer(runtime.invoke({}, requestId="id-9"), ERROR)
        self.assert_faulty(error, "Own", "broken")
        self.assertIn("index.js:2", error["trace"][1])
        self.assertRegex(
            runtime.log(), r'^[-\d]+T[:.\d]+Z\tid-9\tERROR\tInvoke Error \t{"errorType":"Own","errorMessage":"broken","name":"Own","extra":1,'
        )
        self.assertEqual(self.answer(runtime.invoke({}), ERROR)["errorType"], "Own", "it serves on")

    def test_thrown_values_that_are_no_errors_are_reported(self):
        for thrown, kind, message in (("'text'", "string", "text"), ("undefined", "string", "handled"), ("7", "number", "7")):
            runtime = self.function(f"exports.handler = async () => {{ throw {thrown} }}")
            self.assert_faulty(self.answer(runtime.invoke({}), ERROR), kind, message)

    def test_synchronous_errors_are_reported(self):
        runtime = self.function("exports.handler = () => { null.x }")
        self.assertEqual(self.answer(runtime.invoke({}), ERROR)["errorType"], "TypeError")

    def test_broken_event_is_a_syntax_error(self):
        runtime = self.function("exports.handler = async (event) => event")
        self.assertEqual(self.answer(runtime.invoke(raw=b"{"), ERROR)["errorType"], "SyntaxError")
        self.assertEqual(self.answer(runtime.invoke(raw=b"")), {})

    def test_unserialisable_result_is_an_error(self):
        runtime = self.function("exports.handler = async () => { const a = {}; a.a = a; return a }")
        self.assertEqual(self.answer(runtime.invoke({}), ERROR)["errorMessage"], "Unable to stringify response body")

    def test_undefined_result_is_null(self):
        self.assertEqual(self.function("exports.handler = async () => {}").invoke({}).body, b"null")

    def test_callback_answers_when_the_loop_is_empty(self):
        runtime = self.function(
            "let late = 0; exports.handler = (event, context, callback) => {\n"
            "  setTimeout(() => { late++; console.log('late') }, 50); callback(null, late) }"
        )
        self.assertEqual(self.answer(runtime.invoke({})), 0)
        self.assertIn("late", runtime.log())
        self.assertEqual(self.answer(runtime.invoke({})), 1)

    def test_callback_answers_at_once_when_told_so(self):
        runtime = self.function(
            "exports.handler = (event, context, callback) => {\n"
            "  context.callbackWaitsForEmptyEventLoop = false; setTimeout(() => console.log('late'), 30_000); callback(null, 1) }"
        )
        started = time.monotonic()
        self.assertEqual([self.answer(runtime.invoke({})) for _ in range(2)], [1, 1])
        self.assertLess(time.monotonic() - started, 5)

    def test_callback_errors_and_second_calls(self):
        runtime = self.function("exports.handler = (event, context, callback) => { callback(new Error('no')); callback(null, 1) }")
        self.assert_faulty(self.answer(runtime.invoke({}), ERROR), "Error", "no")
        self.assert_faulty(self.answer(runtime.invoke({}), ERROR), "Error", "no")

    def test_context_done_succeed_and_fail(self):
        runtime = self.function("exports.handler = (event, context) => { context[event.how](...event.with) }")
        self.assertEqual(self.answer(runtime.invoke({"how": "succeed", "with": [1]})), 1)
        self.assertEqual(self.answer(runtime.invoke({"how": "done", "with": [None, 2]})), 2)
        self.assert_faulty(self.answer(runtime.invoke({"how": "fail", "with": ["x"]}), ERROR), "string", "x")
        self.assert_faulty(self.answer(runtime.invoke({"how": "done", "with": ["y"]}), ERROR), "string", "y")

    def test_forgotten_callback_is_null(self):
        self.assertIsNone(self.answer(self.function("exports.handler = () => {}").invoke({})))

    def test_promise_never_settled_is_an_error(self):
        runtime = self.function("exports.handler = async () => { await new Promise(() => {}) }")
        self.assertEqual(self.answer(runtime.invoke({}), ERROR)["errorType"], "Runtime.NodeJsExit")
        self.assertEqual(self.answer(runtime.invoke({}), ERROR)["errorType"], "Runtime.NodeJsExit")

    def test_timers_and_handles_run_during_the_invocation(self):
        runtime = self.function(
            "const net = require('node:net');\n"
            "exports.handler = async () => { const server = net.createServer((s) => s.end('hi')).listen(0, '127.0.0.1');\n"
            "  await new Promise((r) => server.once('listening', r));\n"
            "  const text = await new Promise((r) => net.connect(server.address().port, '127.0.0.1').on('data', (d) => r(String(d))));\n"
            "  server.close(); await new Promise((r) => setTimeout(r, 20)); return text }"
        )
        self.assertEqual([self.answer(runtime.invoke({})) for _ in range(2)], ["hi", "hi"])

    def test_open_interval_does_not_delay_later_invocations(self):
        runtime = self.function("setInterval(() => {}, 5); exports.handler = async (event) => event")
        self.assertEqual([self.answer(runtime.invoke(n)) for n in range(20)], list(range(20)))

    def test_unhandled_rejection_answers_and_ends_the_process(self):
        runtime = self.function(
            "exports.handler = async () => { Promise.reject(new Error('lost')); await new Promise((r) => setTimeout(r, 5000)) }"
        )
        error = self.answer(runtime.invoke({}), ERROR)
        self.assert_faulty(error, "Runtime.UnhandledPromiseRejection", "Error: lost")
        self.assertEqual(runtime.exit_status(), 128)
        self.assertIn("\tERROR\tUnhandled Promise Rejection \t", runtime.log())

    def test_uncaught_exception_answers_and_ends_the_process(self):
        runtime = self.function(
            "exports.handler = async () => { setTimeout(() => { throw new TypeError('loose') }, 1);"
            " await new Promise((r) => setTimeout(r, 5000)) }"
        )
        self.assert_faulty(self.answer(runtime.invoke({}), ERROR), "TypeError", "loose")
        self.assertEqual(runtime.exit_status(), 129)

    def test_exception_after_the_answer_sends_nothing_more(self):
        runtime = self.function("exports.handler = async () => { setImmediate(() => { throw new Error('late') }); return 1 }")
        self.assertEqual(self.answer(runtime.invoke({})), 1)
        with self.assertRaises((EOFError, ConnectionError)):
            runtime.receive()
        self.assertEqual(runtime.exit_status(), 129)

    def test_context_has_lambdas_fields(self):
        runtime = self.function(
            "exports.handler = async (event, c) => [c.functionName, c.functionVersion, c.invokedFunctionArn, c.memoryLimitInMB,"
            " c.awsRequestId, c.logGroupName, c.logStreamName, c.getRemainingTimeInMillis(), c.clientContext, c.identity,"
            " c.callbackWaitsForEmptyEventLoop, process.env._X_AMZN_TRACE_ID]"
        )
        client, identity = {"custom": {"k": 1}}, {"cognitoIdentityId": "i"}
        *fields, remaining_ms, got_client, got_identity, waits, trace = self.answer(
            runtime.invoke(
                {},
                requestId="id-7",
                deadlineMs=int(time.time() * 1000) + 5_000,
                clientContext=json.dumps(client),
                cognitoIdentity=json.dumps(identity),
                traceId="Root=1",
            )
        )
        self.assertEqual(fields, ["tested", "$LATEST", driver.ARN, "256", "id-7", "/aws/lambda/tested", "stream"])
        self.assertTrue(3_000 < remaining_ms <= 5_000, remaining_ms)
        self.assertEqual((got_client, got_identity, waits, trace), (client, identity, True, "Root=1"))
        self.assertIsNone(self.answer(runtime.invoke({}))[-1])
        self.assertEqual(self.answer(runtime.invoke({}, clientContext="{"), ERROR)["errorType"], "Error")

    def test_console_lines_have_lambdas_format(self):
        runtime = self.function(
            "console.log('init'); exports.handler = async () => { console.log('a\\nb %d', 1, { x: 1 }); console.error('c') }"
        )
        runtime.invoke({}, requestId="id-3")
        lines = [line.split("\t") for line in runtime.log().split("\n")[:-1]]
        self.assertEqual(
            [line[1:] for line in lines],
            [["undefined", "INFO", "init"], ["id-3", "INFO", "a\rb 1 { x: 1 }"], ["id-3", "ERROR", "c"]],
        )
        self.assertRegex(lines[0][0], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")

    def test_json_console_is_one_object_per_line(self):
        runtime = self.function(
            "exports.handler = async () => { console.debug('hidden'); console.info({ a: 1 }); throw new RangeError('b') }",
            env={"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"},
        )
        runtime.invoke({}, requestId="id-4")
        first, second = map(json.loads, runtime.log().splitlines())
        self.assertEqual((first["level"], first["message"], first["requestId"]), ("INFO", {"a": 1}, "id-4"))
        self.assertEqual((second["level"], second["message"]["errorType"]), ("ERROR", "RangeError"))

    def test_everything_printed_precedes_the_answer(self):
        runtime = self.function(
            "exports.handler = async () => { process.stdout.write('one '); console.log('two'); process.stderr.write('three\\n') }"
        )
        for count in range(1, 4):
            runtime.invoke({})
            self.assertEqual([runtime.log().count(word) for word in ("one", "two", "three")], [count] * 3)

    def test_big_payloads_pass_both_ways(self):
        event = {"text": "é" * (BIG // 2)}
        body = self.function("exports.handler = async (event) => event").invoke(raw=json.dumps(event, ensure_ascii=False).encode()).body
        self.assertEqual(json.loads(body), event)

    def test_streamed_chunks_arrive_joined_and_bounded(self):
        runtime = self.function(
            "exports.handler = awslambda.streamifyResponse(async (event, stream) => {\n"
            "  stream.setContentType('text/plain'); stream.write('a'); stream.write(Buffer.alloc(3_000_000, 'b'));\n"
            "  stream.write({ c: 1 }); stream.end('d') })"
        )
        for _ in range(2):
            first, data, last = runtime.stream({})
            self.assertEqual((first.kind, first.meta, last.kind), (STREAM_BEGIN, {"contentType": "text/plain"}, STREAM_END))
            self.assertEqual(data, b"a" + b"b" * 3_000_000 + b'{"c":1}d')

    def test_pipeline_into_the_response_stream(self):
        runtime = self.function(
            "import { pipeline } from 'node:stream/promises'; import { Readable } from 'node:stream';\n"
            "export const handler = awslambda.streamifyResponse(async (event, stream) => {\n"
            "  await pipeline(Readable.from(['x', 'y', 'z'.repeat(100_000)]), stream) }, { highWaterMark: 1024 })",
            name="index.mjs",
        )
        first, data, last = runtime.stream({})
        self.assertEqual((first.meta["contentType"], data, last.kind), ("application/octet-stream", b"xy" + b"z" * 100_000, STREAM_END))

    def test_http_prelude_ends_with_eight_nul_bytes(self):
        source = (
            "exports.handler = awslambda.streamifyResponse(async (event, stream) => {\n"
            "  stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201 });\n"
            "  if (event.body) stream.write(event.body); stream.end() })"
        )
        runtime = self.function(source)
        for body in ("hello", ""):
            first, data, last = runtime.stream({"body": body})
            self.assertEqual(first.meta["contentType"], "application/vnd.awslambda.http-integration-response")
            self.assertEqual((data, last.kind), (b'{"statusCode":201}' + bytes(8) + body.encode(), STREAM_END))

    def test_error_before_the_first_chunk_is_a_plain_error(self):
        runtime = self.function("exports.handler = awslambda.streamifyResponse(async () => { throw new Error('early') })")
        self.assert_faulty(self.answer(runtime.invoke({}), ERROR), "Error", "early")

    def test_error_in_the_stream_ends_it(self):
        runtime = self.function(
            "exports.handler = awslambda.streamifyResponse(async (event, stream) => { stream.write('a'); throw new RangeError('mid') })"
        )
        for _ in range(2):
            first, data, last = runtime.stream({})
            self.assertEqual((first.kind, data, last.kind, last.meta), (STREAM_BEGIN, b"a", STREAM_ERROR, {"errorType": "RangeError"}))
            self.assert_faulty(last.json(), "RangeError", "mid")

    def test_stream_never_ended_is_an_error(self):
        runtime = self.function("exports.handler = awslambda.streamifyResponse(async (event, stream) => { stream.write('a') })")
        _, _, last = runtime.stream({})
        self.assert_faulty(last.json(), "Runtime.InvalidStreamingOperation", "Response stream is not finished.")

    def test_process_exit_is_the_status_of_the_process(self):
        runtime = self.function("exports.handler = async () => { console.log('bye'); process.exit(7) }")
        with self.assertRaises(EOFError):
            runtime.invoke({})
        self.assertEqual(runtime.exit_status(), 7)
        self.assertIn("bye", runtime.log())

    def test_end_of_file_ends_the_process(self):
        runtime = self.function("setInterval(() => {}, 1000); exports.handler = async () => 1")
        runtime.invoke({})
        runtime.channel.close()
        self.assertEqual(runtime.exit_status(), 0)

    def test_node_gone_with_answers_unread_ends_the_process_quietly(self):
        self.assert_ends_with_unread_answers(self.function("exports.handler = async () => 'x'.repeat(4_000_000)"))

    def test_child_of_user_code_does_not_hold_the_channel(self):
        runtime = self.function(
            "const { spawn } = require('node:child_process');\n"
            "exports.handler = async () => { spawn('sleep', ['2'], { detached: true, stdio: 'ignore' }).unref() }"
        )
        runtime.invoke({})
        runtime.process.kill()
        runtime.channel.settimeout(1)
        self.assertEqual(runtime.channel.recv(1), b"")

    def test_frame_of_another_kind_ends_the_process(self):
        runtime = self.function("exports.handler = async () => 1")
        runtime.channel.sendall(driver.HEADER.pack(99, 1, 0, 0, 0))
        self.assertEqual(runtime.exit_status(), 1)

    def test_frame_in_pieces_is_one_frame(self):
        runtime = self.function("exports.handler = async (event) => event")
        meta = json.dumps({"requestId": "id", "deadlineMs": 1}).encode()
        frame = driver.HEADER.pack(driver.INVOKE, 1, 0, len(meta), 2) + meta + b"42"
        for at in range(len(frame)):
            runtime.channel.sendall(frame[at : at + 1])
            time.sleep(0.0005)
        self.assertEqual(self.answer(runtime.receive()), 42)
