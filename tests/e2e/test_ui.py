"""The operator's page in a real browser: right, live, and proof against what tenants write."""

import itertools
import json
import re
import unittest
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

from browser import PROGRAM, Browser
from daemon import DaemonTest, eventually
from functions import ECHO, deploy
from test_signatures import KEYS

SLEEPS = """
import time
def handler(event, context):
    time.sleep(event.get("s", 0))
    return 1
"""

HOSTILE = "<img src=x onerror=window.hacked=1>"

# A seed is refused with the name of a file that init has left: a way of a tenant's text onto the page.
LEAVES_A_FILE = f"""
open("/tmp/{HOSTILE}", "w").close()
def handler(event, context):
    return 1
"""


def invoke(daemon, name, event=None):
    """One event; the rung that it met."""
    path = f"/2015-03-31/functions/{name}/invocations"
    status, headers, body = daemon.request("POST", path, json.dumps(event or {}), {"X-Offshoot-Stages": "1"})
    if status != 200:
        raise AssertionError(f"{status}: {body}")
    return headers["X-Offshoot-Start"]


def row(name, kind):
    """JavaScript: the cells of a function's kind of start."""
    return f"""[...[...document.querySelectorAll("#functions tbody")].find(body => body.querySelector("th").innerText === {json.dumps(name)})
        ?.querySelectorAll("tr") ?? []].find(row => row.querySelector(".kind").innerText === {json.dumps(kind)})
        ?.querySelectorAll("td")"""


def starts(name, kind):
    return f"Number(({row(name, kind)})?.[1].innerText)"


class BrowserTest(DaemonTest):
    """One browser for all tests of a class."""

    @classmethod
    def setUpClass(cls):
        if PROGRAM is None:
            raise AssertionError("chromium is missing: run make setup")
        super().setUpClass()
        cls.browser = Browser.start()
        cls.addClassCleanup(cls.browser.close)

    def setUp(self):
        self.browser.complaints.clear()

    def open(self, path):
        self.browser.open(self.daemon.url + path)

    def assert_quiet(self):
        self.assertEqual(self.browser.complaints, [])


