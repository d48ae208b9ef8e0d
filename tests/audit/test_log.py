"""The hash chain of the audit log: events are permanent, and tampering is located."""

import hashlib
import json
import logging
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction

from collections_app.audit import log as audit_log
from collections_app.audit import sqlite_queue, triggers, verify
from collections_app.audit.log import GENESIS, Entry, LogUnwritable, Outcome, Phase, export_line
from collections_app.models import AuditEvent
from tests.fixtures import caller, cluster_at
from tests.operations.conftest import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

TARGET = {
    "cluster": "main",
    "database": "default",
    "kind": "collection",
    "collection": "book",
    "name": "book",
}
ENTRY = Entry(
    phase=Phase.REJECTED,
    action="collection.drop",
    caller=caller("ada"),
    outcome=Outcome.DENIED,
    operation_id=uuid.UUID(int=7),
    target=TARGET,
    message="not permitted",
    details={"reason": "tidying up", "odd": 'a "b"\n<c> \u2028 日本 \x00'},
)
MIDDLE, LAST = 3, 5


def sql(statement: str, *values: object) -> None:
    """As a database administrator does, past the application."""
    with connection.cursor() as cursor:
        cursor.execute(statement.replace("LOG", triggers.TABLE), values or None)


@pytest.fixture
def log() -> list[AuditEvent]:
    """Five events."""
    return [audit_log.write(replace(ENTRY, message=f"event {n}")) for n in range(1, LAST + 1)]


@pytest.fixture
def tampered(log: list[AuditEvent]) -> list[AuditEvent]:
    """The same, with nothing in the database that stops somebody from changing it."""
    triggers.remove(connection)
    return log


# --- appending ----------------------------------------------------------------------------------


def test_verify_empty_log_is_intact() -> None:
    assert verify.verify() == verify.Verdict(0, 0, GENESIS)


def test_events_are_numbered_from_one_and_chained(log: list[AuditEvent]) -> None:
    assert [event.sequence for event in log] == [1, 2, 3, 4, 5]
    assert [event.prev_hash for event in log] == [GENESIS, *(e.hash for e in log[:-1])]
    assert len({event.hash for event in log}) == LAST
    assert verify.verify() == verify.Verdict(LAST, LAST, log[-1].hash)


def test_event_is_read_back_as_it_was_written() -> None:
    written = audit_log.write(ENTRY)
    event = AuditEvent.objects.get()
    record = json.loads(event.record)
    assert (event.record, event.hash) == (written.record, written.hash)
    assert record["details"] == ENTRY.details
    assert record["target"] == TARGET
    assert record["actor"] == {
        "issuer": "test",
        "subject": "ada",
        "display": "Ada",
        "groups": ["operator", "auditor"],
        "method": "local",
        "authenticated_at": "",
    }
    assert (
        event.recorded_at.astimezone(UTC).isoformat(timespec="microseconds")
        == (record["recorded_at"])
    )
    assert (event.actor, event.name, event.outcome) == ("Ada|test|ada", "book", "denied")


def test_event_without_target_and_operation_is_written() -> None:
    audit_log.write(replace(ENTRY, operation_id=None, target=None, details=None))
    event = AuditEvent.objects.get()
    assert (event.operation_id, event.cluster, event.name) == (None, "", "")
    assert not verify.verify().broken


def test_intent_of_an_operation_is_written_once() -> None:
    intent = replace(ENTRY, phase=Phase.INTENT, outcome=Outcome.NONE)
    audit_log.write(intent)
    with pytest.raises(LogUnwritable):
        audit_log.write(intent)
    assert AuditEvent.objects.count() == 1
    audit_log.write(ENTRY)
    assert not verify.verify().broken


def test_write_inside_another_transaction_is_refused() -> None:
    """A commit inside an outer transaction would not be durable."""
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        audit_log.write(ENTRY)
    assert not AuditEvent.objects.exists()


