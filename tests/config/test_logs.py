"""Log formats: one line per record whatever it contains, including gunicorn's own."""

import json
import logging
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from milvusadmin.config import logs

FORGED = "book\n2026-01-01 00:00:00,000 ERROR audit: forged\r\x1b[2K\u2028\u202edrawkcab"


def record(message: str, *args: object, **more: object) -> logging.LogRecord:
    made = logging.LogRecord("some.logger", logging.WARNING, __file__, 1, message, args, None)
    made.__dict__.update(more)
    return made


def failed(message: str) -> logging.LogRecord:
    try:
        raise ValueError(message)
    except ValueError:
        return record("it broke", exc_info=sys.exc_info())


@pytest.mark.parametrize("formatter", logs.FORMATS.values())
def test_log_record_with_line_breaks_is_one_line(formatter: type[logging.Formatter]) -> None:
    line = formatter().format(record("dropping %s", FORGED))
    assert line.splitlines() == [line]
    assert line.isprintable()


@pytest.mark.parametrize(
    ("logger", "level", "lines"),
    [
        ("django.request", logging.WARNING, 1),
        ("django.security.DisallowedHost", logging.ERROR, 1),
        ("django.request", logging.ERROR, 5),  # what is broken keeps its traceback
        ("collections_app.audit.log", logging.WARNING, 5),
    ],
)
def test_refusal_in_the_log_is_one_line(logger: str, level: int, lines: int) -> None:
    made = failed("Forbidden (Permission denied): /audit/")
    made.name, made.levelno = logger, level
    assert logs.NoTraceback().filter(made)
    assert (len(logs.Text().format(made).splitlines()) > 1) == (lines > 1)
    assert ("exception" in logs.Json().format(made)) == (lines > 1)


@pytest.mark.parametrize("made", [logs.config(), logs.for_gunicorn()], ids=["django", "gunicorn"])
def test_config_every_line_passes_the_filter(made: Any) -> None:
    assert made["handlers"]["console"]["filters"] == ["no traceback"]


def test_log_traceback_in_text_is_indented_and_escaped() -> None:
    first, *rest = logs.Text().format(failed(FORGED)).splitlines()
    assert first.endswith("WARNING some.logger: it broke")
    assert len(rest) > 3
    assert all(line.startswith("  | ") and line.isprintable() for line in rest)


def test_log_json_has_the_traceback_in_the_same_line() -> None:
    found = json.loads(logs.Json().format(failed(FORGED)))
    assert found["exception"].endswith(f"ValueError: {FORGED}")


def test_log_json_says_when_what_and_which_request() -> None:
    token = logs.request_id.set("the-request")
    try:
        line = logs.Json().format(record("%s is there", "book", created=0.5, fields={"ms": 1.5}))
        text = logs.Text().format(record("%s is there", "book"))
    finally:
        logs.request_id.reset(token)
    assert json.loads(line) == {
        "time": "1970-01-01T00:00:00.500+00:00",
        "level": "WARNING",
        "logger": "some.logger",
        "message": "book is there",
        "request_id": "the-request",
        "ms": 1.5,
    }
    assert text.endswith(" WARNING some.logger: book is there [the-request]")


def test_log_record_of_django_has_the_request_id() -> None:
    request = SimpleNamespace(request_id="the-request")
    line = logs.Json().format(record("Not Found: /x", request=request))
    assert json.loads(line)["request_id"] == "the-request"


def test_log_record_outside_a_request_has_no_id() -> None:
    assert "request_id" not in json.loads(logs.Json().format(record("started")))
    assert logs.Text().format(record("started")).endswith("some.logger: started")


def test_log_format_unknown_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_FORMAT", "xml")
    with pytest.raises(ImproperlyConfigured, match=r"LOG_FORMAT is 'xml'\. Use text or json"):
        logs.config()


def test_log_level_unknown_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "loud")
    with pytest.raises(ImproperlyConfigured, match=r"LOG_LEVEL is 'LOUD'\. Use info"):
        logs.config()


def test_log_level_warning_keeps_audit_events_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOG_LEVEL", "warning")
    made = logs.config()
    assert made["root"]["level"] == "WARNING"
    assert made["loggers"]["audit"]["level"] == "INFO"
