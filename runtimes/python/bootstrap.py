"""Runs one Lambda function in Python: loads `_HANDLER`, then answers invocations from the channel.

The channel is a blocking Unix stream socket at file descriptor 3; `docs/format/channel.md` specifies its frames.
A parked runtime waits in one `read` of that descriptor and nowhere else, so that whoever clones this process can
put another socket in its place.

Behaviour follows the Python runtime of AWS Lambda ("Building Lambda functions with Python" in the AWS Lambda
Developer Guide). This file holds what every start needs; what only some need is imported on first use, because
each import is paid at every cold start: `_offshoot_faults` at the first error, `_offshoot_logging` when user code
imports `logging`, `_offshoot_clone` when the process is about to be frozen, `_offshoot_secrets` when it has less of an
environment than its clones will have, `snapshot_restore_py` when user code does, `_offshoot_runtime` in a process that has
no function yet.
"""

import gc
import json
import os
import sys
import time
from struct import Struct

INVOKE, RESUME, FREEZE, COLLECT = 1, 2, 3, 4
BOOTED, READY, INIT_ERROR, RESPONSE, ERROR, FROZEN, COLLECTED = 15, 16, 17, 18, 19, 24, 25
HEADER = Struct("<BBHIQ")  # kind, version, reserved, meta_len, body_len
HEADER_BYTES = HEADER.size
VERSION = 1
META_LIMIT_BYTES = 65_536
BODY_LIMIT_BYTES = 64 << 20  # far above what the node sends; keeps a broken frame from taking all memory
READ_BYTES = 65_536  # one read takes header, metadata and event of nearly every invocation
JOIN_LIMIT_BYTES = 65_536  # up to here copying the body next to its header is cheaper than a gathering write

CHANNEL = int(os.environ.get("OFFSHOOT_CHANNEL_FD", "3"))
HERE = os.path.dirname(os.path.abspath(__file__))

# What the last read took beyond the frame that it was for: a clone gets its first two frames at once.
kept = b""

# Of the running invocation, for log lines.
request_id = None
tenant_id = None
trace_id = None


class Fault(Exception):
    """An error that the runtime itself found; `kind` becomes `errorType`."""

    def __init__(self, kind, message, trace=()):
        super().__init__(message)
        self.kind = kind
        self.trace = list(trace)


class Record:
    """A record whose fields are its slots; a field missing from `source` is None, as on Lambda."""

    __slots__ = ()

    def __init__(self, source):
        for name in self.__slots__:
            setattr(self, name, source.get(name))

    def __repr__(self):
        return f"{type(self).__name__}([{','.join(f'{n}={getattr(self, n)}' for n in self.__slots__)}])"


class CognitoIdentity(Record):
    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self, source):
        self.cognito_identity_id = source and source.get("cognitoIdentityId")
        self.cognito_identity_pool_id = source and source.get("cognitoIdentityPoolId")


class Client(Record):
    __slots__ = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")


class ClientContext(Record):
    __slots__ = ("custom", "env", "client")

    def __init__(self, source):
        super().__init__(source)
        self.client = Client(self.client) if isinstance(self.client, dict) else None


