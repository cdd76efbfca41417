"""What callers do wrong, and the error that each gets: exception, HTTP status, words of the message."""

import base64
import json
import os

from botocore.exceptions import ClientError

from daemon import ACCOUNT, REGION, ROLE, DaemonTest
from functions import ECHO, deploy, fresh_name, invoke, zipped

ZIP_LIMIT = 52_428_800
REQUEST_LIMIT = 70_167_211
UNZIPPED_LIMIT = 262_144_000
SYNC_LIMIT = 6 << 20
ASYNC_LIMIT = 1 << 20
FUNCTIONS = "/2015-03-31/functions"


def arn_of(name, region=REGION, account=ACCOUNT):
    return f"arn:aws:lambda:{region}:{account}:function:{name}"


class ErrorTest(DaemonTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.name = deploy(cls.client, ECHO, Publish=True)

    def refused(self, status, error_type, hint, operation, **arguments):
        """The operation must fail so, with `hint` in the message, whatever its case."""
        with self.assertRaises(ClientError) as caught:
            getattr(self.client, operation)(**arguments)
        response = caught.exception.response
        told = f"{response['Error']} {response['ResponseMetadata']['HTTPStatusCode']}"
        self.assertEqual(response["Error"]["Code"], error_type, told)
        self.assertEqual(response["ResponseMetadata"]["HTTPStatusCode"], status, told)
        self.assertIn(hint.lower(), response["Error"]["Message"].lower(), told)
        self.assertTrue(response["ResponseMetadata"]["RequestId"])
        modelled = getattr(self.client.exceptions, error_type, None)
        if modelled:
            self.assertIsInstance(caught.exception, modelled)
        return response

    def refused_raw(self, status, error_type, hint, method, path, body=None, headers=None):
        """As `refused`, for requests that no client would send."""
        found, answer, text = self.daemon.request(method, path, body, headers)
        self.assertEqual((found, answer["x-amzn-ErrorType"]), (status, error_type), text)
        told = json.loads(text)
        self.assertEqual(told["Type"], "User")
        self.assertIn(hint.lower(), (told.get("Message") or told.get("message")).lower())
        self.assertTrue(answer["x-amzn-RequestId"])

    def create(self, **more):
        """Arguments of CreateFunction that are right but for `more`."""
        right = {
            "FunctionName": fresh_name("err"),
            "Runtime": "python3.11",
            "Handler": "app.handler",
            "Role": ROLE,
            "Code": {"ZipFile": zipped({"app.py": ECHO})},
        }
        return {**right, **more}


class Names(ErrorTest):
    def test_unknown_function(self):
        name = "nobody"
        not_found = (404, "ResourceNotFoundException")
        for operation, arguments in [
            ("invoke", {}),
            ("get_function", {}),
            ("get_function_configuration", {}),
            ("delete_function", {}),
            ("update_function_code", {"ZipFile": zipped({"a": "b"})}),
            ("update_function_configuration", {"Timeout": 5}),
            ("publish_version", {}),
            ("list_versions_by_function", {}),
            ("list_aliases", {}),
            ("put_function_concurrency", {"ReservedConcurrentExecutions": 1}),
            ("invoke_with_response_stream", {}),
        ]:
            with self.subTest(operation):
                response = self.refused(*not_found, "function not found", operation, FunctionName=name, **arguments)
                self.assertIn(arn_of(name), response["Error"]["Message"])

    def test_unknown_version_and_alias(self):
        self.refused(
            404,
            "ResourceNotFoundException",
            f"{arn_of(self.name)}:77",
            "invoke",
            FunctionName=self.name,
            Qualifier="77",
        )
        self.refused(
            404,
            "ResourceNotFoundException",
            f"{arn_of(self.name)}:no",
            "invoke",
            FunctionName=self.name,
            Qualifier="no",
        )
        self.refused(
            404, "ResourceNotFoundException", "cannot find alias arn", "get_alias", FunctionName=self.name, Name="no"
        )

    def test_arn_of_another_region(self):
        self.refused(404, "ResourceNotFoundException", "", "invoke", FunctionName=arn_of(self.name, region="eu-west-1"))

    def test_arn_of_another_account(self):
        self.refused(403, "AccessDeniedException", "", "invoke", FunctionName=arn_of(self.name, account="111111111111"))

    def test_name_that_violates_the_pattern(self):
        for name in ("with space", "a/b", "ü", "a.b", "..", "a%b", "a:b:c:d"):
            with self.subTest(name):
                response = self.refused(
                    400, "ValidationException", "at 'functionName'", "create_function", **self.create(FunctionName=name)
                )
                self.assertIn("1 validation error detected: Value", response["Error"]["Message"])
        self.refused(400, "ValidationException", "at 'functionName'", "invoke", FunctionName="with space")

    def test_name_that_is_too_long(self):
        self.refused(
            400, "InvalidParameterValueException", "64", "create_function", **self.create(FunctionName="n" * 65)
        )
        self.refused(400, "ValidationException", "", "create_function", **self.create(FunctionName="n" * 300))

    def test_qualifier_that_differs_from_the_arns(self):
        self.refused(
            400, "InvalidParameterValueException", "qualifier", "invoke", FunctionName=f"{self.name}:1", Qualifier="2"
        )

    def test_unknown_operation(self):
        for method, path in [("GET", "/nothing"), ("PATCH", FUNCTIONS), ("GET", "/"), ("POST", f"{FUNCTIONS}/a/b/c/d")]:
            status, headers, body = self.daemon.request(method, path)
            self.assertIn(status, (403, 404, 405), (method, path))
            self.assertTrue(headers["x-amzn-ErrorType"])


class Payloads(ErrorTest):
    def test_payload_that_is_not_json(self):
        for payload in (
            b"{",
            b"{} trailing",
            b"\xff\xfe",
            b"nul",
            b"{'a': 1}",
            b'{"a": 1e}',
            b"[1,]",
            b'"\\ud8"',
            b'"\x01"',
        ):
            with self.subTest(payload):
                self.refused(
                    400,
                    "InvalidRequestContentException",
                    "could not parse request body into json",
                    "invoke",
                    FunctionName=self.name,
                    Payload=payload,
                )

    def test_payload_that_is_too_large(self):
        large = b'"' + b"x" * SYNC_LIMIT + b'"'
        self.refused(
            413,
            "RequestTooLargeException",
            "request must be smaller than 6291456 bytes for the invokefunction operation",
            "invoke",
            FunctionName=self.name,
            Payload=large,
        )
        large = b'"' + b"x" * ASYNC_LIMIT + b'"'
        self.refused(
            413,
            "RequestTooLargeException",
            "1048576",
            "invoke",
            FunctionName=self.name,
            Payload=large,
            InvocationType="Event",
        )

    def test_words_that_are_none_of_the_set(self):
        path = f"{FUNCTIONS}/{self.name}/invocations"
        for header, value in [
            ("X-Amz-Invocation-Type", "event"),
            ("X-Amz-Invocation-Type", "No"),
            ("X-Amz-Log-Type", "tail"),
        ]:
            self.refused_raw(400, "ValidationException", "enum value set", "POST", path, b"{}", {header: value})

    def test_client_context_that_is_no_base64_of_an_object(self):
        path = f"{FUNCTIONS}/{self.name}/invocations"
        for context in ("%%%", base64.b64encode(b"[1]").decode(), base64.b64encode(b"\xff").decode(), "a" * 3600):
            self.refused_raw(
                400,
                "InvalidRequestContentException",
                "client context",
                "POST",
                path,
                b"{}",
                {"X-Amz-Client-Context": context},
            )


class Packages(ErrorTest):
    def test_not_a_zip(self):
        for content in (b"not a zip", b"PK\x03\x04 but no more", zipped({"a": "b"})[:-5]):
            self.refused(
                400,
                "InvalidParameterValueException",
                "could not unzip uploaded file",
                "create_function",
                **self.create(Code={"ZipFile": content}),
            )
        self.refused(
            400,
            "InvalidParameterValueException",
            "could not unzip",
            "update_function_code",
            FunctionName=self.name,
            ZipFile=b"x",
        )

    def test_empty_zip_and_no_code_at_all(self):
        self.refused(400, "InvalidParameterValueException", "", "create_function", **self.create(Code={"ZipFile": b""}))
        self.refused(400, "InvalidParameterValueException", "", "create_function", **self.create(Code={}))

    def test_code_that_is_elsewhere(self):
        self.refused(
            400,
            "InvalidParameterValueException",
            "",
            "create_function",
            **self.create(Code={"S3Bucket": "bucket", "S3Key": "k"}),
        )
        self.refused(
            400,
            "InvalidParameterValueException",
            "image",
            "create_function",
            FunctionName=fresh_name(),
            Role=ROLE,
            Code={"ImageUri": "a/b:c"},
            PackageType="Image",
        )

    def test_zip_that_leaves_its_folder(self):
        for name in ("../evil", "/evil", "a/../../evil", "a\\..\\..\\evil"):
            with self.subTest(name):
                self.refused(
                    400,
                    "InvalidParameterValueException",
                    "",
                    "create_function",
                    **self.create(Code={"ZipFile": zipped({name: "x"})}),
                )

    def test_zip_that_is_too_large(self):
        content = zipped({"a": "b"}) + os.urandom(ZIP_LIMIT)
        self.refused(
            413, "RequestEntityTooLargeException", "", "create_function", **self.create(Code={"ZipFile": content})
        )

    def test_request_that_is_too_large(self):
        self.refused(
            413,
            "RequestEntityTooLargeException",
            f"request must be smaller than {REQUEST_LIMIT} bytes",
            "create_function",
            **self.create(Description="x" * REQUEST_LIMIT),
        )

    def test_unzipped_that_is_too_large(self):
        content = zipped({"zeros": b"\0" * (UNZIPPED_LIMIT + 1)})
        self.refused(
            400,
            "InvalidParameterValueException",
            "unzipped size must be smaller than 262144000 bytes",
            "create_function",
            **self.create(Code={"ZipFile": content}),
        )

    def test_base64_that_is_none(self):
        body = json.dumps({**self.create(), "Code": {"ZipFile": "%%%"}})
        status, headers, text = self.daemon.request("POST", FUNCTIONS, body)
        self.assertEqual(status, 400, text)


class Settings(ErrorTest):
    def test_runtime_that_is_unknown_or_in_the_wrong_case(self):
        for runtime in ("python9.9", "Python3.11", ""):
            self.refused(400, "InvalidParameterValueException", "", "create_function", **self.create(Runtime=runtime))

    def test_runtime_of_aws_that_is_not_here(self):
        self.refused(
            400, "InvalidParameterValueException", "java21", "create_function", **self.create(Runtime="java21")
        )

    def test_two_architectures_and_a_bad_role(self):
        self.refused(
            400,
            "ValidationException",
            "length less than or equal to 1",
            "create_function",
            **self.create(Architectures=["x86_64", "arm64"]),
        )
        self.refused(400, "ValidationException", "at 'role'", "create_function", **self.create(Role="r"))

    def test_environment_over_4_kb_or_of_lambdas_names(self):
        self.refused(
            400,
            "InvalidParameterValueException",
            "exceeded the 4KB limit",
            "create_function",
            **self.create(Environment={"Variables": {"LONG": "x" * 4096}}),
        )
        self.refused(
            400,
            "InvalidParameterValueException",
            "reserved keys",
            "update_function_configuration",
            FunctionName=self.name,
            Environment={"Variables": {"AWS_REGION": "x"}},
        )

    def test_six_layers_the_same_twice_or_none_such(self):
        arns = [
            self.client.publish_layer_version(LayerName=fresh_name("l"), Content={"ZipFile": zipped({"a": "b"})})[
                "LayerVersionArn"
            ]
            for _ in range(6)
        ]
        refused = lambda hint, layers: self.refused(
            400, "InvalidParameterValueException", hint, "create_function", **self.create(Layers=layers)
        )
        refused("cannot reference more than 5 layers", arns)
        refused("", [arns[0], arns[0]])
        refused("does not exist", [arns[0][:-1] + "9"])

    def test_numbers_out_of_range(self):
        for member, value in [("Timeout", 901), ("MemorySize", 127), ("MemorySize", 10241), ("Timeout", 0)]:
            body = json.dumps(
                {**self.create(), "Code": {"ZipFile": base64.b64encode(zipped({"a": "b"})).decode()}, member: value}
            )
            self.refused_raw(400, "ValidationException", member[1:].lower(), "POST", FUNCTIONS, body)

    def test_wrong_code_sha(self):
        self.refused(
            400,
            "InvalidParameterValueException",
            "CodeSHA256",
            "publish_version",
            FunctionName=self.name,
            CodeSha256=base64.b64encode(b"x" * 32).decode(),
        )

    def test_function_as_its_own_destination(self):
        self.refused(
            400,
            "InvalidParameterValueException",
            "itself",
            "put_function_event_invoke_config",
            FunctionName=self.name,
            DestinationConfig={"OnFailure": {"Destination": arn_of(self.name)}},
        )

    def test_latest_cannot_be_deleted(self):
        self.refused(
            400,
            "InvalidParameterValueException",
            "$LATEST",
            "delete_function",
            FunctionName=self.name,
            Qualifier="$LATEST",
        )

    def test_more_reserved_concurrency_than_there_is(self):
        self.refused(
            400,
            "InvalidParameterValueException",
            "below its minimum value",
            "put_function_concurrency",
            FunctionName=self.name,
            ReservedConcurrentExecutions=950,
        )

    def test_function_and_alias_that_exist(self):
        self.refused(
            409, "ResourceConflictException", "exist", "create_function", **self.create(FunctionName=self.name)
        )
        self.client.create_alias(FunctionName=self.name, Name="twice", FunctionVersion="1")
        self.refused(
            409,
            "ResourceConflictException",
            "exists",
            "create_alias",
            FunctionName=self.name,
            Name="twice",
            FunctionVersion="1",
        )
        self.refused(409, "ResourceConflictException", "", "delete_function", FunctionName=self.name, Qualifier="1")

    def test_stale_revision(self):
        stale = self.client.get_function_configuration(FunctionName=self.name)["RevisionId"]
        self.client.update_function_configuration(FunctionName=self.name, Description="new")
        self.refused(
            412,
            "PreconditionFailedException",
            "revision",
            "update_function_configuration",
            FunctionName=self.name,
            Description="newer",
            RevisionId=stale,
        )

    def test_body_that_is_no_json_or_of_the_wrong_types(self):
        for body in (
            b"",
            b"[]",
            b"{",
            b'{"FunctionName": 1}',
            b'{"FunctionName": "a", "Timeout": "x"}',
            b"\xff",
            b"[" * 100_000,
        ):
            status, headers, text = self.daemon.request("POST", FUNCTIONS, body, {"Content-Type": "application/json"})
            self.assertEqual(status, 400, (body[:40], text))
            self.assertTrue(headers["x-amzn-ErrorType"], body[:40])

    def test_nothing_of_this_harmed_the_function(self):
        self.assertEqual(invoke(self.client, self.name, {"a": 1}).value, {"a": 1})
