"""What only a failing invocation or an unusual response needs; imported at the first one."""

import json
import os
import time
import traceback

INDENT = "\u00a0"  # no-break space, as Lambda prints it: log viewers trim ordinary leading blanks


def report(error, bootstrap_file, request_id, fault_type):
    """Prints `error` to the log as Lambda does and returns the error object as JSON bytes."""
    if isinstance(error, fault_type):
        kind, message, trace = error.kind, str(error), error.trace
    else:
        kind, message, trace = type(error).__name__, text_of(error), user_frames(error, bootstrap_file)
    result = {"errorMessage": message, "errorType": kind, "requestId": request_id or "", "stackTrace": trace}
    if os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON":
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        print(json.dumps({"timestamp": stamp, "level": "ERROR", **result}))
    else:
        print(as_text(kind, message, trace))
    # Escaped, not UTF-8: a message may hold a lone surrogate.
    return json.dumps(result).encode()


def text_of(error):
    try:
        return str(error)
    except Exception as second:  # a `__str__` of user code may fail as well
        return f"<unprintable {type(error).__name__}: {type(second).__name__}>"


def user_frames(error, bootstrap_file):
    """The traceback, formatted, from the first frame outside the bootstrap's folder."""
    frames, own = traceback.extract_tb(error.__traceback__), os.path.dirname(bootstrap_file)
    first = next((at for at, frame in enumerate(frames) if os.path.dirname(frame.filename) != own), 0)
    return traceback.format_list(frames[first:])


def as_text(kind, message, trace):
    lines = [f"[ERROR] {kind}: {message}" if message else f"[ERROR] {kind}", "Traceback (most recent call last):"]
    for line in (line for entry in trace for line in entry.splitlines() or [""]):
        bare = line.lstrip(" ")
        lines.append(INDENT * (len(line) - len(bare)) + bare)
    return "\n".join(lines)


def encode_decimals(value, plain_value, has_decimal):
    """JSON text of `value` with each `decimal.Decimal` as the number it is, no digit lost.

    The encoder of the standard library cannot write a number from text, so every Decimal is first written as a
    string that nothing else in the value can equal, and the digits are put in its place afterwards.
    """
    token = os.urandom(16).hex()
    numbers = []

    def default(item):
        try:
            return plain_value(item)
        except has_decimal:
            if item.is_nan():
                return float("nan")
            numbers.append(str(item))
            return token

    parts = json.JSONEncoder(ensure_ascii=False, default=default).encode(value).split(f'"{token}"')
    return parts[0] + "".join(number + part for number, part in zip(numbers, parts[1:]))
