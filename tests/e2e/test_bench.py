"""`offshoot bench`: replay, ladder and density with few samples; do figures come out, and is nothing left behind?"""

import json
import subprocess
import tempfile
import unittest
from pathlib import Path

from daemon import BINARY, ROOT, clean_environment

TRACE = """function,workload,mean_ms,m1
a,json_serdes,17.0,30
b,json_serdes,9.0,12
c,json_serdes,30.0,3
"""
CALLS, FUNCTIONS = 45, 3
COUNTING = Path("/sys/fs/cgroup/cpuacct")
SYSTEMS = ("keepalive-10m", "keepalive-1m", "offshoot")


class Benchmarks(unittest.TestCase):
    def setUp(self):
        self.place = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="offshoot-bench-")))
        self.temporary = self.place / "tmp"
        self.temporary.mkdir()

    def bench(self, *arguments, status=0):
        """The figures of a run, by scenario, system and metric."""
        figures = self.place / "figures.json"
        process = subprocess.Popen(
            [BINARY, "bench", *map(str, arguments), "--json", figures],
            cwd=ROOT,
            env=clean_environment(TMPDIR=str(self.temporary)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        _, self.error = process.communicate(timeout=120)
        self.assertEqual(process.returncode, status, self.error)
        self.nothing_is_left(process.pid)
        lines = figures.read_text().splitlines() if figures.exists() else []
        found = [json.loads(line) for line in lines]
        return {(one["scenario"], one["system"], one["metric"]): one for one in found}

    def nothing_is_left(self, pid):
        self.assertEqual(list(self.temporary.iterdir()), [])
        # Daemons have their state there.
        marker = str(self.temporary).encode()
        alive = [path for path in Path("/proc").glob("[0-9]*/cmdline") if marker in read(path)]
        self.assertEqual(alive, [])
        self.assertEqual(list(COUNTING.glob(f"offshoot-bench-{pid}-*")), [])

    def test_trace_is_replayed_by_three_systems_and_drawn(self):
        trace, report = self.place / "tiny.csv", self.place / "report.html"
        trace.write_text(TRACE)
        found = self.bench("trace", "--trace", trace, "--compress", 60, "--memory", "50", "--html", report)
        for system in SYSTEMS:
            figure = {metric: found["trace/tiny@50", system, metric] for metric in ("latency_us", "cold_ratio", "peak_kb")}
            self.assertEqual((figure["latency_us"]["n"], found["trace/tiny@50", system, "failed"]["p50"]), (CALLS, 0))
            self.assertGreater(figure["peak_kb"]["p50"], 1000)
            self.assertGreater(found["trace/tiny@50", system, "cpu_s"]["p50"], 0)
        cold = [found["trace/tiny@50", system, "cold_ratio"]["p50"] for system in SYSTEMS]
        self.assertGreaterEqual(min(cold[:2]), FUNCTIONS / CALLS - 1e-3)
        self.assertLess(cold[2], min(cold[:2]))
        images = found["trace/tiny", "offshoot", "images_kb"]["n"]
        self.assertEqual(images, FUNCTIONS + 1, "one of each function, and one of their runtime")
        page = report.read_text()
        self.assertEqual(page.count("<svg "), 2)
        for from_elsewhere in ("http:", "https:", "src=", "href="):
            self.assertNotIn(from_elsewhere, page)

    def test_file_that_is_no_trace_is_refused(self):
        trace = self.place / "tiny.csv"
        trace.write_text("a,b\n1,2\n")
        self.assertEqual(self.bench("trace", "--trace", trace, status=1), {})
        self.assertIn("it is not a trace", self.error)
        self.bench("trace", status=1)
        self.assertIn("trace needs --trace FILE", self.error)

    def test_ladder_has_a_row_for_each_step_or_says_why_not(self):
        found = self.bench("ladder", "--n", 1, "--workloads", "json")
        for step in ("cold", "pool", "level2", "parked"):
            self.assertGreater(found["ladder/json", step, "latency_us"]["n"], 0)
            self.assertGreater(found["ladder/json", step, "cpu_us"]["p50"], 0)
        level1 = found["ladder/json", "level1", "latency_us"]
        self.assertTrue(level1["n"] > 0 or "seeds.runtime_seeds" in level1["absent"] or "level1" in level1["absent"])

    def test_more_clones_than_cold_instances_are_alive_in_the_same_memory(self):
        found = self.bench("density", "--budget", 96)
        of = lambda system, metric: found["density/python-numpy", system, metric]["p50"]
        self.assertGreaterEqual(of("cold", "instances"), 1)
        self.assertGreater(of("clone", "instances"), 2 * of("cold", "instances"))
        for system in ("cold", "clone"):
            self.assertLessEqual(of(system, "used_kb"), 96 << 10)


def read(path):
    """The bytes of a file; none if its process has ended."""
    try:
        return path.read_bytes()
    except OSError:
        return b""
