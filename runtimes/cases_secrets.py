"""What bootstraps do in a process that becomes a seed, with less of an environment than its clones will have."""

from cases import Case
from driver import FROZEN, INIT_ERROR

WITHHELD = {"OFFSHOOT_WITHHELD": "API_KEY,DB_PASSWORD"}
GIVEN = {"API_KEY": "open sesame", "DB_PASSWORD": "x"}


class Withheld(Case):
    """What both have in common."""

    def seed(self, source, env=None):
        runtime = self.start({self.file: source}, self.handler, {**WITHHELD, **(env or {})})
        self.assertEqual(runtime.freeze().kind, FROZEN, runtime.log())
        return runtime

    def assert_too_early(self, *sources):
        for source in sources:
            runtime = self.start({self.file: source}, self.handler, WITHHELD, ready=False)
            frame = runtime.receive()
            self.assertEqual(frame.kind, INIT_ERROR, (source, runtime.log()))
            error = frame.json()
            self.assertEqual((error["errorType"], error["errorMessage"]), ("Runtime.SecretWithheld", "API_KEY"), source)
            self.assertEqual(runtime.exit_status(), 1)

    def assert_too_early_in_hook(self, source):
        runtime = self.start({self.file: source}, self.handler, WITHHELD)
        frame = runtime.freeze()
        self.assertEqual((frame.kind, frame.json()["errorMessage"]), (INIT_ERROR, "API_KEY"), runtime.log())


class PythonWithheld(Withheld):
    runtime, file, handler = "python3.11", "app.py", "app.handler"
    READS = "import os\n{}\ndef handler(e, c): return 1\n"

    def test_reading_one_in_init_ends_the_process(self):
        reads = (
            "os.environ['API_KEY']", "os.environ.get('API_KEY')", "os.getenv('API_KEY', 'none')", "os.getenvb(b'API_KEY')",
            "dict(os.environ)", "os.environ.copy()['API_KEY']",
            "os.environ.copy().get('API_KEY')", "os.environ.copy().items()", "dict(os.environ.copy())", "{**os.environ.copy()}",
            "list(os.environ.items())", "os.environ.pop('API_KEY', None)",
            "os.environ.setdefault('API_KEY', 'none')", "del os.environ['API_KEY']", "'API_KEY' in os.environ",
            "try: os.environ['API_KEY']\nexcept BaseException: pass",
        )
        self.assert_too_early(*(self.READS.format(read) for read in reads))

    def test_reading_one_before_the_snapshot_ends_the_process(self):
        hook = "from snapshot_restore_py import register_before_snapshot as before\nbefore(os.getenv, 'API_KEY')"
        self.assert_too_early_in_hook(self.READS.format(hook))

    def test_init_sees_names_and_the_clone_values(self):
        source = (
            "import os, urllib.request\n"
            "seen = [sorted(name for name in os.environ if 'API' in name), len(os.environ) - len(set(os.environ.keys()))]\n"
            "os.environ['SET'] = 'by init'\nurllib.request.getproxies()\n"
            "from snapshot_restore_py import register_after_restore as after\n"
            "after(lambda: seen.append(os.environ['API_KEY']))\n"
            "def handler(e, c): return [*seen, os.environ['DB_PASSWORD'], os.environ['SET'], type(os.environ._data).__name__,"
            " 'OFFSHOOT_WITHHELD' in os.environ, os.popen('echo $API_KEY').read(), os.getenv('NONE')]\n"
        )
        told = self.answer(self.seed(source).resume({}, GIVEN))
        self.assertEqual(told, [["API_KEY"], 0, "open sesame", "x", "by init", "dict", False, "open sesame\n", None])

    def test_copy_of_the_environment_is_as_good_as_one_of_a_cold_start(self):
        source = (
            "import os\ncopied = os.environ.copy()\nopen_to_all = copied.get('LANG'), copied.get('NONE'), 'API_KEY' in copied\n"
            "copied['API_KEY'] = 'mine'\nother = os.environ.copy()\n"
            "def handler(e, c): return [*open_to_all, copied['API_KEY'], dict(other)['API_KEY'], other.get('DB_PASSWORD'),"
            " sorted(set(other.items()) ^ set(os.environ.items())), type(os.environ.copy()).__name__, len(other) - len(list(other))]\n"
        )
        told = self.answer(self.seed(source).resume({}, GIVEN))
        self.assertEqual(told, ["en_US.UTF-8", None, True, "mine", "open sesame", "x", [], "dict", 0])

    def test_what_init_has_set_itself_stays(self):
        source = "import os\nos.environ['API_KEY'] = 'mine'\ndef handler(e, c): return os.environ['API_KEY']\n"
        self.assertEqual(self.answer(self.seed(source).resume({}, GIVEN)), "mine")


class NodeWithheld(Withheld):
    runtime, file, handler = "nodejs20.x", "index.mjs", "index.handler"
    READS = "import {{ env }} from 'node:process';\n{};\nexport const handler = async () => 1;\n"

    def test_reading_one_in_init_ends_the_process(self):
        reads = (
            "process.env.API_KEY", "env.API_KEY", "const { API_KEY } = process.env", "({ ...process.env })",
            "Object.entries(process.env)", "JSON.stringify(process.env)", "delete process.env.API_KEY",
            "try { process.env['API_KEY'] } catch {}",
            "Object.getOwnPropertyDescriptor(process.env, 'API_KEY').get()",
        )
        self.assert_too_early(*(self.READS.format(read) for read in reads))

    def test_reading_one_before_the_snapshot_ends_the_process(self):
        self.assert_too_early_in_hook(
            self.READS.format("globalThis.awslambda.registerBeforeSnapshot(() => process.env.API_KEY)")
        )

    def test_init_sees_names_and_the_clone_values(self):
        source = (
            "import { env } from 'node:process';\nimport { execSync } from 'node:child_process';\n"
            "const kept = process.env;\nconst seen = [Object.keys(process.env).filter((name) => name.includes('API'))];\n"
            "seen.push('API_KEY' in process.env, process.env.NONE ?? null);\nprocess.env.SET = 'by init';\n"
            "globalThis.awslambda.registerAfterRestore(() => seen.push(process.env.API_KEY));\n"
            "export const handler = async () => [...seen, kept.DB_PASSWORD, env.API_KEY, process.env.SET,"
            " 'OFFSHOOT_WITHHELD' in process.env, String(execSync('echo $API_KEY')), Object.keys(kept).includes('API_KEY')];\n"
        )
        told = self.answer(self.seed(source).resume({}, GIVEN))
        self.assertEqual(
            told, [["API_KEY"], True, None, "open sesame", "x", "open sesame", "by init", False, "open sesame\n", True]
        )

    def test_what_init_has_set_itself_stays(self):
        source = "process.env.API_KEY = 'mine';\nexport const handler = async () => process.env.API_KEY;\n"
        self.assertEqual(self.answer(self.seed(source).resume({}, GIVEN)), "mine")
