"""Lambda's formats for the `logging` package; imported when user code imports `logging`."""

import json
import logging
import os
import sys
import time

STAMP = "%Y-%m-%dT%H:%M:%S"
TEXT_FORMAT = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s"
STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "aws_request_id", "tenant_id"}


def install(bootstrap):
    """Gives the root logger its handler. `bootstrap` is the module whose `request_id` names the invocation."""
    logging.Formatter.converter = time.gmtime
    handler = StandardOutput()
    handler.addFilter(lambda record: mark(record, bootstrap))
    root = logging.getLogger()
    if os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON":
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter(TEXT_FORMAT, STAMP))
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
    level = "DEBUG" if level == "TRACE" else level
    if level in ("DEBUG", "INFO", "WARN", "WARNING", "ERROR", "FATAL", "CRITICAL"):
        root.setLevel(level)
    root.addHandler(handler)


def mark(record, bootstrap):
    record.aws_request_id = bootstrap.request_id or ""
    record.tenant_id = bootstrap.tenant_id
    return True


class StandardOutput(logging.Handler):
    """Writes to what `sys.stdout` is at that moment, so that a redirection by user code holds."""

    def emit(self, record):
        try:
            sys.stdout.write(self.format(record) + "\n")
        except Exception:
            self.handleError(record)


class JsonFormatter(logging.Formatter):
    """One JSON object per record, with the fields of Lambda's JSON log format."""

    def format(self, record):
        result = {
            "timestamp": time.strftime(STAMP + "Z", time.gmtime(record.created)),
            "level": record.levelname,
            "message": record.msg if isinstance(record.msg, dict) and not record.args else record.getMessage(),
            "logger": record.name,
            "requestId": record.aws_request_id,
        }
        if record.tenant_id is not None:
            result["tenantId"] = record.tenant_id
        if record.exc_info and record.exc_info[0]:
            import traceback

            result["errorType"] = record.exc_info[0].__name__
            result["errorMessage"] = str(record.exc_info[1])
            result["stackTrace"] = traceback.format_tb(record.exc_info[2])
            result["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
        extra = {k: v for k, v in vars(record).items() if k not in STANDARD_FIELDS and k not in result}
        return json.dumps({**result, **extra}, ensure_ascii=False, default=str)
