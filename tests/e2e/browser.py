"""Headless Chromium, driven over its DevTools protocol by a pair of pipes: nothing to install but the browser."""

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")
ANSWER_LIMIT_S = 20
STARTS = 3  # it now and then ends while it starts, for reasons of its own
FLAGS = (
    "--headless=new",
    "--no-sandbox",  # root; the pages are our own
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)


class BrowserError(Exception):
    """What the browser has answered instead of a result."""


class Browser:
    """A browser with one page. It writes down what goes wrong in the page: `complaints`."""

    @classmethod
    def start(cls, *flags):
        """One that has started, with `flags` more; what it said when it did not is shown."""
        for left in reversed(range(STARTS)):
            try:
                return cls(*flags)
            except BrowserError as error:
                if left == 0:
                    raise
                print(f"chromium is started again: {error}", file=sys.stderr)

    def __init__(self, *flags):
        self.profile = Path(tempfile.mkdtemp(prefix="offshoot-chromium-"))
        self.number = 0
        self.unread = b""
        self.events = []
        self.complaints = []
        command_read, self.commands = os.pipe()
        self.answers, answer_write = os.pipe()
        self.said = open(self.profile / "stderr", "w+b")
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", f'exec "$@" 3<&{command_read} 4>&{answer_write}', "sh", PROGRAM, *FLAGS, *flags,
             f"--user-data-dir={self.profile}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self.said,
            pass_fds=(command_read, answer_write),
            # Its helpers end with it.
            start_new_session=True,
        )
        os.close(command_read)
        os.close(answer_write)
        self.session = None
        try:
            target = self.call("Target.createTarget", url="about:blank")["targetId"]
            self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log"):
                self.call(f"{domain}.enable")
        except BaseException:
            self.close()
            raise

    def call(self, method, **parameters):
        """One command, and its result."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + ANSWER_LIMIT_S
        while True:
            answer = self._next(deadline)
            if answer is None:
                raise BrowserError(f"{method}: no answer")
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']}")
                return answer["result"]

    def _next(self, deadline):
        """The next message; events are noted on the way. None when time is over."""
        while b"\0" not in self.unread:
            readable, _, _ = select.select([self.answers], [], [], max(0, deadline - time.monotonic()))
            if not readable:
                return None
            read = os.read(self.answers, 1 << 20)
            if not read:
                self.said.seek(0)
                raise BrowserError(f"the browser has ended: {self.said.read()[-2000:].decode(errors='replace')}")
            self.unread += read
        line, self.unread = self.unread.split(b"\0", 1)
        message = json.loads(line)
        if "method" in message:
            self._note(message["method"], message["params"])
        return message

    def _note(self, method, parameters):
        if method == "Runtime.exceptionThrown":
            self.complaints.append(parameters["exceptionDetails"])
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
            self.complaints.append(parameters)
        elif method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            self.complaints.append(parameters["entry"])
        self.events.append((method, parameters))

    def open(self, url):
        """Loads a page, to its `load` event."""
        self.events.clear()
        navigated = self.call("Page.navigate", url=url)
        if "errorText" in navigated:
            raise BrowserError(f"{url}: {navigated['errorText']}")
        if "loaderId" not in navigated:
            return  # another place of the same page
        deadline = time.monotonic() + ANSWER_LIMIT_S
        while not any(method == "Page.loadEventFired" for method, _ in self.events):
            if self._next(deadline) is None:
                raise BrowserError(f"{url}: it does not end loading")

    def ask(self, expression):
        """The value of an expression of the page's."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise BrowserError(found["exceptionDetails"])
        return found["result"].get("value")

    def resize(self, width, height):
        """The size of the window, in pixels; a phone's below 700."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 700)

    def screenshot(self, path, whole=True):
        """Writes a PNG of the whole page, or of what the window shows."""
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        Path(path).write_bytes(base64.b64decode(data))

    def text(self, selector):
        """The text of the first element that is meant, or None."""
        return self.ask(f"document.querySelector({json.dumps(selector)})?.innerText")

    def until(self, expression, limit_s=10):
        """Waits until an expression is true; its last value."""
        deadline = time.monotonic() + limit_s
        while True:
            value = self.ask(expression)
            if value or time.monotonic() > deadline:
                return value
            time.sleep(0.05)

    def close(self):
        """Ends the browser, and removes what it has written."""
        os.close(self.commands)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self.answers)
        self.said.close()
        shutil.rmtree(self.profile, ignore_errors=True)