class LambdaContext:
    """The second argument of a handler: "AWS Lambda context object in Python"."""

    @classmethod
    def read_environment(cls):
        """Takes what is the same in every invocation; a clone does so again."""
        variable = os.environ.get
        cls.log_group_name = variable("AWS_LAMBDA_LOG_GROUP_NAME")
        cls.log_stream_name = variable("AWS_LAMBDA_LOG_STREAM_NAME")
        cls.function_name = variable("AWS_LAMBDA_FUNCTION_NAME")
        cls.memory_limit_in_mb = variable("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        cls.function_version = variable("AWS_LAMBDA_FUNCTION_VERSION")

    def __init__(self, meta):
        self.aws_request_id = meta["requestId"]
        self.invoked_function_arn = meta.get("arn")
        self.tenant_id = meta.get("tenantId")
        self._deadline_ms = meta["deadlineMs"]
        client = parse_context(meta, "clientContext", "Client Context")
        self.client_context = None if client is None else ClientContext(client)
        self.identity = CognitoIdentity(parse_context(meta, "cognitoIdentity", "Cognito Identity"))

    def get_remaining_time_in_millis(self):
        """Milliseconds until the invocation times out; never negative."""
        return max(0, self._deadline_ms - int(time.time() * 1000))

    def log(self, message):
        """Writes one log line, without any prefix."""
        print(message)

    def __repr__(self):
        names = (
            "aws_request_id log_group_name log_stream_name function_name memory_limit_in_mb "
            "function_version invoked_function_arn client_context identity tenant_id"
        )
        return f"LambdaContext([{','.join(f'{n}={getattr(self, n)}' for n in names.split())}])"


def parse_context(meta, field, name):
    """The JSON object that the metadata carries as text in `field`, or None."""
    text = meta.get(field)
    if not text:
        return None
    try:
        value = json.loads(text)
        if not isinstance(value, dict):
            raise ValueError("not an object")
        return value
    except ValueError as error:
        raise Fault("Runtime.LambdaContextUnmarshalError", f"Unable to parse {name} JSON: {error}") from None


# ---- the channel ----


def receive():
    """Waits for one frame: its kind, its metadata and its body. Ends the process at end of file."""
    global kept
    data, kept = kept or os.read(CHANNEL, READ_BYTES), b""
    while len(data) < HEADER_BYTES:
        more = os.read(CHANNEL, READ_BYTES) if data else b""
        if not more:
            leave(0 if not data else 1)
        data += more
    kind, version, _, meta_bytes, body_bytes = HEADER.unpack_from(data)
    known = kind == INVOKE or (kind in (RESUME, FREEZE, COLLECT) and body_bytes == 0)
    if not known or version != VERSION or meta_bytes > META_LIMIT_BYTES or body_bytes > BODY_LIMIT_BYTES:
        print(f"channel: unusable frame (kind {kind}, version {version})", file=sys.stderr)
        leave(1)
    body_start = HEADER_BYTES + meta_bytes
    total = body_start + body_bytes
    if len(data) < total:
        data = receive_rest(data, total)
    elif len(data) > total:
        kept = data[total:]
    return kind, data[HEADER_BYTES:body_start], data[body_start:total]


def receive_rest(head, total):
    """`head` and what follows it on the channel, `total` bytes together."""
    data = bytearray(total)
    data[: len(head)] = head
    have = len(head)
    with memoryview(data) as view:
        while have < total:
            count = os.readv(CHANNEL, [view[have:]])
            if count == 0:
                leave(1)
            have += count
    return data


def send(kind, body=b"", meta=b""):
    """Sends one frame; everything printed so far goes out before it."""
    flush()
    header = HEADER.pack(kind, VERSION, 0, len(meta), len(body)) + meta
    if len(body) <= JOIN_LIMIT_BYTES:
        data = header + body
        sent = os.write(CHANNEL, data)
    else:
        data = body
        sent = os.writev(CHANNEL, [header, body]) - len(header)  # a stream socket takes so few bytes or none
    while sent < len(data):
        sent += os.write(CHANNEL, memoryview(data)[sent:])


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, ValueError, OSError):
            pass  # user code replaced or closed it


def leave(status):
    """Ends the process at once: nobody is left to wait for user threads or exit hooks."""
    flush()
    os._exit(status)


# ---- values ----


def plain_value(value):
    """Encodes what `json` does not know: bytes as text, as Lambda does."""
    if isinstance(value, (bytes, bytearray)):
        return value.decode()
    if type(value).__name__ == "Decimal":
        raise HasDecimal
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


class HasDecimal(Exception):
    """The response holds a `decimal.Decimal`, which takes a slower encoding."""


