"""The log: one line for each record, as text or as JSON, with the id of the request it is about.

No structlog: every line comes from the standard library's loggers, Django's and gunicorn's too, and
these two formatters are all that is missing there. Imports no settings: gunicorn's own
configuration takes `for_gunicorn()` before any are there.
"""

import json
import logging
import os
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ImproperlyConfigured

request_id: ContextVar[str] = ContextVar("request_id", default="")


class Text(logging.Formatter):
    """For people: `time LEVEL logger: message [request id]`. Nobody's name can begin a new line."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        known = _request_of(record)
        return printable(super().formatMessage(record)) + (f" [{known}]" if known else "")

    def formatException(self, ei: Any) -> str:
        lines = super().formatException(ei).splitlines()
        return "\n".join(f"  | {printable(line)}" for line in lines)


class Json(logging.Formatter):
    """For machines: one object on one line, in ASCII. `fields` of a record become keys."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **({"request_id": known} if (known := _request_of(record)) else {}),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _request_of(record: logging.LogRecord) -> str:
    """Django notes an answer like 404 when the request is over; its record has the request."""
    return request_id.get() or getattr(getattr(record, "request", None), "request_id", "")


def printable(text: str) -> str:
    """The text with everything escaped that could break a line, or turn it around."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


LEVELS = ("INFO", "WARNING", "ERROR")
FORMATS: dict[str, type[logging.Formatter]] = {"text": Text, "json": Json}


def config(audit_log_file: str = "") -> dict[str, Any]:
    """Django's LOGGING."""
    to = (
        {"class": "logging.handlers.WatchedFileHandler", "filename": audit_log_file}
        if audit_log_file
        else {"class": "logging.StreamHandler"}
    )
    made = _to_standard_error()
    made["formatters"]["as it is"] = {"format": "%(message)s"}
    made["handlers"]["audit"] = to | {"formatter": "as it is"}
    made["loggers"] = {
        # One JSON line per audit event: the copy that leaves the machine.
        "audit": {"handlers": ["audit"], "level": "INFO", "propagate": False},
        "axes": {"level": "ERROR"},  # what it notes is in the audit log
    }
    return made


def for_gunicorn() -> dict[str, Any]:
    """gunicorn's `logconfig_dict`: its own lines in the same format.

    Its access log is left as it is: off, unless its command line says otherwise.
    """
    own = {"handlers": ["console"], "level": "INFO", "propagate": False, "filters": ["limits"]}
    made = _to_standard_error() | {"loggers": {"gunicorn.error": own}}
    made["filters"]["limits"] = {"()": NamesLimits}
    return made


class NamesLimits(logging.Filter):
    """gunicorn says that a header was too long, but not what to do about it."""

    def filter(self, record: logging.LogRecord) -> bool:
        if "limit request headers" in str(record.msg):
            record.msg = (
                f"{record.msg}. A header is longer than HEADER_BYTES permits: with SIGN_IN=proxy "
                "probably the one with the groups. Raise HEADER_BYTES, or let the proxy "
                "send fewer groups."
            )
        return True


class NoTraceback(logging.Filter):
    """What Django refuses by itself is one line: its traceback shows Django's own code only."""

    def filter(self, record: logging.LogRecord) -> bool:
        refused = record.name == "django.request" and record.levelno < logging.ERROR
        if refused or record.name.startswith("django.security"):
            record.exc_info = record.exc_text = None
        return True


def _to_standard_error() -> dict[str, Any]:
    """Because commands write their results to standard output."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": _formatter()}},
        "filters": {"no traceback": {"()": NoTraceback}},
        "handlers": {
            "console": {
                "class": "logging.StreamHandler",
                "formatter": "lines",
                "filters": ["no traceback"],
            }
        },
        "root": {"handlers": ["console"], "level": _level()},
    }


def _level() -> str:
    """From which level on a line is written. The audit lines are always."""
    chosen = (os.environ.get("LOG_LEVEL") or "info").upper()
    if chosen not in LEVELS:
        raise ImproperlyConfigured(f"LOG_LEVEL is {chosen!r}. Use info, warning or error.")
    return chosen


def _formatter() -> type[logging.Formatter]:
    chosen = os.environ.get("LOG_FORMAT") or "text"
    if chosen not in FORMATS:
        raise ImproperlyConfigured(f"LOG_FORMAT is {chosen!r}. Use text or json.")
    return FORMATS[chosen]
