"""The control plane as boto3 sees it: functions, versions, aliases, layers and what hangs on them."""

import base64
import collections
import hashlib
import threading
import time
import urllib.request

from daemon import ACCOUNT, REGION, ROLE, DaemonTest
from functions import ECHO, PROBE, deploy, fresh_name, invoke, zipped

VERSIONED = "def handler(event, context):\n    return {number}"
SLOW = "import time\ndef handler(event, context):\n    time.sleep(event['s'])\n    return 'done'"


def arn_of(name):
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


class Lifecycle(DaemonTest):
    def test_created_function_is_described_in_full(self):
        package = zipped({"app.py": ECHO})
        name = fresh_name("full")
        created = self.client.create_function(
            FunctionName=name,
            Runtime="python3.11",
            Handler="app.handler",
            Role=ROLE,
            Code={"ZipFile": package},
            Description="what it is",
            Timeout=7,
            MemorySize=192,
            Environment={"Variables": {"COLOUR": "1"}},
            EphemeralStorage={"Size": 600},
            Tags={"team": "e2e"},
            Architectures=["x86_64"],
        )
        wanted = {
            "FunctionName": name,
            "FunctionArn": arn_of(name),
            "Runtime": "python3.11",
            "Role": ROLE,
            "Handler": "app.handler",
            "CodeSize": len(package),
            "Description": "what it is",
            "Timeout": 7,
            "MemorySize": 192,
            "Version": "$LATEST",
            "Environment": {"Variables": {"COLOUR": "1"}},
            "PackageType": "Zip",
            "CodeSha256": base64.b64encode(hashlib.sha256(package).digest()).decode(),
            "Architectures": ["x86_64"],
            "EphemeralStorage": {"Size": 600},
        }
        self.assertEqual(created["ResponseMetadata"]["HTTPStatusCode"], 201)
        got = self.client.get_function(FunctionName=name)
        for found in (created, got["Configuration"], self.client.get_function_configuration(FunctionName=name)):
            self.assertEqual({key: found.get(key) for key in wanted}, wanted)
            self.assertRegex(found["LastModified"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$")
        self.assertEqual(got["Configuration"]["State"], "Active")
        self.assertEqual(got["Configuration"]["LastUpdateStatus"], "Successful")
        self.assertEqual(got["Tags"], {"team": "e2e"})

    def test_waiters_end(self):
        name = deploy(self.client)
        for waiter in (
            "function_exists",
            "function_active",
            "function_active_v2",
            "function_updated",
            "function_updated_v2",
        ):
            self.client.get_waiter(waiter).wait(FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 3})
        version = self.client.publish_version(FunctionName=name)["Version"]
        self.client.get_waiter("published_version_active").wait(
            FunctionName=name, Qualifier=version, WaiterConfig={"Delay": 1, "MaxAttempts": 3}
        )

    def test_code_location_is_the_package_as_uploaded(self):
        package = zipped({"app.py": ECHO, "data/blob": b"\x00\xff" * 1000})
        name = fresh_name()
        self.client.create_function(
            FunctionName=name, Runtime="python3.11", Handler="app.handler", Role=ROLE, Code={"ZipFile": package}
        )
        location = self.client.get_function(FunctionName=name)["Code"]["Location"]
        with urllib.request.urlopen(location) as download:
            self.assertEqual(download.read(), package)

    def test_new_code_answers_the_next_invocation(self):
        name = deploy(self.client, VERSIONED.format(number=1))
        self.assertEqual(invoke(self.client, name).value, 1)
        before = self.client.get_function_configuration(FunctionName=name)
        updated = self.client.update_function_code(
            FunctionName=name, ZipFile=zipped({"app.py": VERSIONED.format(number=2)})
        )
        self.assertNotEqual(updated["CodeSha256"], before["CodeSha256"])
        self.assertNotEqual(updated["RevisionId"], before["RevisionId"])
        self.assertEqual(invoke(self.client, name).value, 2)

    def test_dry_run_of_new_code_changes_nothing(self):
        name = deploy(self.client, VERSIONED.format(number=1))
        self.client.update_function_code(
            FunctionName=name, ZipFile=zipped({"app.py": VERSIONED.format(number=2)}), DryRun=True
        )
        self.assertEqual(invoke(self.client, name).value, 1)

    def test_new_configuration_reaches_the_next_invocation(self):
        name = deploy(self.client, PROBE)
        read = {"code": "result = [os.environ.get('COLOUR'), context.memory_limit_in_mb]"}
        self.assertEqual(invoke(self.client, name, read).value, [None, "128"])
        updated = self.client.update_function_configuration(
            FunctionName=name, Environment={"Variables": {"COLOUR": "2"}}, MemorySize=256, Timeout=9
        )
        self.assertEqual((updated["MemorySize"], updated["Timeout"]), (256, 9))
        self.assertEqual(invoke(self.client, name, read).value, ["2", "256"])

    def test_deleted_function_is_gone_and_its_name_free(self):
        name = deploy(self.client, VERSIONED.format(number=1))
        invoke(self.client, name)
        deleted = self.client.delete_function(FunctionName=name)
        self.assertIn(deleted["ResponseMetadata"]["HTTPStatusCode"], (200, 204))
        with self.assertRaises(self.client.exceptions.ResourceNotFoundException):
            self.client.get_function(FunctionName=name)
        with self.assertRaises(self.client.exceptions.ResourceNotFoundException):
            invoke(self.client, name)
        deploy(self.client, VERSIONED.format(number=2), name=name)
        self.assertEqual(invoke(self.client, name).value, 2)

    def test_function_survives_a_restart(self):
        name = deploy(self.client, VERSIONED.format(number=5), Tags={"a": "b"})
        before = self.client.get_function(FunctionName=name)
        type(self).client.close()
        self.daemon.restart()
        type(self).client = self.daemon.client()
        after = self.client.get_function(FunctionName=name)
        self.assertEqual(after["Configuration"], before["Configuration"])
        self.assertEqual(after["Tags"], {"a": "b"})
        self.assertEqual(invoke(self.client, name).value, 5)

    def test_list_is_complete_over_pages(self):
        names = {deploy(self.client, name=fresh_name("page")) for _ in range(7)}
        pages = list(self.client.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 3}))
        self.assertGreaterEqual(len(pages), 3)
        self.assertTrue(all(len(page["Functions"]) <= 3 for page in pages))
        listed = [function["FunctionName"] for page in pages for function in page["Functions"]]
        self.assertEqual(len(listed), len(set(listed)))
        self.assertLessEqual(names, set(listed))


