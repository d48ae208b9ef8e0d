"""The copy of the log, kept elsewhere, proves what a log in an attacker's hands can't."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from collections_app.audit import log, triggers, verify
from collections_app.audit.log import export_line
from collections_app.models import AuditEvent
from tests.audit.test_log import ENTRY, sql

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def written(*messages: str) -> list[str]:
    """The lines of new events with these messages."""
    return [export_line(log.write(replace(ENTRY, message=text))) for text in messages]


def against(lines: list[str], tmp_path: Path) -> str:
    """What the command says of the log and a copy."""
    copy, said = tmp_path / "copy.jsonl", io.StringIO()
    copy.write_text("".join(f"{line}\n" for line in lines))
    call_command("verify_audit_log", "--against", str(copy), stdout=said)
    return said.getvalue().splitlines()[-1]


def test_copy_check_of_an_unchanged_log_agrees(tmp_path: Path) -> None:
    """The copy is out of order, has duplicates, and is incomplete: several processes write it."""
    lines = written(*"abcde")
    said = against([lines[3], "", lines[1], lines[3]], tmp_path)
    assert said == "The log agrees with the copy: 3 lines, up to event 4"


def cut_the_tail() -> None:
    sql("DELETE FROM LOG WHERE sequence > 3")


def restore_an_old_backup() -> None:
    """And go on from there: the numbers are taken again."""
    cut_the_tail()
    written("other d", "other e", "other f")


def write_anew_with_the_key() -> None:
    """The whole chain, but for an attempt that somebody would rather not have made."""
    events = list(AuditEvent.objects.order_by("sequence"))
    sql("DELETE FROM LOG")
    written(*(f"anew {event.sequence}" for event in events))


@pytest.mark.parametrize(
    ("tamper", "says"),
    [
        (cut_the_tail, "event 4 is in the copy and not in the log"),
        (restore_an_old_backup, "event 4 of the log is not the one in the copy"),
        (write_anew_with_the_key, "event 1 of the log is not the one in the copy"),
    ],
)
def test_copy_check_finds_what_the_chain_alone_cannot(
    tamper: Callable[[], None], says: str, tmp_path: Path
) -> None:
    lines = written(*"abcde")
    triggers.remove(connection)
    tamper()
    assert not verify.verify().broken, "the chain alone can't tell"
    with pytest.raises(CommandError, match="The log is not the one that was copied") as caught:
        against(lines, tmp_path)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("lines", "says"), [([], "holds no event"), (["no event"], "can't be compared: not an event")]
)
def test_copy_check_against_something_else_is_refused(
    lines: list[str], says: str, tmp_path: Path
) -> None:
    written("a")
    with pytest.raises(CommandError, match=says):
        against(lines, tmp_path)


def test_copy_check_of_an_unreadable_file_says_so(tmp_path: Path, db: Any) -> None:
    with pytest.raises(CommandError, match="can't be read"):
        call_command("verify_audit_log", "--against", str(tmp_path / "nosuch"))
