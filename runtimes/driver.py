"""Plays the node's part of the channel against one bootstrap; for tests and measurements. Standard library only."""

import contextlib
import json
import os
import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
COMMANDS = {
    "python3.11": ["/usr/bin/python3", str(HERE / "python" / "bootstrap.py")],
    "nodejs20.x": ["/usr/bin/node", str(HERE / "node" / "bootstrap.mjs")],
}
HEADER = struct.Struct("<BBHIQ")
INVOKE, RESUME, FREEZE, COLLECT = 1, 2, 3, 4
BOOTED, READY, INIT_ERROR, RESPONSE, ERROR = 15, 16, 17, 18, 19
STREAM_BEGIN, STREAM_CHUNK, STREAM_END, STREAM_ERROR, FROZEN, COLLECTED = 20, 21, 22, 23, 24, 25
ARN = "arn:aws:lambda:us-east-1:000000000000:function:tested"


class Frame:
    """One frame from the runtime, its metadata decoded."""

    def __init__(self, kind, event, meta, body):
        self.kind, self.event, self.body = kind, event, body
        self.meta = json.loads(meta) if meta else None

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"Frame({self.kind}, {self.meta}, {self.body[:300]!r})"


def frame(kind, meta=None, body=b"", event=0):
    """A frame for a runtime."""
    meta_bytes = b"" if meta is None else json.dumps(meta).encode()
    return HEADER.pack(kind, 1, event, len(meta_bytes), len(body)) + meta_bytes + body


def invoke_frame(event=None, raw=None, number=0, **meta):
    """One event, with metadata of Lambda's form."""
    meta = {"requestId": "id-1", "deadlineMs": int(time.time() * 1000) + 30_000, "arn": ARN, "streaming": False, **meta}
    return frame(INVOKE, meta, json.dumps(event).encode() if raw is None else raw, number)


def resume_frame(env=None):
    """What a clone gets before its first event."""
    return frame(RESUME, {"env": env or {}})


class Conversation:
    """The node's end of a channel."""

    def __init__(self, channel, timeout_s=20):
        self.channel, self.timeout_s = channel, timeout_s
        self.channel.settimeout(timeout_s)
        self.buffer = bytearray()
        self.booted = False
        self.is_crowded = False

    def receive(self):
        """The next frame; EOFError when the runtime closed the channel. `BOOTED` is noted and passed over."""
        self._fill(HEADER.size)
        kind, version, event, meta_len, body_len = HEADER.unpack_from(self.buffer)
        if version != 1 or (event != 0 and not self.is_crowded):
            raise AssertionError(f"bad header: version {version}, event {event}")
        body_at = HEADER.size + meta_len
        self._fill(body_at + body_len)
        frame = Frame(kind, event, bytes(self.buffer[HEADER.size : body_at]), bytes(self.buffer[body_at : body_at + body_len]))
        del self.buffer[: body_at + body_len]
        if kind == BOOTED:
            self.booted = True
            return self.receive()
        return frame

    def _fill(self, size):
        while len(self.buffer) < size:
            data = self.channel.recv(1 << 20)
            if not data:
                raise EOFError("the runtime closed the channel")
            self.buffer += data

    def invoke(self, event=None, raw=None, **meta):
        """Sends one invocation and returns the first frame of its answer."""
        self.send(event, raw, **meta)
        return self.receive()

    def send(self, event=None, raw=None, **meta):
        self.channel.sendall(invoke_frame(event, raw, **meta))

    def send_numbered(self, number, event=None, **meta):
        """Sends one of several invocations, whose request id is its number."""
        self.is_crowded = True
        self.send(event, number=number, requestId=f"id-{number}", **meta)

    def resume(self, event=None, env=None, **meta):
        """Tells the runtime that it is a clone, and in the same write its first event; the answer's first frame."""
        self.channel.sendall(resume_frame(env) + invoke_frame(event, **meta))
        return self.receive()

    def freeze(self):
        """Tells the runtime that it will be frozen; its answer."""
        self.channel.sendall(frame(FREEZE))
        return self.receive()

    def collect(self):
        """Has the runtime collect its garbage; its answer."""
        self.channel.sendall(frame(COLLECT))
        return self.receive()


class Runtime(Conversation):
    """A bootstrap as a child process, its channel, and its log in a file."""

    def __init__(self, runtime, task_root, handler, env=None, timeout_s=20, cwd=None, wrapper=()):
        ours, theirs = socket.socketpair()
        super().__init__(ours, timeout_s)
        self.log_file = tempfile.TemporaryFile()
        environment = {
            "PATH": "/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            **({} if handler is None else {"_HANDLER": handler}),
            "LAMBDA_TASK_ROOT": str(task_root),
            "OFFSHOOT_CHANNEL_FD": "3",
            "AWS_LAMBDA_FUNCTION_NAME": "tested",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/tested",
            "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
            **(env or {}),
        }
        with theirs:
            # A shell moves the socket to descriptor 3 and becomes the runtime.
            number = theirs.fileno()
            move = f"3<&{number} {number}<&-" if number != 3 else ""
            self.process = subprocess.Popen(
                ["/bin/bash", "-c", f'exec "$@" {move}', "bootstrap", *wrapper, *COMMANDS[runtime]],
                cwd=cwd or task_root,
                env=environment,
                pass_fds=[number],
                stdin=subprocess.DEVNULL,
                stdout=self.log_file,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log_file.close()

    def stream(self, event=None):
        """Invokes a streaming handler: the first frame, the joined chunks and the last frame."""
        first = self.invoke(event, streaming=True)
        data, last = b"", self.receive()
        while last.kind == STREAM_CHUNK:
            if len(last.body) > 1 << 20:
                raise AssertionError("chunk over 1 MiB")
            data, last = data + last.body, self.receive()
        return first, data, last

    def log(self):
        """Everything printed so far, both streams."""
        return os.pread(self.log_file.fileno(), 1 << 24, 0).decode()

    def exit_status(self):
        return self.process.wait(self.timeout_s)