class VersionsAndAliases(DaemonTest):
    def two_versions(self):
        name = deploy(self.client, VERSIONED.format(number=1), Publish=True)
        self.client.update_function_code(
            FunctionName=name, ZipFile=zipped({"app.py": VERSIONED.format(number=2)}), Publish=True
        )
        return name

    def test_published_versions_stay_as_they_are(self):
        name = self.two_versions()
        answers = {q: invoke(self.client, name, Qualifier=q).value for q in ("1", "2", "$LATEST")}
        self.assertEqual(answers, {"1": 1, "2": 2, "$LATEST": 2})
        listed = self.client.list_versions_by_function(FunctionName=name)["Versions"]
        self.assertEqual([version["Version"] for version in listed], ["$LATEST", "1", "2"])
        self.assertEqual(listed[1]["FunctionArn"], f"{arn_of(name)}:1")

    def test_unchanged_function_publishes_no_second_version(self):
        name = self.two_versions()
        self.assertEqual(self.client.publish_version(FunctionName=name)["Version"], "2")

    def test_alias_moves_and_is_deleted(self):
        name = self.two_versions()
        alias = self.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1", Description="d")
        self.assertEqual((alias["AliasArn"], alias["FunctionVersion"]), (f"{arn_of(name)}:live", "1"))
        self.assertEqual(invoke(self.client, name, Qualifier="live").value, 1)
        self.client.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
        moved = invoke(self.client, name, Qualifier="live")
        self.assertEqual((moved.value, moved.version), (2, "2"))
        self.assertEqual(self.client.get_alias(FunctionName=name, Name="live")["FunctionVersion"], "2")
        self.assertEqual([a["Name"] for a in self.client.list_aliases(FunctionName=name)["Aliases"]], ["live"])
        self.client.delete_alias(FunctionName=name, Name="live")
        with self.assertRaises(self.client.exceptions.ResourceNotFoundException):
            invoke(self.client, name, Qualifier="live")

    def test_weighted_alias_sends_a_share_to_the_other_version(self):
        name = self.two_versions()
        self.client.create_alias(
            FunctionName=name,
            Name="canary",
            FunctionVersion="1",
            RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}},
        )
        answers = collections.Counter(invoke(self.client, name, Qualifier="canary").version for _ in range(60))
        # Fewer than 10 of 60 fair throws: once in ten million runs.
        self.assertGreater(min(answers["1"], answers["2"]), 9, answers)

    def test_deleted_version_is_gone_and_others_stay(self):
        name = self.two_versions()
        self.client.delete_function(FunctionName=name, Qualifier="1")
        with self.assertRaises(self.client.exceptions.ResourceNotFoundException):
            invoke(self.client, name, Qualifier="1")
        self.assertEqual(invoke(self.client, name, Qualifier="2").value, 2)