def test_write_by_sixteen_threads_leaves_no_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_queue, "LONG_WAIT", 60.0)
    monkeypatch.setattr(sqlite_queue, "_max_wait", lambda: 60.0)

    def write(writer: int) -> None:
        for number in range(10):
            audit_log.write(replace(ENTRY, message=f"{writer}/{number}"))

    assert at_once(*(partial(write, writer) for writer in range(16))) == [None] * 16
    verdict = verify.verify()
    assert (verdict.checked, verdict.last_sequence, verdict.broken) == (160, 160, "")


def test_write_of_numbers_outside_json_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        audit_log.write(replace(ENTRY, details={"share": float("nan")}))
    assert not AuditEvent.objects.exists()


# --- tampering ----------------------------------------------------------------------------------


def edit_record() -> None:
    sql("UPDATE LOG SET record = REPLACE(record, '\"Ada\"', '\"Eve\"') WHERE sequence = 3")


def edit_record_and_column() -> None:
    sql("UPDATE LOG SET record = REPLACE(record, 'denied', 'failed') WHERE sequence = 3")
    sql("UPDATE LOG SET outcome = 'failed' WHERE sequence = 3")


def edit_spelling() -> None:
    sql("UPDATE LOG SET record = REPLACE(record, '{\"action\"', '{ \"action\"') WHERE sequence = 3")


def edit_column(name: str, value: object) -> Callable[[], None]:
    return lambda: sql(f"UPDATE LOG SET {name} = %s WHERE sequence = 3", value)


def delete_middle() -> None:
    sql("DELETE FROM LOG WHERE sequence = 3")


def delete_first() -> None:
    sql("DELETE FROM LOG WHERE sequence = 1")


def delete_and_close_the_gap() -> None:
    delete_middle()
    sql("UPDATE LOG SET sequence = 3 WHERE sequence = 4")
    sql("UPDATE LOG SET sequence = 4 WHERE sequence = 5")


def swap() -> None:
    for old, new in ((2, 99), (3, 2), (99, 3)):
        sql("UPDATE LOG SET sequence = %s WHERE sequence = %s", new, old)


def swap_contents() -> None:
    """Number 2 says what number 3 said, seals and all."""
    second, third = (AuditEvent.objects.get(sequence=n) for n in (2, 3))
    sql("UPDATE LOG SET hash = 'x' WHERE sequence = 3")
    move = "UPDATE LOG SET record = %s, prev_hash = %s, hash = %s WHERE sequence = %s"
    sql(move, third.record, third.prev_hash, third.hash, 2)
    sql(move, second.record, second.prev_hash, second.hash, 3)


def forge(sequence: int, prev_hash: str, *, inside: int | None = None) -> None:
    """A row by somebody who knows everything but the key."""
    copied = AuditEvent.objects.get(sequence=2)
    number = sequence if inside is None else inside
    record = {**json.loads(copied.record), "sequence": number}
    text = audit_log.canonical(record)
    fake = hashlib.sha256(f"{prev_hash}\n{text}".encode()).hexdigest()
    columns = {**audit_log.columns(record), "sequence": sequence}
    AuditEvent(**columns, record=text, prev_hash=prev_hash, hash=fake).save()


def insert_at_the_end() -> None:
    forge(LAST + 1, AuditEvent.objects.get(sequence=LAST).hash)


def insert_a_copy_at_the_end() -> None:
    forge(LAST + 1, AuditEvent.objects.get(sequence=LAST).hash, inside=2)


def insert_in_the_middle() -> None:
    for n in range(LAST, 2, -1):
        sql("UPDATE LOG SET sequence = %s WHERE sequence = %s", n + 1, n)
    forge(3, AuditEvent.objects.get(sequence=2).hash)


def insert_before_the_first() -> None:
    forge(0, GENESIS)


def empty_record() -> None:
    sql("UPDATE LOG SET record = '{}' WHERE sequence = 3")


def no_json() -> None:
    sql("UPDATE LOG SET record = 'gone' WHERE sequence = 3")


