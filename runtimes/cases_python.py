"""The Python bootstrap, driven over its channel with small handlers."""

import json
import tempfile
import time

import driver
from cases import BIG, Case
from driver import ERROR


class Python(Case):
    runtime = "python3.11"

    def function(self, body, env=None):
        indented = "\n".join("    " + line for line in body.splitlines())
        return self.start({"app.py": f"def handler(event, context):\n{indented}\n"}, "app.handler", env)

    def test_missing_module_is_an_import_error(self):
        self.assert_faulty(
            self.init_error({}, "nowhere.f"),
            "Runtime.ImportModuleError",
            "Unable to import module 'nowhere': No module named 'nowhere'",
        )

    def test_missing_dependency_is_an_import_error(self):
        self.assert_faulty(
            self.init_error({"app.py": "import not_there"}, "app.f"),
            "Runtime.ImportModuleError",
            "Unable to import module 'app': No module named 'not_there'",
        )

    def test_missing_function_is_handler_not_found(self):
        error = self.init_error({"app.py": ""}, "app.f")
        self.assert_faulty(error, "Runtime.HandlerNotFound", "Handler 'f' missing on module 'app'")
        self.assertEqual((error["requestId"], error["stackTrace"]), ("", []))

    def test_handler_without_dot_is_malformed(self):
        self.assert_faulty(
            self.init_error({"app.py": ""}, "app"),
            "Runtime.MalformedHandlerName",
            "Bad handler 'app': not enough values to unpack (expected 2, got 1)",
        )

    def test_builtin_module_is_refused(self):
        self.assertEqual(self.init_error({}, "sys.exit")["errorType"], "Runtime.BuiltInModuleConflict")

    def test_syntax_error_names_file_and_line(self):
        error = self.init_error({"app.py": "def f(:\n"}, "app.f")
        self.assertEqual(error["errorType"], "Runtime.UserCodeSyntaxError")
        self.assertTrue(error["errorMessage"].startswith("Syntax error in module 'app': invalid syntax (app.py, line 1"))
        self.assertIn("app.py", error["stackTrace"][0])

    def test_exception_at_import_is_an_init_error_with_its_trace(self):
        error = self.init_error({"app.py": "raise KeyError('secret')"}, "app.f")
        self.assert_faulty(error, "KeyError", "'secret'")
        self.assertIn("app.py", error["stackTrace"][0])

    def test_exit_at_import_ends_the_process_without_a_frame(self):
        runtime = self.start({"app.py": "import sys\nsys.exit(3)"}, "app.f", ready=False)
        with self.assertRaises(EOFError):
            runtime.receive()
        self.assertEqual(runtime.exit_status(), 3)

    def test_user_exception_has_type_message_trace_and_request(self):
        runtime = self.start(
            {"app.py": "class Own(Exception): pass\ndef inner(): raise Own('broken')\ndef handler(e, c): inner()\n"},
            "app.handler",
        )
        error = self.answer(runtime.invoke({}, requestId="id-9"), ERROR)
        self.assert_faulty(error, "Own", "broken")
        self.assertEqual(error["requestId"], "id-9")
        self.assertEqual(len(error["stackTrace"]), 2)
        self.assertIn("app.py\", line 3, in handler", error["stackTrace"][0])
        self.assertIn("[ERROR] Own: broken\nTraceback (most recent call last):\n\u00a0\u00a0File ", runtime.log())
        self.assertEqual(self.answer(runtime.invoke({}), ERROR)["errorType"], "Own", "it serves on")

    def test_unprintable_exception_still_answers(self):
        runtime = self.start(
            {"app.py": "class Own(Exception):\n  def __str__(self): raise ValueError\ndef handler(e, c): raise Own\n"},
            "app.handler",
        )
        self.assertEqual(self.answer(runtime.invoke({}), ERROR)["errorType"], "Own")

    def test_unserialisable_results_are_marshal_errors(self):
        for result, name in (("{1}", "set"), ("(x for x in ())", "generator"), ("object()", "object")):
            error = self.answer(self.function(f"return {result}").invoke({}), ERROR)
            self.assert_faulty(
                error, "Runtime.MarshalError", f"Unable to marshal response: Object of type {name} is not JSON serializable"
            )

    def test_async_handler_is_a_marshal_error(self):
        runtime = self.start({"app.py": "async def handler(e, c): pass\n"}, "app.handler")
        self.assertIn("Object of type coroutine", self.answer(runtime.invoke({}), ERROR)["errorMessage"])

    def test_broken_event_is_an_unmarshal_error(self):
        runtime = self.function("return event")
        for raw in (b"{", b"\xff", b"1 2"):
            error = self.answer(runtime.invoke(raw=raw), ERROR)
            self.assertEqual(error["errorType"], "Runtime.UnmarshalError")
            self.assertTrue(error["errorMessage"].startswith("Unable to unmarshal input: "))

    def test_empty_event_is_an_empty_object(self):
        self.assertEqual(self.answer(self.function("return event").invoke(raw=b"")), {})

    def test_results_are_encoded_as_lambda_does(self):
        cases = {
            "'ü€'": '"ü€"'.encode(),
            "b'raw \\xff'": b"raw \xff",
            "{'b': b'x'}": b'{"b": "x"}',
            "'\\ud800'": b'"\\ud800"',
            "None": b"null",
            "float('nan')": b"NaN",
        }
        for expression, expected in cases.items():
            self.assertEqual(self.function(f"return {expression}").invoke({}).body, expected)

    def test_decimals_keep_every_digit(self):
        runtime = self.function(
            "from decimal import Decimal as D\nreturn [D('0.10'), {'a': D('1e400'), 'b': 'x'}, D('NaN'), b'y']"
        )
        self.assertEqual(runtime.invoke({}).body, b'[0.10, {"a": 1E+400, "b": "x"}, NaN, "y"]')

    def test_context_has_lambdas_fields(self):
        runtime = self.function(
            "return [context.function_name, context.function_version, context.invoked_function_arn,"
            " context.memory_limit_in_mb, context.aws_request_id, context.log_group_name, context.log_stream_name,"
            " context.get_remaining_time_in_millis(), context.client_context, context.identity.cognito_identity_id,"
            " context.tenant_id]"
        )
        *fields, remaining_ms, client, cognito, tenant = self.answer(
            runtime.invoke({}, requestId="id-7", deadlineMs=int(time.time() * 1000) + 5_000, tenantId="blue")
        )
        self.assertEqual(
            fields, ["tested", "$LATEST", driver.ARN, "256", "id-7", "/aws/lambda/tested", "stream"]
        )
        self.assertTrue(3_000 < remaining_ms <= 5_000, remaining_ms)
        self.assertEqual((client, cognito, tenant), (None, None, "blue"))
        self.assertEqual(self.answer(runtime.invoke({}, deadlineMs=1))[-4], 0)

    def test_client_context_and_identity_are_objects(self):
        runtime = self.function(
            "c = context.client_context\n"
            "return [c.custom, c.env, c.client.app_title, c.client.installation_id,"
            " context.identity.cognito_identity_id, context.identity.cognito_identity_pool_id]"
        )
        client = json.dumps({"custom": {"k": 1}, "env": {"e": 2}, "client": {"app_title": "t"}})
        identity = json.dumps({"cognitoIdentityId": "i", "cognitoIdentityPoolId": "p"})
        self.assertEqual(
            self.answer(runtime.invoke({}, clientContext=client, cognitoIdentity=identity)),
            [{"k": 1}, {"e": 2}, "t", None, "i", "p"],
        )
        error = self.answer(runtime.invoke({}, clientContext="{"), ERROR)
        self.assertEqual(error["errorType"], "Runtime.LambdaContextUnmarshalError")

    def test_trace_id_is_in_the_environment_of_its_invocation_only(self):
        runtime = self.function("import os\nreturn os.environ.get('_X_AMZN_TRACE_ID')")
        answers = [self.answer(runtime.invoke({}, **meta)) for meta in ({"traceId": "Root=1"}, {}, {"traceId": "Root=2"})]
        self.assertEqual(answers, ["Root=1", None, "Root=2"])

    def test_everything_printed_precedes_the_answer(self):
        runtime = self.function("import sys\nprint('out', end='')\nsys.stderr.write('err')\nreturn event")
        for count in range(1, 4):
            runtime.invoke({})
            self.assertEqual((runtime.log().count("out"), runtime.log().count("err")), (count, count))

    def test_closed_output_does_not_fail_the_invocation(self):
        runtime = self.function("import sys\nsys.stdout.close()\nreturn 1")
        self.assertEqual(self.answer(runtime.invoke({})), 1)

    def test_logging_has_lambdas_format_and_level(self):
        runtime = self.function("import logging\nlogging.info('hidden')\nlogging.getLogger('x').warning('seen %d', 1)")
        runtime.invoke({}, requestId="id-3")
        self.assertRegex(runtime.log(), r"^\[WARNING\]\t\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\tid-3\tseen 1\n$")

    def test_json_logging_is_one_object_per_line(self):
        runtime = self.function(
            "import logging\nlogging.getLogger().info('a', extra={'own': 1})\nraise ValueError('b')",
            env={"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"},
        )
        runtime.invoke({}, requestId="id-4")
        first, second = map(json.loads, runtime.log().splitlines())
        self.assertEqual((first["level"], first["message"], first["requestId"], first["own"]), ("INFO", "a", "id-4", 1))
        self.assertEqual((second["level"], second["errorType"], second["errorMessage"]), ("ERROR", "ValueError", "b"))

    def test_logging_is_not_imported_for_those_who_do_not_use_it(self):
        runtime = self.function("import sys\nreturn [m for m in ('logging', 'traceback', 'inspect') if m in sys.modules]")
        self.assertEqual(self.answer(runtime.invoke({})), [])

    def test_context_log_writes_a_line(self):
        runtime = self.function("context.log('plain')")
        runtime.invoke({})
        self.assertEqual(runtime.log(), "plain\n")

    def test_handlers_in_folders_are_found_both_ways(self):
        for handler in ("deep/er/app.handler", "deep.er.app.handler"):
            runtime = self.start({"deep/er/app.py": "def handler(e, c): return 'deep'\n"}, handler)
            self.assertEqual(self.answer(runtime.invoke({})), "deep")

    def test_module_path_is_lambdas_and_hides_the_bootstrap(self):
        runtime = self.function("import sys\nreturn sys.path[:3] + [any('runtimes/python' in p for p in sys.path)]")
        root, *layers, own = self.answer(runtime.invoke({}))
        self.assertTrue(root.startswith(tempfile.gettempdir()))
        self.assertEqual(layers, ["/opt/python/lib/python3.11/site-packages", "/opt/python"])
        self.assertFalse(own)

    def test_module_called_bootstrap_belongs_to_the_user(self):
        runtime = self.start({"bootstrap.py": "def handler(e, c): return 'mine'\n"}, "bootstrap.handler")
        self.assertEqual(self.answer(runtime.invoke({})), "mine")

    def test_big_payloads_pass_both_ways(self):
        event = {"text": "é" * (BIG // 2)}
        body = self.function("return event").invoke(raw=json.dumps(event, ensure_ascii=False).encode()).body
        self.assertEqual(json.loads(body), event)

    def test_exit_in_the_handler_is_the_status_of_the_process(self):
        runtime = self.function("import sys\nprint('bye', end='')\nsys.exit(7)")
        with self.assertRaises(EOFError):
            runtime.invoke({})
        self.assertEqual((runtime.exit_status(), runtime.log()), (7, "bye"))

    def test_end_of_file_ends_the_process_despite_user_threads(self):
        runtime = self.function("import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()")
        runtime.invoke({})
        runtime.channel.close()
        self.assertEqual(runtime.exit_status(), 0)

    def test_node_gone_with_answers_unread_ends_the_process_quietly(self):
        self.assert_ends_with_unread_answers(self.function("return 'x' * 4_000_000"))

    def test_frame_of_another_kind_ends_the_process(self):
        runtime = self.function("return 1")
        runtime.channel.sendall(driver.HEADER.pack(99, 1, 0, 0, 0))
        self.assertEqual(runtime.exit_status(), 1)

    def test_frame_in_pieces_is_one_frame(self):
        runtime = self.function("return event")
        meta = json.dumps({"requestId": "id", "deadlineMs": 1}).encode()
        frame = driver.HEADER.pack(driver.INVOKE, 1, 0, len(meta), 2) + meta + b"42"
        for at in range(len(frame)):
            runtime.channel.sendall(frame[at : at + 1])
            time.sleep(0.0005)
        self.assertEqual(self.answer(runtime.receive()), 42)

    def test_child_of_user_code_does_not_hold_the_channel(self):
        runtime = self.function("import os\nos.spawnlp(os.P_NOWAIT, 'sleep', 'sleep', '2')")
        runtime.invoke({})
        runtime.process.kill()
        runtime.channel.settimeout(1)
        self.assertEqual(runtime.channel.recv(1), b"")