class Settings(DaemonTest):
    def test_reserved_concurrency_throttles_with_a_reason(self):
        name = deploy(self.client, SLOW, Timeout=10)
        put = self.client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
        self.assertEqual(put["ReservedConcurrentExecutions"], 1)
        got = self.client.get_function_concurrency(FunctionName=name)
        self.assertEqual(got["ReservedConcurrentExecutions"], 1)
        invoke(self.client, name, {"s": 0})
        running = threading.Thread(target=invoke, args=(self.daemon.client(), name, {"s": 1.5}))
        running.start()
        time.sleep(0.5)
        with self.assertRaises(self.client.exceptions.TooManyRequestsException) as caught:
            invoke(self.client, name, {"s": 0})
        running.join()
        response = caught.exception.response
        self.assertEqual(response["ResponseMetadata"]["HTTPStatusCode"], 429)
        self.assertEqual(response["Reason"], "ReservedFunctionConcurrentInvocationLimitExceeded")
        self.assertIn("retry-after", response["ResponseMetadata"]["HTTPHeaders"])
        self.client.delete_function_concurrency(FunctionName=name)
        self.assertEqual(invoke(self.client, name, {"s": 0}).value, "done")

    def test_concurrency_zero_stops_a_function(self):
        name = deploy(self.client)
        self.client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
        with self.assertRaises(self.client.exceptions.TooManyRequestsException):
            invoke(self.client, name, {})

    def test_tags_are_added_listed_and_removed(self):
        name = deploy(self.client, Tags={"a": "1"})
        self.client.tag_resource(Resource=arn_of(name), Tags={"b": "2 ü", "c": "3"})
        self.client.untag_resource(Resource=arn_of(name), TagKeys=["a", "c"])
        self.assertEqual(self.client.list_tags(Resource=arn_of(name))["Tags"], {"b": "2 ü"})

    def test_url_config_lives_and_dies(self):
        name = deploy(self.client)
        created = self.client.create_function_url_config(
            FunctionName=name, AuthType="NONE", Cors={"AllowOrigins": ["http://a.example"]}
        )
        got = self.client.get_function_url_config(FunctionName=name)
        self.assertEqual(got["FunctionUrl"], created["FunctionUrl"])
        self.assertEqual(got["Cors"]["AllowOrigins"], ["http://a.example"])
        self.client.update_function_url_config(FunctionName=name, InvokeMode="RESPONSE_STREAM")
        listed = self.client.list_function_url_configs(FunctionName=name)["FunctionUrlConfigs"]
        self.assertEqual([url["InvokeMode"] for url in listed], ["RESPONSE_STREAM"])
        self.client.delete_function_url_config(FunctionName=name)
        with self.assertRaises(self.client.exceptions.ResourceNotFoundException):
            self.client.get_function_url_config(FunctionName=name)

    def test_event_invoke_config_lives_and_dies(self):
        name, target = deploy(self.client), deploy(self.client)
        destination = {"OnFailure": {"Destination": arn_of(target)}}
        self.client.put_function_event_invoke_config(
            FunctionName=name, MaximumRetryAttempts=1, MaximumEventAgeInSeconds=60, DestinationConfig=destination
        )
        self.client.update_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
        got = self.client.get_function_event_invoke_config(FunctionName=name)
        self.assertEqual((got["MaximumRetryAttempts"], got["MaximumEventAgeInSeconds"]), (0, 60))
        self.assertEqual(got["DestinationConfig"]["OnFailure"], destination["OnFailure"])
        listed = self.client.list_function_event_invoke_configs(FunctionName=name)["FunctionEventInvokeConfigs"]
        self.assertEqual(len(listed), 1)
        self.client.delete_function_event_invoke_config(FunctionName=name)
        with self.assertRaises(self.client.exceptions.ResourceNotFoundException):
            self.client.get_function_event_invoke_config(FunctionName=name)

    def test_policy_statements_are_kept(self):
        name = deploy(self.client)
        self.client.add_permission(
            FunctionName=name, StatementId="s1", Action="lambda:InvokeFunction", Principal="events.amazonaws.com"
        )
        self.assertIn('"s1"', self.client.get_policy(FunctionName=name)["Policy"])
        self.client.remove_permission(FunctionName=name, StatementId="s1")
        with self.assertRaises(self.client.exceptions.ResourceNotFoundException):
            self.client.get_policy(FunctionName=name)

    def test_account_settings_name_the_limits(self):
        limits = self.client.get_account_settings()["AccountLimit"]
        self.assertEqual(limits["ConcurrentExecutions"], 1000)
        self.assertEqual(limits["CodeSizeUnzipped"], 262144000)