TAMPERING: dict[str, tuple[Callable[[], None], int, str]] = {
    "record edited": (edit_record, 3, "was changed"),
    "record and column edited": (edit_record_and_column, 3, "was changed"),
    "record spelled otherwise": (edit_spelling, 3, "was changed"),
    "record emptied": (empty_record, 3, "is no event"),
    "record no JSON": (no_json, 3, "is no event"),
    "actor column": (edit_column("actor", "test|eve"), 3, "columns that differ"),
    "outcome column": (edit_column("outcome", "succeeded"), 3, "columns that differ"),
    "name column": (edit_column("name", "other"), 3, "columns that differ"),
    "time column": (edit_column("recorded_at", "2020-01-01 00:00:00+00:00"), 3, "columns"),
    "operation column": (edit_column("operation_id", "0" * 31 + "8"), 3, "columns that differ"),
    "hash changed": (edit_column("hash", "0" * 64), 3, "was changed"),
    "link changed": (edit_column("prev_hash", "0" * 64), 3, "does not continue"),
    "deleted in the middle": (delete_middle, 4, "follows event 2"),
    "deleted at the start": (delete_first, 2, "follows event 0"),
    "deleted and the gap closed": (delete_and_close_the_gap, 3, "another event's number"),
    "swapped": (swap, 2, "another event's number"),
    "contents swapped": (swap_contents, 2, "another event's number"),
    "inserted at the end": (insert_at_the_end, 6, "was changed"),
    "copied to the end": (insert_a_copy_at_the_end, 6, "another event's number"),
    "inserted in the middle": (insert_in_the_middle, 3, "was changed"),
    "inserted at the start": (insert_before_the_first, 0, "out of order"),
}


@pytest.mark.parametrize(("tamper", "number", "says"), TAMPERING.values(), ids=TAMPERING)
def test_verify_names_the_first_broken_link(
    tamper: Callable[[], None], number: int, says: str, tampered: list[AuditEvent]
) -> None:
    assert not verify.verify().broken
    tamper()
    verdict = verify.verify()
    assert verdict.broken.startswith(f"event {number}: ")
    assert says in verdict.broken
    intact = {0: 0, 2: 1 if tamper is not delete_first else 0, 3: 2, 4: 2, 6: 5}[number]
    assert verdict.checked == intact


def test_verify_with_two_changes_names_the_first(tampered: list[AuditEvent]) -> None:
    sql("UPDATE LOG SET actor = 'x' WHERE sequence >= 4")
    assert verify.verify().broken.startswith("event 4: ")
    sql("UPDATE LOG SET actor = 'x' WHERE sequence = 2")
    assert verify.verify().broken.startswith("event 2: ")


def test_verify_with_another_key_says_so(log: list[AuditEvent], settings: Any) -> None:
    settings.AUDIT_KEY = "another-key-" * 4
    verdict = verify.verify()
    assert verdict.checked == 0
    assert verdict.broken.startswith("event 1: was sealed with another key")
    assert settings.AUDIT_KEY not in verdict.broken


def test_verify_chain_continued_with_another_key_names_the_event(
    log: list[AuditEvent], settings: Any
) -> None:
    right, settings.AUDIT_KEY = settings.AUDIT_KEY, "another-key-" * 4
    audit_log.write(ENTRY)
    settings.AUDIT_KEY = right
    assert verify.verify().broken.startswith("event 6: was sealed with another key")


OLD, NEW = "the-old-key-" * 4, "the-new-key-" * 4


@pytest.fixture
def rotated(settings: Any) -> list[AuditEvent]:
    """Two events sealed with a key that was retired since, and two with the one after it."""
    settings.AUDIT_KEY = OLD
    before = [audit_log.write(replace(ENTRY, message=f"event {n}")) for n in (1, 2)]
    settings.AUDIT_KEY, settings.AUDIT_RETIRED_KEYS = NEW, [OLD]
    return [*before, *(audit_log.write(replace(ENTRY, message=f"event {n}")) for n in (3, 4))]


