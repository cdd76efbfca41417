"""`offshoot`'s own command line against the real daemon."""

import json
import subprocess
import tempfile
import time
from pathlib import Path

from daemon import BINARY, ROOT, DaemonTest, clean_environment, eventually
from functions import ECHO, deploy, fresh_name, invoke, zipped

TEMPLATE = """
AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: dev}
Globals:
  Function: {Timeout: 7, Runtime: python3.11}
Resources:
  First:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub "sam-first-${Stage}"
      CodeUri: first/
      Handler: app.handler
      MemorySize: 256
      Environment: {Variables: {STAGE: !Ref Stage}}
  Second:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: sam-second
      CodeUri: second/
      Runtime: nodejs20.x
      Handler: index.handler
  Table:
    Type: AWS::DynamoDB::Table
"""


class CommandLine(DaemonTest):
    def setUp(self):
        self.place = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def offshoot(self, *arguments, status=0, stdin=None, environment=None):
        """Standard output of a command that must exit with `status`."""
        caches = {"XDG_CACHE_HOME": str(self.place / "cache")}
        done = self.daemon.cli(*arguments, stdin=stdin, environment={**caches, **(environment or {})})
        self.assertEqual(done.returncode, status, f"{arguments}: {done.stdout.decode()} {done.stderr.decode()}")
        self.error = done.stderr.decode()
        return done.stdout.decode()

    def folder(self, files, name=None):
        folder = self.place / (name or fresh_name("dir"))
        for path, content in files.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        return folder

    def test_folder_is_deployed_invoked_listed_and_deleted(self):
        folder = self.folder({"app.py": ECHO, "__pycache__/x.pyc": "no", ".git/config": "no"})
        deployed = json.loads(self.offshoot("deploy", folder, "--json", "--env", "COLOUR=red", "--memory", "256"))
        found = deployed[0] if isinstance(deployed, list) else deployed
        self.assertIn(folder.name, json.dumps(found))
        self.assertEqual(json.loads(self.offshoot("invoke", folder.name, "-d", '{"name": "Ada"}')), {"name": "Ada"})
        config = self.client.get_function_configuration(FunctionName=folder.name)
        self.assertEqual((config["MemorySize"], config["Environment"]["Variables"]), (256, {"COLOUR": "red"}))
        listed = json.loads(self.offshoot("list"))
        self.assertIn(folder.name, [function["FunctionName"] for function in listed])
        self.offshoot("delete", folder.name, "--yes")
        self.offshoot("delete", folder.name, "--yes", status=4)

    def test_second_deploy_of_the_same_changes_nothing(self):
        folder = self.folder({"app.py": ECHO})
        self.offshoot("deploy", folder)
        before = self.client.get_function_configuration(FunctionName=folder.name)
        self.offshoot("deploy", folder)
        self.assertEqual(
            self.client.get_function_configuration(FunctionName=folder.name)["RevisionId"], before["RevisionId"]
        )
        (folder / "app.py").write_text("def handler(event, context):\n    return 'new'")
        self.offshoot("deploy", folder)
        self.assertEqual(self.offshoot("invoke", folder.name).strip(), '"new"')

    def test_requirements_are_installed_and_cached(self):
        wheel_like = self.folder(
            {
                "setup.py": "from setuptools import setup\nsetup(name='e2e-dep', version='1.0', py_modules=['e2e_dep'])",
                "e2e_dep.py": "X = 7",
            },
            "dep",
        )
        source = "import e2e_dep\ndef handler(event, context):\n    return e2e_dep.X"
        folder = self.folder({"app.py": source, "requirements.txt": f"e2e-dep @ file://{wheel_like}\n"})
        self.offshoot("deploy", folder)
        self.assertEqual(self.offshoot("invoke", folder.name).strip(), "7")

    def test_zip_is_deployed(self):
        package = self.place / "function.zip"
        package.write_bytes(zipped({"index.js": "exports.handler = async () => 'zip';"}))
        name = fresh_name("zip")
        self.offshoot("deploy", package, "--name", name, "--runtime", "nodejs20.x", "--handler", "index.handler")
        self.assertEqual(self.offshoot("invoke", name).strip(), '"zip"')

    def test_sam_template_is_deployed(self):
        folder = self.folder(
            {
                "template.yaml": TEMPLATE,
                "first/app.py": "import os\ndef handler(event, context):\n    return os.environ['STAGE']",
                "second/index.js": "exports.handler = async () => 'second';",
            }
        )
        self.offshoot("deploy", folder, "--parameter", "Stage=prod")
        self.assertIn("Table", self.error)
        self.assertEqual(self.offshoot("invoke", "sam-first-prod").strip(), '"prod"')
        self.assertEqual(self.offshoot("invoke", "sam-second").strip(), '"second"')
        self.assertEqual(self.client.get_function_configuration(FunctionName="sam-first-prod")["Timeout"], 7)

    def test_workload_of_the_repository_is_deployed(self):
        name = fresh_name("wl")
        self.offshoot("deploy", ROOT / "workloads/echo", "--name", name)
        event = subprocess.check_output(["/usr/bin/python3", ROOT / "workloads/workloads.py", "gen", "echo"])
        answer = self.place / "answer.json"
        answer.write_text(self.offshoot("invoke", name, "-", stdin=event))
        (self.place / "event.json").write_bytes(event)
        check = [
            "/usr/bin/python3",
            ROOT / "workloads/workloads.py",
            "check",
            "echo",
            self.place / "event.json",
            answer,
        ]
        subprocess.run(check, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def test_url_is_printed_and_answers(self):
        folder = self.folder({"app.py": "def handler(event, context):\n    return {'hello': 'url'}"})
        self.offshoot("deploy", folder, "--url")
        url = self.client.get_function_url_config(FunctionName=folder.name)["FunctionUrl"]
        host = url.removeprefix("http://").rstrip("/")
        status, _, body = self.daemon.request("GET", "/", host=host)
        self.assertEqual((status, json.loads(body)), (200, {"hello": "url"}))

    def test_alias_points_to_the_published_version(self):
        folder = self.folder({"app.py": ECHO})
        self.offshoot("deploy", folder, "--alias", "live")
        self.assertEqual(self.client.get_alias(FunctionName=folder.name, Name="live")["FunctionVersion"], "1")
        self.assertEqual(json.loads(self.offshoot("invoke", f"{folder.name}:live", "-d", "[1]")), [1])

    def test_events_come_from_flag_file_and_standard_input(self):
        name = deploy(self.client, ECHO)
        file = self.place / "event.json"
        file.write_text('{"from": "file"}')
        self.assertEqual(json.loads(self.offshoot("invoke", name)), {})
        self.assertEqual(json.loads(self.offshoot("invoke", name, "-f", file)), {"from": "file"})
        self.assertEqual(json.loads(self.offshoot("invoke", name, "-", stdin=b'{"from": "stdin"}')), {"from": "stdin"})

    def test_function_that_fails_exits_with_1_and_its_error_is_data(self):
        name = deploy(
            self.client, "def handler(event, context):\n    print('about to fail')\n    raise ValueError('no')"
        )
        out = self.offshoot("invoke", name, "--tail", status=1)
        self.assertEqual(json.loads(out)["errorType"], "ValueError")
        self.assertIn("about to fail", self.error)

    def test_stages_are_shown_beside_the_response(self):
        name = deploy(self.client, ECHO)
        self.assertEqual(json.loads(self.offshoot("invoke", name, "--stages", "-d", "[1]")), [1])
        self.assertRegex(self.error, "cold|level1")
        self.offshoot("invoke", name, "--stages")
        self.assertIn("hot", self.error)

    def test_streamed_response_is_written_as_it_comes(self):
        name = fresh_name("stream")
        source = "exports.handler = awslambda.streamifyResponse(async (e, s) => { s.write('one '); s.write('two'); s.end(); });"
        deploy(self.client, name=name, files={"index.js": source}, Runtime="nodejs20.x", Handler="index.handler")
        self.assertEqual(self.offshoot("invoke", name, "--stream").strip(), "one two")

    def test_async_is_accepted_and_logged(self):
        name = deploy(self.client, "def handler(event, context):\n    print('ran with', event['a'])")
        self.offshoot("invoke", name, "--async", "-d", '{"a": 17}')
        self.assertTrue(eventually(lambda: "ran with 17" in self.offshoot("logs", name)))
        lines = [json.loads(line) for line in self.offshoot("logs", name, "--json").splitlines()]
        self.assertTrue(any(line["text"] == "ran with 17" for line in lines))
        self.assertEqual(self.offshoot("logs", name, "--since", "2030-01-01T00:00:00Z").strip(), "")
        depth = json.loads(self.offshoot("events", "--json"))
        self.assertEqual(depth["dead"], 0)

    def test_log_is_followed(self):
        name = deploy(self.client, "def handler(event, context):\n    print('followed', event['n'])")
        follower = subprocess.Popen(
            [BINARY, "logs", name, "-f"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=clean_environment(OFFSHOOT_ENDPOINT=self.daemon.url),
        )
        try:
            time.sleep(0.5)
            invoke(self.client, name, {"n": 1})
            invoke(self.client, name, {"n": 2})
            found = []
            while len(found) < 2:
                line = follower.stdout.readline().decode()
                self.assertTrue(line, "the follower ended")
                if "followed" in line:
                    found.append(line.rsplit("\t", 1)[1].strip())
            self.assertEqual(found, ["followed 1", "followed 2"])
        finally:
            follower.terminate()
            follower.wait()
            follower.stdout.close()

    def test_what_does_not_exist_is_4_with_a_hint(self):
        for command in (("invoke", "nobody"), ("logs", "nobody"), ("delete", "nobody", "--yes")):
            self.offshoot(*command, status=4)
            self.assertIn("nobody", self.error)
        self.offshoot("invoke", "nobody", "--json", status=4)
        self.assertEqual(set(json.loads(self.error)), {"error"})

    def test_wrong_command_lines_are_2(self):
        self.offshoot("invoke", status=2)
        self.offshoot("lst", status=2)
        self.assertIn("list", self.error)
        self.offshoot("invoke", "f", "-d", "{not json", status=2)
        self.offshoot("deploy", self.place / "nothing-here", status=4)
        self.offshoot("delete", "f", status=2)

    def test_absent_daemon_is_3(self):
        self.offshoot("list", "--endpoint", "http://127.0.0.1:1", status=3)
        self.assertIn("127.0.0.1:1", self.error)

    def test_doctor_finds_this_machine_fit(self):
        report = json.loads(self.offshoot("doctor", "--json"))
        text = json.dumps(report)
        for word in ("cgroup", "python", "node"):
            self.assertIn(word, text.lower())

    def test_configuration_is_checked_with_its_place(self):
        good, bad = self.place / "good.toml", self.place / "bad.toml"
        good.write_text("[limits]\nmax_instances = 5\n")
        bad.write_text("[limits]\nmax_instances = 5\n\n[server]\nlissten = 3\n")
        self.offshoot("config", "check", "--config", good)
        self.offshoot("config", "check", "--config", bad, status=2)
        self.assertIn("bad.toml:5", self.error)
        self.assertIn("listen", self.error)
        shown = self.offshoot("config", "show", "--json", environment={"OFFSHOOT_LIMITS_KEEP_ALIVE_S": "61"})
        self.assertIn("61", shown)
        self.offshoot("config", "check", environment={"OFFSHOOT_LIMITS_KEEP_ALIVE": "61"}, status=2)

    def test_version_and_help_are_told(self):
        self.assertRegex(self.offshoot("--version"), r"^offshoot \d+\.\d+\.\d+")
        self.assertIn("Exit codes", self.offshoot("--help"))
