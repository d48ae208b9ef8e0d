"""Commands that end: no audit lines on a terminal, and one JSON object."""

import io
import json
import logging
from collections.abc import Iterator
from io import StringIO

import pytest
from django.core.management import call_command

from collections_app.management.commands import reconcile_operations, watch
from collections_app.management.shell import AUDIT_LOGGER

pytestmark = pytest.mark.django_db(transaction=True)


class Stream(io.StringIO):
    """Standard error: a terminal, or a file or a pipe."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@pytest.fixture(params=[True, False], ids=["terminal", "pipe"])
def stream(request: pytest.FixtureRequest) -> Iterator[Stream]:
    made = Stream(terminal=request.param)
    handler = logging.StreamHandler(made)
    AUDIT_LOGGER.addHandler(handler)
    level, AUDIT_LOGGER.level = AUDIT_LOGGER.level, logging.INFO
    yield made
    AUDIT_LOGGER.level = level
    AUDIT_LOGGER.removeHandler(handler)


def test_audit_line_is_printed_except_on_a_terminal(stream: Stream) -> None:
    err = StringIO()
    call_command("note_in_audit_log", "moved", stdout=StringIO(), stderr=err)
    assert ('"record"' in stream.getvalue()) is not stream.terminal
    told = "1 event was recorded in the audit log. The JSON line is not printed on a terminal"
    assert (told in err.getvalue()) is stream.terminal


def test_audit_line_after_the_command_is_printed_on_a_terminal(stream: Stream) -> None:
    """A server's lines are the copy that leaves the machine, wherever it runs."""
    call_command("note_in_audit_log", "moved", stdout=StringIO(), stderr=StringIO())
    AUDIT_LOGGER.info("later")
    assert "later" in stream.getvalue()


def test_loop_on_a_terminal_prints_audit_lines() -> None:
    assert reconcile_operations.Command().is_loop({"loop": True})
    assert not reconcile_operations.Command().is_loop({"loop": False})
    assert watch.Command().is_loop({"once": False})
    assert not watch.Command().is_loop({"once": True})


def test_note_with_json_prints_one_object() -> None:
    out = StringIO()
    call_command("note_in_audit_log", "moved", "--json", stdout=out)
    told = json.loads(out.getvalue())
    assert (told["ok"], told["exit_code"], told["event"]) == (True, 0, 1)