def test_verify_chain_over_a_key_rotation_is_intact(rotated: list[AuditEvent]) -> None:
    verdict = verify.verify()
    assert (verdict.checked, verdict.broken) == (4, "")
    assert verify.verify_export(map(export_line, rotated)).broken == ""
    assert len({json.loads(event.record)["key_id"] for event in rotated}) == 2
    some = [export_line(rotated[0]), export_line(rotated[3])]
    assert verify.verify_export(some, partial=True).checked == 2


def test_verify_without_the_retired_key_says_so(rotated: list[AuditEvent], settings: Any) -> None:
    settings.AUDIT_RETIRED_KEYS = []
    assert verify.verify().broken.startswith("event 1: was sealed with another key")


def test_retired_key_cannot_seal_newer_events(rotated: list[AuditEvent], settings: Any) -> None:
    """A stolen retired key can neither append to the log nor seal a newer event again."""
    settings.AUDIT_KEY, settings.AUDIT_RETIRED_KEYS = OLD, []
    audit_log.write(ENTRY)
    settings.AUDIT_KEY, settings.AUDIT_RETIRED_KEYS = NEW, [OLD]
    assert verify.verify().broken.startswith("event 5: was sealed with another key")


def test_retired_key_cannot_change_what_it_sealed(rotated: list[AuditEvent], settings: Any) -> None:
    """Its hash would change, and the next event, sealed with the new key, holds the old one."""
    triggers.remove(connection)
    text = rotated[1].record.replace("event 2", "event X")
    forged = audit_log.seal(rotated[1].prev_hash, text, OLD)
    sql("UPDATE LOG SET record = %s, hash = %s WHERE sequence = 2", text, forged)
    assert verify.verify().broken.startswith("event 3: does not continue the event before it")


def test_truncated_log_shows_only_in_its_head(tampered: list[AuditEvent]) -> None:
    """The chain alone can't show it; the head that was copied elsewhere can."""
    head = verify.verify().head
    sql("DELETE FROM LOG WHERE sequence > 3")
    verdict = verify.verify()
    assert not verdict.broken
    assert verdict.last_sequence == MIDDLE
    assert verdict.head == tampered[MIDDLE - 1].hash != head


# --- the copy that leaves the machine -----------------------------------------------------------


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What the `audit` logger was told."""
    heard: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(self.format(record))

    ear, logger = Ear(), logging.getLogger("audit")
    logger.addHandler(ear)
    yield heard
    logger.removeHandler(ear)


def test_log_line_is_written_after_the_commit(lines: list[str]) -> None:
    with audit_log.appending():
        audit_log.append(ENTRY)
        assert lines == []
    assert len(lines) == 1


def test_log_line_equals_the_export_and_verifies(lines: list[str]) -> None:
    for _ in range(3):
        audit_log.write(ENTRY)
    assert lines == [export_line(e) for e in AuditEvent.objects.order_by("sequence")]
    assert verify.verify_export(lines) == verify.verify()
    assert all("\n" not in line for line in lines)


def test_log_line_of_a_rollback_is_not_written(lines: list[str]) -> None:
    class GaveUp(Exception):
        pass

    with pytest.raises(GaveUp), audit_log.appending():
        audit_log.append(ENTRY)
        raise GaveUp
    assert lines == []
    assert not AuditEvent.objects.exists()


def test_log_and_its_lines_hold_no_secret(lines: list[str], settings: Any) -> None:
    audit_log.write(ENTRY)
    text = AuditEvent.objects.get().record + "".join(lines)
    for secret in (settings.SECRET_KEY, settings.AUDIT_KEY):
        assert secret not in text
    assert audit_log.key_id() in text


def test_cluster_endpoint_hides_the_password_of_its_address() -> None:
    cluster = cluster_at("https://root:s3cret@milvus.example:19530", "root:s3cret")
    assert cluster.endpoint == "https://milvus.example:19530"
    assert "s3cret" not in repr(cluster)