class Page(BrowserTest):
    settings = {"seeds.after_events": 1}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.name = deploy(cls.client, SLEEPS)
        cls.rungs = [invoke(cls.daemon, cls.name) for _ in range(2)]

        # Each time one more at once than there are hot instances, until the seed is there.
        met = set()
        for at_once in range(2, 12):
            with ThreadPoolExecutor(at_once) as pool:
                met |= set(pool.map(lambda _: invoke(cls.daemon, cls.name, {"s": 0.1}), range(at_once)))
            if met & {"parked", "clone"}:
                break
        else:
            raise AssertionError(f"{met}: {cls.daemon.log()}")

    def test_functions_have_their_kinds_of_start_and_distributions(self):
        self.assertEqual(self.rungs, ["cold", "hot"])
        never = deploy(self.client, ECHO)
        self.open("/ui")
        for kind in ("cold", "hot"):
            self.assertGreaterEqual(self.browser.ask(starts(self.name, kind)), 1)
            p50, p99 = (self.browser.ask(f"({row(self.name, kind)})[{cell}].innerText") for cell in (2, 3))
            self.assertRegex(p50, r"^[\d.]+ (µs|ms|s)$")
            self.assertRegex(p99, r"^[\d.]+ (µs|ms|s)$")
            self.assertGreaterEqual(self.browser.ask(f"({row(self.name, kind)})[4].querySelectorAll('rect').length"), 1)
        self.assertIn(never, self.browser.text("#functions"))
        self.assertRegex(self.browser.text(".tiles"), r"ghosts\s+\d+")
        self.assert_quiet()

    def test_open_page_shows_a_new_start_by_itself(self):
        self.open("/ui")
        before = self.browser.ask(starts(self.name, "hot"))
        loaded = self.browser.ask("performance.timeOrigin")
        invoke(self.daemon, self.name)
        self.assertTrue(self.browser.until(f"{starts(self.name, 'hot')} > {before}"), self.browser.text("#functions"))
        self.assertEqual(self.browser.ask("performance.timeOrigin"), loaded, "the page was loaded again")
        self.assertEqual(self.browser.text("#state"), "live")
        self.assert_quiet()

    def test_stages_of_a_chosen_start_are_drawn(self):
        self.open("/ui")
        self.browser.ask(f"""[...document.querySelectorAll("#functions a")].find(link => link.innerText === {json.dumps(self.name)}).click()""")
        self.assertTrue(self.browser.until("document.querySelector('#waterfall') !== null"))
        self.assertTrue(self.browser.until("document.querySelector('#plot canvas') !== null"), "nothing is plotted")
        self.browser.ask("""[...document.querySelectorAll(".list tr")].find(row => row.innerText.includes("cold")).querySelector("a").click()""")
        self.assertTrue(self.browser.until("document.querySelector('#waterfall h3')?.innerText.includes('cold')"))
        stages = self.browser.ask("""Object.fromEntries([...document.querySelectorAll("#waterfall tr")].map(row =>
            [row.querySelector("th").innerText, Number.parseFloat(row.querySelector("rect.stage").getAttribute("width"))]))""")
        self.assertEqual(list(stages), ["queue", "restore", "sandbox", "fork", "runtime_init", "user_init", "handler", "response"])
        self.assertEqual((stages["restore"], stages["fork"]), (0, 0), "a cold start has no clone's stages")
        self.assertGreater(stages["runtime_init"], 0)
        self.assertAlmostEqual(sum(stages.values()), 100, delta=0.1)
        self.assert_quiet()

    def test_seed_tree_tells_what_is_shared_and_what_clones_own(self):
        self.open("/ui")
        seed = f"""[...document.querySelectorAll("#seeds article")].find(seed => seed.innerText.includes({json.dumps(self.name)}))"""
        text = self.browser.ask(f"{seed}?.innerText")
        self.assertIn("resident", text)
        self.assertRegex(text, r"image\s+[\d.]+ [kM]B on disk")
        self.assertRegex(text, r"template\s+[\d.]+ [kM]?B its own, [\d.]+ [kM]?B shared")
        self.assertRegex(text, r"└ i\w+\s+[\d.]+ [kM]?B its own, [\d.]+ MB shared, Pss [\d.]+ [kM]?B")
        self.assert_quiet()

    def test_seed_that_stores_a_difference_stands_below_its_runtimes(self):
        def seeds():
            return json.loads(self.daemon.cli("seed", "list", "--json").stdout)["seeds"]

        def resident(name):
            return next((seed for seed in seeds() if seed["function"] == name and seed["state"] == "resident"), None)

        self.assertTrue(eventually(lambda: resident("python3.11")), self.daemon.log())
        name = deploy(self.client, ECHO)
        self.assertEqual(invoke(self.daemon, name), "level1")
        self.assertTrue(eventually(lambda: resident(name)), self.daemon.log())
        self.assertEqual(resident(name)["parent"], resident("python3.11")["image"])
        self.open("/ui")
        self.assertEqual(self.browser.ask(starts(name, "level1")), 1)
        tree = self.browser.ask("[...document.querySelectorAll('#seeds article')].map(seed => [seed.className, seed.querySelector('code').innerText])")
        at = tree.index(["depth-0", "python3.11"])
        below = list(itertools.takewhile(lambda seed: seed[0] == "depth-1", tree[at + 1 :]))
        self.assertIn(["depth-1", name], below, tree)
        self.assert_quiet()

    def test_name_in_the_address_is_text(self):
        self.open("/ui?function=" + urllib.parse.quote(HOSTILE))
        self.assertIn(HOSTILE, self.browser.text("#starts h2"))
        self.assertIsNone(self.browser.ask("window.hacked"))
        self.assert_quiet()
        # The control: the same text, not escaped, is an element that runs.
        self.browser.open("data:text/html," + urllib.parse.quote(HOSTILE))
        self.assertTrue(self.browser.until("window.hacked === 1"), "this test could not see an escape that is missing")

    def test_what_a_function_left_is_text(self):
        name = deploy(self.client, LEAVES_A_FILE)
        invoke(self.daemon, name)
        refused = f"has left {HOSTILE} in /tmp"
        self.assertTrue(eventually(lambda: refused in self.daemon.cli("seed", "list", "--json").stdout.decode()))
        self.open("/ui")
        self.assertIn(refused, self.browser.text("#seeds"))
        self.assertIsNone(self.browser.ask("window.hacked"))
        self.assert_quiet()

    def test_inline_script_would_not_run(self):
        self.open("/ui")
        plant = f"document.getElementById('events').insertAdjacentHTML('beforeend', {json.dumps(HOSTILE)})"
        self.browser.ask(plant)
        self.assertTrue(self.browser.until("performance.now() > 1000"))
        self.assertIsNone(self.browser.ask("window.hacked"))
        self.assertIn("Content Security Policy", str(self.browser.complaints))

    def test_files_have_a_digest_and_are_kept_and_pages_are_not(self):
        status, headers, body = self.daemon.request("GET", "/ui")
        self.assertEqual((status, headers["Cache-Control"]), (200, "no-store"))
        self.assertNotIn("unsafe", headers["Content-Security-Policy"])
        paths = set(re.findall(r'(?:src|href)="(/ui/assets/[^"]+)"', body.decode()))
        self.assertEqual({path.rsplit("/", 1)[1] for path in paths}, {"htmx.js", "uplot.js", "uplot.css", "ui.js", "ui.css", "icon.svg"})
        for path in paths:
            status, headers, _ = self.daemon.request("GET", path)
            self.assertEqual((status, headers["X-Content-Type-Options"]), (200, "nosniff"))
            self.assertIn("immutable", headers["Cache-Control"])
            folder, digest, name = path.rsplit("/", 2)
            other = f"{folder}/{digest[::-1]}/{name}"
            self.assertEqual(self.daemon.request("GET", other)[0], 404, other)

    def test_page_asks_for_nothing_while_it_is_hidden(self):
        self.open("/ui")
        hidden = "Object.defineProperty(document, 'hidden', {{ configurable: true, get: () => {} }})"
        self.browser.ask(hidden.format("true"))
        asked = "performance.getEntriesByType('resource').filter(entry => entry.name.endsWith('/ui/live')).length"
        begun, before = self.browser.ask("performance.now()"), self.browser.ask(asked)
        self.browser.until(f"performance.now() > {begun} + 4500")
        self.assertLessEqual(self.browser.ask(asked), before + 1, "one may have been on its way")
        self.browser.ask(hidden.format("false") + "; document.dispatchEvent(new Event('visibilitychange'))")
        self.assertTrue(self.browser.until(f"{asked} > {before} + 1"), "it does not go on")


class WithKeys(DaemonTest):
    settings = KEYS

    def test_page_is_for_signed_requests_only(self):
        for path in ("/ui", "/ui/live", "/ui/seeds", "/ui/assets/0/ui.js"):
            self.assertEqual(self.daemon.request("GET", path)[0], 403, path)


if __name__ == "__main__":
    unittest.main()