class Layers(DaemonTest):
    def publish(self, stem, files):
        return self.client.publish_layer_version(LayerName=fresh_name(stem), Content={"ZipFile": zipped(files)})

    def test_python_layer_is_importable(self):
        layer = self.publish("lib", {"python/mylib.py": "NUMBER = 42"})
        source = "import mylib\ndef handler(event, context):\n    return [mylib.NUMBER, mylib.__file__]"
        name = deploy(self.client, source, Layers=[layer["LayerVersionArn"]])
        self.assertEqual(invoke(self.client, name).value, [42, "/opt/python/mylib.py"])
        config = self.client.get_function_configuration(FunctionName=name)
        self.assertEqual([found["Arn"] for found in config["Layers"]], [layer["LayerVersionArn"]])

    def test_later_layer_covers_the_earlier(self):
        first = self.publish("one", {"data/who": "first", "data/first": "1", "only/first": "1"})
        second = self.publish("two", {"data/who": "second", "data/second": "2"})
        code = "result = [open('/opt/data/who').read(), sorted(os.listdir('/opt/data')), sorted(os.listdir('/opt'))]"
        arns = [first["LayerVersionArn"], second["LayerVersionArn"]]
        name = deploy(self.client, PROBE, Layers=arns)
        self.assertEqual(
            invoke(self.client, name, {"code": code}).value, ["second", ["first", "second", "who"], ["data", "only"]]
        )

    def test_layer_versions_count_up_and_are_deleted(self):
        layer = self.publish("count", {"a": "1"})
        name = layer["LayerArn"].rsplit(":", 1)[1]
        self.client.publish_layer_version(LayerName=name, Content={"ZipFile": zipped({"a": "2"})})
        listed = self.client.list_layer_versions(LayerName=name)["LayerVersions"]
        self.assertEqual([version["Version"] for version in listed], [2, 1])
        by_arn = self.client.get_layer_version_by_arn(Arn=layer["LayerVersionArn"])
        self.assertEqual(by_arn["Version"], 1)
        with urllib.request.urlopen(by_arn["Content"]["Location"]) as download:
            self.assertEqual(download.read(), zipped({"a": "1"}))
        self.client.delete_layer_version(LayerName=name, VersionNumber=1)
        with self.assertRaises(self.client.exceptions.ResourceNotFoundException):
            self.client.get_layer_version(LayerName=name, VersionNumber=1)
        self.assertIn(name, [found["LayerName"] for found in self.client.list_layers()["Layers"]])

    def test_function_keeps_a_layer_that_was_deleted(self):
        layer = self.publish("kept", {"python/kept.py": "X = 1"})
        source = "import kept\ndef handler(event, context):\n    return kept.X"
        name = deploy(self.client, source, Layers=[layer["LayerVersionArn"]])
        self.client.delete_layer_version(LayerName=layer["LayerArn"].rsplit(":", 1)[1], VersionNumber=1)
        self.assertEqual(invoke(self.client, name).value, 1)