DECODER = json.JSONDecoder()
ENCODER = json.JSONEncoder(ensure_ascii=False, default=plain_value)


def marshal(response):
    """The handler's result as JSON; bytes pass unchanged."""
    if isinstance(response, bytes):
        return response
    try:
        try:
            return ENCODER.encode(response).encode()
        except HasDecimal:
            return load_own("_offshoot_faults").encode_decimals(response, plain_value, HasDecimal).encode()
        except UnicodeEncodeError:  # a lone surrogate has no UTF-8, but it has an escape
            return json.JSONEncoder(default=plain_value).encode(response).encode()
    except Exception as error:
        raise Fault("Runtime.MarshalError", f"Unable to marshal response: {error}") from None


def unmarshal(body):
    """The event; an empty body is an empty object."""
    if not body:
        return {}
    try:
        return DECODER.decode(str(body, "utf-8"))
    except Exception as error:
        raise Fault("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}") from None


# ---- loading ----


def load_own(name):
    """Imports a module that lies beside this file; user code never sees that folder on its path."""
    sys.path.insert(0, HERE)
    try:
        return __import__(name)
    finally:
        sys.path.remove(HERE)


class HooksFinder:
    """Finds Lambda's module of snapshot hooks for user code that does not bring its own: the last on `sys.meta_path`."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "snapshot_restore_py":
            return None
        from importlib.util import spec_from_file_location

        return spec_from_file_location(name, os.path.join(HERE, name + ".py"))


fork_hooks = []  # (before, after_in_child) of `os.register_at_fork`, which keeps its list to itself


def note_fork_hooks():
    """From here on remembers what modules do in a forked child: much of it is what a clone has to do as well."""
    register = os.register_at_fork

    def register_at_fork(**hooks):
        register(**hooks)
        fork_hooks.append((hooks.get("before"), hooks.get("after_in_child")))

    os.register_at_fork = register_at_fork


class LoggingFinder:
    """Sets up Lambda's log format in the moment user code first imports `logging`, which is costly to import."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name != "logging":
            return None
        sys.meta_path.remove(cls)
        spec = next(filter(None, (finder.find_spec(name, path, target) for finder in sys.meta_path)), None)
        if spec is not None:
            execute = spec.loader.exec_module

            def execute_and_install(module):
                execute(module)
                load_own("_offshoot_logging").install(sys.modules["__main__"])

            spec.loader.exec_module = execute_and_install
        return spec


def load_handler(name):
    """The function that `_HANDLER` names: `module.function`, folders separated by `/` or `.`."""
    module_name, dot, function_name = name.rpartition(".")
    if not dot:
        raise Fault(
            "Runtime.MalformedHandlerName",
            f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)",
        )
    if module_name.split(".")[0] in sys.builtin_module_names:
        raise Fault(
            "Runtime.BuiltInModuleConflict",
            f"Cannot use built-in module {module_name} as a handler module",
        )
    path = module_name.replace("/", ".")
    try:
        __import__(path)  # `importlib.import_module` without importing importlib
    except ImportError as error:
        raise Fault("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}") from None
    except SyntaxError as error:
        trace = f'  File "{error.filename}" Line {error.lineno}\n    {error.text}'
        raise Fault(
            "Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}", [trace]
        ) from None
    try:
        return getattr(sys.modules[path], function_name)
    except AttributeError:
        raise Fault(
            "Runtime.HandlerNotFound", f"Handler '{function_name}' missing on module '{module_name}'"
        ) from None


def user_paths():
    """Where user code lies: the package, then layers."""
    root = os.environ.get("LAMBDA_TASK_ROOT", "/var/task")
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    return [root, f"/opt/python/lib/{version}/site-packages", "/opt/python"]


def prepare_process():
    """Sets up what user code finds around it: module path, output streams, logging."""
    sys.path[:1] = user_paths()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    LambdaContext.read_environment()
    note_fork_hooks()
    sys.meta_path.append(HooksFinder)
    os.set_inheritable(CHANNEL, False)  # a child of user code must not keep the channel open
    os.set_blocking(CHANNEL, True)
    if "logging" in sys.modules:
        load_own("_offshoot_logging").install(sys.modules["__main__"])
    else:
        sys.meta_path.insert(0, LoggingFinder)


# ---- the loop ----


def describe(error):
    """The error object of the channel, as bytes, after printing it to the log."""
    return load_own("_offshoot_faults").report(error, __file__, request_id, Fault)


def set_trace_id(value):
    """Puts the trace header of the invocation where the X-Ray SDK looks for it."""
    global trace_id
    trace_id = value
    if value is None:
        os.environ.pop("_X_AMZN_TRACE_ID", None)
    else:
        os.environ["_X_AMZN_TRACE_ID"] = value


def answer(handler, meta, body):
    """Runs one invocation: the kind and body of its answer."""
    global request_id, tenant_id
    request_id, tenant_id = meta["requestId"], meta.get("tenantId")
    if meta.get("traceId") != trace_id:
        set_trace_id(meta.get("traceId"))
    try:
        context = LambdaContext(meta)
        return RESPONSE, marshal(handler(unmarshal(body), context))
    except Exception as error:
        return ERROR, describe(error)


REHEARSALS = 16  # after eight runs CPython 3.11 has made of code what suits it, which writes to it


def rehearse():
    """Answers events of its own, so that a clone's first one finds everything as later ones do."""
    global request_id
    for _ in range(REHEARSALS):
        answer(lambda event, context: event, DECODER.decode('{"requestId": "rehearsal", "deadlineMs": 0}'), b'{"a": [1, "b"]}')
    request_id = None


def obey(kind, meta):
    """Does what a frame asks that is no invocation. A clone that cannot be made unique never sees an event."""
    global request_id, tenant_id
    request_id = tenant_id = None
    clone = sys.modules.get("_offshoot_clone") or load_own("_offshoot_clone")
    freezing = kind == FREEZE
    try:
        if freezing:
            clone.freeze()
        else:
            clone.resume(DECODER.decode(str(meta, "utf-8"))["env"], fork_hooks)
            LambdaContext.read_environment()
            clone.run_after_restore()
    except BaseException as error:
        clone.fail(sys.modules["__main__"], freezing, error)
    if freezing:
        send(FROZEN)


def await_function():
    """A process without `_HANDLER` is the seed of the runtime, or becomes it; in its clones `RESUME` brings a function."""
    seed = load_own("_offshoot_runtime").RuntimeSeed(sys.modules["__main__"])
    send(BOOTED)
    while "_HANDLER" not in os.environ:
        kind, meta, _ = receive()
        if kind in (INVOKE, COLLECT):
            leave(1)
        obey(kind, meta)
    seed.meet_function()


def serve():
    prepare_process()
    if "_HANDLER" in os.environ:
        send(BOOTED)
    else:
        await_function()
    if "OFFSHOOT_WITHHELD" in os.environ:
        load_own("_offshoot_secrets").withhold(sys.modules["__main__"])
    try:
        handler = load_handler(os.environ["_HANDLER"])
    except Exception as error:
        send(INIT_ERROR, describe(error))
        leave(1)
    if "_offshoot_runtime" not in sys.modules:
        # What init made is long-lived: a collection that skips it writes to none of its pages, which clones share. In a
        # clone of the runtime that was done before, and the rest waits until it is frozen itself.
        gc.freeze()
    send(READY)
    while True:
        kind, meta, body = receive()
        if kind == INVOKE:
            send(*answer(handler, DECODER.decode(str(meta, "utf-8")), body))
        elif kind == COLLECT:
            gc.collect()
            send(COLLECTED)
        else:
            obey(kind, meta)


def main():
    try:
        serve()
    except ConnectionError:  # of the channel: those of user code end in `answer` and `describe`
        leave(1)


if __name__ == "__main__":
    main()
