"""Retention: the oldest events are moved to sealed segments, and the chain continues."""

import io
import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.utils import timezone

from collections_app.audit import archive, integrity, listing, triggers, verify
from collections_app.audit import log as audit_log
from collections_app.audit.archive import ArchiveError, Segment
from collections_app.audit.log import Outcome, Phase, export_line
from collections_app.models import AuditEvent, Claim, RemovedSegment
from tests.audit.test_log import ENTRY, sql
from tests.fixtures import actor, caller

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]
SignIn = Callable[..., Client]
ADA = caller("ada")


def written(*messages: str, days_ago: int = 0, **changes: Any) -> list[AuditEvent]:
    """New events with these messages, as old as that."""
    then = timezone.now() - timedelta(days=days_ago)
    entry = replace(ENTRY, **{"operation_id": None, **changes})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("collections_app.audit.log.timezone.now", lambda: then)
        return [audit_log.write(replace(entry, message=message)) for message in messages]


def operation(phase: Phase, outcome: Outcome, number: int, days_ago: int) -> AuditEvent:
    """An event of operation `number`."""
    told = {"phase": phase, "outcome": outcome, "operation_id": uuid.UUID(int=number)}
    return written("", days_ago=days_ago, **told)[0]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def claimed(number: int) -> None:
    Claim.objects.create(
        target=str(number), operation_id=uuid.UUID(int=number), claimed_at=timezone.now()
    )


def sealed(folder: Path, days: int = 30) -> Segment:
    return archive.seal(timezone.now() - timedelta(days=days), folder, ADA)


def removed(folder: Path, segment: Segment) -> None:
    archive.remove(folder / segment.file, segment.sha256, ADA)


def intact() -> bool:
    return not verify.verify().broken and not integrity.problems()


def run(*args: str) -> str:
    said = io.StringIO()
    call_command(*args, stdout=said)
    return said.getvalue()


@pytest.fixture
def log() -> list[AuditEvent]:
    """Four old events and two new ones."""
    return [*written(*"abcd", days_ago=400), *written("e", "f")]


# --- sealing ------------------------------------------------------------------------------------


def test_segment_is_a_verified_file_with_an_event(log: list[AuditEvent], tmp_path: Path) -> None:
    segment = sealed(tmp_path)
    path = tmp_path / segment.file
    lines = path.read_text().splitlines()
    assert lines == [export_line(event) for event in log[:4]]
    assert (segment.first, segment.last, segment.count) == (1, 4, 4)
    assert (segment.prev_hash, segment.head) == (audit_log.GENESIS, log[3].hash)
    assert segment.sha256 == archive.digest(path)
    assert path.stat().st_mode & 0o077 == 0, "it holds names and addresses"
    assert names(tmp_path) == [segment.file]
    event = AuditEvent.objects.get(sequence=7)
    assert (event.action, event.actor) == ("audit.seal", "Ada|test|ada")
    assert Segment(**json.loads(event.record)["details"]) == segment
    assert AuditEvent.objects.count() == 7, "nothing was removed"
    assert intact()


def test_next_segment_begins_where_the_last_one_ended(
    log: list[AuditEvent], tmp_path: Path
) -> None:
    sealed(tmp_path, days=30)
    with pytest.raises(ArchiveError, match="Nothing to seal"):
        sealed(tmp_path, days=30)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive, "YOUNGEST", timedelta(0))
        segment = sealed(tmp_path, days=0)
    assert (segment.first, segment.last, segment.prev_hash) == (5, 7, log[3].hash)


def test_seal_keeps_the_last_day_in_the_log(log: list[AuditEvent], tmp_path: Path) -> None:
    """A used confirmation is known by its intent, so that it can't count again."""
    with pytest.raises(ArchiveError, match="last day"):
        sealed(tmp_path, days=0)
    assert not names(tmp_path)


def test_seal_stops_before_an_open_operation(tmp_path: Path) -> None:
    written("a", days_ago=400)
    operation(Phase.INTENT, Outcome.NONE, 1, days_ago=399)
    claimed(1)
    written("b", days_ago=398)
    assert sealed(tmp_path).last == 1


def test_seal_keeps_an_operation_in_one_segment(tmp_path: Path) -> None:
    """Of two operations that overlap, the first keeps the second in the log."""
    written("a", days_ago=400)
    operation(Phase.INTENT, Outcome.NONE, 1, days_ago=300)
    operation(Phase.INTENT, Outcome.NONE, 2, days_ago=299)
    operation(Phase.OUTCOME, Outcome.SUCCEEDED, 1, days_ago=100)
    operation(Phase.OUTCOME, Outcome.SUCCEEDED, 2, days_ago=10)
    written("b", days_ago=9)
    assert sealed(tmp_path, days=30).last == 1
    again = tmp_path / "again"
    again.mkdir()
    assert sealed(again, days=5).last == 6


def test_seal_of_a_broken_log_is_refused(log: list[AuditEvent], tmp_path: Path) -> None:
    triggers.remove(connection)
    with pytest.raises(ArchiveError, match="trigger audit_no_delete"):
        sealed(tmp_path)
    triggers.install(connection)
    operation(Phase.INTENT, Outcome.NONE, 1, days_ago=0)
    with pytest.raises(ArchiveError, match="its claim is gone"):
        sealed(tmp_path)
    triggers.remove(connection)
    sql("UPDATE LOG SET actor = 'eve' WHERE sequence = 2")
    with pytest.raises(ArchiveError, match="event 2"):
        sealed(tmp_path)
    assert not names(tmp_path)


def test_seal_overwrites_no_file(log: list[AuditEvent], tmp_path: Path) -> None:
    (tmp_path / "audit-1-4.jsonl").write_text("somebody else's")
    with pytest.raises(ArchiveError, match="is there already"):
        sealed(tmp_path)
    assert (tmp_path / "audit-1-4.jsonl").read_text() == "somebody else's"
    assert AuditEvent.objects.count() == 6


def test_seal_killed_before_its_record_is_done_again(
    log: list[AuditEvent], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("collections_app.audit.archive.log.append", killed)
        with pytest.raises(KeyboardInterrupt):
            sealed(tmp_path)
    assert (names(tmp_path), AuditEvent.objects.count()) == (["audit-1-4.jsonl"], 6)
    assert sealed(tmp_path).last == 4
    assert intact()


def test_seal_of_a_file_that_does_not_verify_is_not_published(
    log: list[AuditEvent], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Simulates a disk that loses a line, or an event that changes while it is read."""
    lines = [export_line(event) + "\n" for event in log[:3]]
    monkeypatch.setattr(archive, "json_lines", lambda events: iter(lines))
    with pytest.raises(ArchiveError, match="does not verify"):
        sealed(tmp_path)
    assert not names(tmp_path)


# --- removing -----------------------------------------------------------------------------------


def test_removal_of_a_segment_continues_the_chain_at_its_head(
    log: list[AuditEvent], tmp_path: Path
) -> None:
    segment = sealed(tmp_path)
    removed(tmp_path, segment)
    assert list(AuditEvent.objects.order_by("sequence").values_list("sequence", flat=True)) == [
        5, 6, 7, 8,
    ]  # fmt: skip
    event = AuditEvent.objects.get(sequence=8)
    assert (event.action, event.actor) == ("audit.remove", "Ada|test|ada")
    verdict = verify.verify()
    assert (verdict.broken, verdict.checked, verdict.last_sequence) == ("", 4, 8)
    assert intact()
    written("g")
    assert intact()


def test_segments_and_the_log_verify_as_one_chain(log: list[AuditEvent], tmp_path: Path) -> None:
    first = sealed(tmp_path)
    removed(tmp_path, first)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive, "YOUNGEST", timedelta(0))
        second = sealed(tmp_path, days=0)
    removed(tmp_path, second)
    written("g")
    rest = tmp_path / "rest.jsonl"
    rest.write_text(run("export_audit_log"))
    one, two = (str(tmp_path / segment.file) for segment in (first, second))
    whole = run("verify_audit_log", "--export", one, two, str(rest))
    assert whole.startswith("The chain is intact: 12 events, last 12")
    assert run("verify_audit_log", "--export", two, str(rest)).startswith(
        "The chain is intact: 8 events"
    )
    assert run("verify_audit_log", "--export", str(rest)).startswith(
        "The chain is intact: 4 events, last 12"
    )
    assert run("verify_audit_log", "--export", two).startswith("The chain is intact: 4 events"), (
        "event 8 in it removed the segment before"
    )
    for files in ([one, str(rest)], [two, one, str(rest)], [two, two]):
        with pytest.raises(CommandError, match="The chain is broken: event"):
            run("verify_audit_log", "--export", *files)
    said = run("verify_audit_log").splitlines()
    assert said[1:] == [
        "Removed earlier: events 1 to 4, in audit-1-4.jsonl, as event 8 says",
        "Removed earlier: events 5 to 8, in audit-5-8.jsonl, as event 10 says",
    ]


@pytest.mark.parametrize("wrong", ["typed", "file", "order", "twice", "open"])
def test_removal_with_a_wrong_segment_or_hash_is_refused(
    wrong: str, log: list[AuditEvent], tmp_path: Path
) -> None:
    first = sealed(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive, "YOUNGEST", timedelta(0))
        second = sealed(tmp_path, days=0)
    path, sha256, says = tmp_path / first.file, first.sha256, ""
    if wrong == "typed":
        sha256, says = "0" * 64, "tells of no sealed segment"
    if wrong == "file":
        path.write_text(path.read_text()[:-2])
        says = "is not that segment"
    if wrong == "order":
        path, sha256, says = tmp_path / second.file, second.sha256, "oldest segment goes first"
    if wrong == "twice":
        removed(tmp_path, first)
        says = "removed already"
    if wrong == "open":
        operation(Phase.INTENT, Outcome.NONE, 1, days_ago=0)
        says = "claim is gone"
    before = list(AuditEvent.objects.values_list("sequence", "hash"))
    with pytest.raises(ArchiveError, match=says):
        archive.remove(path, sha256, ADA)
    assert list(AuditEvent.objects.values_list("sequence", "hash")) == before


def test_removal_without_the_file_keeps_its_events(log: list[AuditEvent], tmp_path: Path) -> None:
    segment = sealed(tmp_path)
    (tmp_path / segment.file).unlink()
    with pytest.raises(OSError, match=segment.file):
        removed(tmp_path, segment)
    with pytest.raises(CommandError, match="can't be read"):
        run("remove_sealed_segment", str(tmp_path / segment.file), "--sha256", segment.sha256)
    assert AuditEvent.objects.count() == 7


@pytest.mark.parametrize("batches", [0, 1, 2, 3])
def test_removal_killed_half_way_verifies_and_goes_on(
    batches: int, log: list[AuditEvent], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each batch the rest of the segment is still one chain with the log."""
    segment, done = sealed(tmp_path), []

    def killed(seconds: float) -> None:
        done.append(seconds)
        if len(done) > batches:
            raise KeyboardInterrupt

    monkeypatch.setattr(archive, "BATCH", 1)
    with monkeypatch.context() as patch:
        patch.setattr("collections_app.audit.archive.time.sleep", killed)
        with pytest.raises(KeyboardInterrupt):
            removed(tmp_path, segment)
    oldest = AuditEvent.objects.order_by("sequence").values_list("sequence", flat=True)[0]
    assert oldest == batches + 2
    assert intact()
    if batches < 3:
        removed(tmp_path, segment)
    assert AuditEvent.objects.filter(sequence__lte=4).count() == 0
    assert AuditEvent.objects.filter(action="audit.remove").count() == 1
    assert intact()


def test_removal_killed_before_its_record_removes_nothing(
    log: list[AuditEvent], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = sealed(tmp_path)

    def killed(**row: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RemovedSegment.objects, "create", killed)
        with pytest.raises(KeyboardInterrupt):
            removed(tmp_path, segment)
    assert (AuditEvent.objects.count(), RemovedSegment.objects.count()) == (7, 0)
    removed(tmp_path, segment)
    assert intact()


def test_seal_prints_the_hash_and_removal_requires_it(
    log: list[AuditEvent], tmp_path: Path
) -> None:
    said = run("seal_audit_log", "--keep-days", "30", "--to", str(tmp_path)).splitlines()
    path, sha256 = tmp_path / "audit-1-4.jsonl", said[1].removeprefix("SHA-256: ")
    assert said == [
        f"Sealed events 1 to 4 in {path}. Nothing was removed.",
        f"SHA-256: {archive.digest(path)}",
    ]
    with pytest.raises(CommandError, match="sha256"):
        run("remove_sealed_segment", str(path))
    assert run("remove_sealed_segment", str(path), "--sha256", sha256) == (
        "Removed events 1 to 4 from the database.\n"
    )
    assert "cli" in AuditEvent.objects.get(sequence=8).record


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--until", "2001-01-01", "--to", "/nosuch"], "Nothing to seal"),
        (["--until", "2999-01-01", "--to", "/nosuch"], "last day"),
        (["--keep-days", "30", "--to", "/nosuch"], "can't be written"),
        (["--keep-days", "30"], "--to"),
        (["--to", "/nosuch"], "--until --keep-days"),
        (["--until", "soon", "--to", "/nosuch"], "--until"),
    ],
)
def test_seal_that_is_impossible_says_why(
    arguments: list[str], says: str, log: list[AuditEvent]
) -> None:
    with pytest.raises(CommandError, match=says):
        run("seal_audit_log", *arguments)
    assert AuditEvent.objects.count() == 6


# --- the triggers -------------------------------------------------------------------------------


def segment_row(**values: object) -> str:
    row = {"first": 1, "last": 4, "head": "'x'", "file": "'f'", "event": 7, **values}
    names, given = ", ".join(row), ", ".join(str(value) for value in row.values())
    return f"INSERT INTO {triggers.SEGMENTS} ({names}) VALUES ({given})"


def refused(statement: str) -> None:
    with pytest.raises(DatabaseError, match=triggers.MESSAGE), transaction.atomic():
        sql(statement)


def test_delete_is_open_only_for_the_oldest_recorded_segment(
    log: list[AuditEvent], tmp_path: Path
) -> None:
    """Only the oldest segment, only up to its end; the permission stays recorded."""
    segment = sealed(tmp_path)
    head = f"'{segment.head}'"
    refused(segment_row(head=head))  # event 7 seals it and does not remove it
    refused(segment_row(head=head, event=99))
    with audit_log.appending():
        audit_log.append(replace(ENTRY, action="audit.remove", operation_id=None))
    refused(segment_row(head="'another'", event=8))
    refused(segment_row(head=head, event=8, first=2))
    refused(segment_row(head=head, event=8, last=5))
    sql(segment_row(head=head, event=8))
    refused("DELETE FROM LOG WHERE sequence = 5")
    refused("DELETE FROM LOG")
    refused("UPDATE LOG SET actor = 'eve' WHERE sequence = 1")
    refused(segment_row(head=head, event=8))
    refused(f"UPDATE {triggers.SEGMENTS} SET last = 6")
    refused(f"DELETE FROM {triggers.SEGMENTS}")
    if connection.vendor == "postgresql":
        refused(f"TRUNCATE {triggers.SEGMENTS}")
    else:
        refused(segment_row(head=head, event=8).replace("INSERT", "REPLACE"))
    sql("DELETE FROM LOG WHERE sequence <= 4")
    assert AuditEvent.objects.count() == 4


def test_temporary_table_does_not_replace_the_segments(log: list[AuditEvent]) -> None:
    sql(f"CREATE TEMPORARY TABLE {triggers.SEGMENTS} (last bigint)")
    try:
        sql(f"INSERT INTO {triggers.SEGMENTS} VALUES (99)")
        refused("DELETE FROM LOG WHERE sequence = 1")
    finally:
        sql(
            f"DROP TABLE {'pg_temp' if connection.vendor == 'postgresql' else 'temp'}."
            f"{triggers.SEGMENTS}"
        )


# --- tampering ----------------------------------------------------------------------------------


def test_first_rows_deleted_with_a_forged_segment_are_named(log: list[AuditEvent]) -> None:
    """The owner of the database can do that, but no event of the chain records it."""
    triggers.remove(connection)
    sql(segment_row(head=f"'{log[3].hash}'", event=6))
    sql("DELETE FROM LOG WHERE sequence <= 4")
    broken = verify.verify().broken
    assert broken == "event 5: follows event 0; events are missing, added or out of order"
    assert any("no event removed the segment up to 4" in text for text in integrity.problems())


def test_segment_row_without_an_event_is_named(log: list[AuditEvent]) -> None:
    """Such a row would permit deletes."""
    triggers.remove(connection)
    sql(segment_row(last=6, event=3))
    triggers.install(connection)
    assert integrity.problems() == [
        "no event removed the segment up to 6 that the database knows of"
    ]


def test_removal_beyond_its_record_is_named(log: list[AuditEvent], tmp_path: Path) -> None:
    removed(tmp_path, sealed(tmp_path))
    triggers.remove(connection)
    sql(f"UPDATE {triggers.SEGMENTS} SET last = 5")
    sql("DELETE FROM LOG WHERE sequence <= 5")
    assert verify.verify().broken.startswith("event 6: follows event 0")


def test_removal_event_forged_without_the_key_is_named(log: list[AuditEvent]) -> None:
    """The attacker has everything but the key."""
    triggers.remove(connection)
    last = AuditEvent.objects.get(sequence=6)
    details = {"last": 4, "head": log[3].hash}
    record = {
        **json.loads(last.record), "sequence": 7, "action": "audit.remove", "details": details,
    }  # fmt: skip
    text = audit_log.canonical(record)
    forged = audit_log.seal(last.hash, text, "a guess" * 9)
    AuditEvent(**audit_log.columns(record), record=text, prev_hash=last.hash, hash=forged).save()
    sql(segment_row(head=f"'{log[3].hash}'", event=7))
    sql("DELETE FROM LOG WHERE sequence <= 4")
    assert verify.verify().broken == "event 7: was changed: its seal does not match"


@pytest.mark.parametrize("details", [{}, {"last": "4"}, {"last": 4}, "text", None, []])
def test_removal_event_of_another_shape_stops_no_check(
    details: object, log: list[AuditEvent]
) -> None:
    event = written("x", action="audit.remove", operation_id=None)[0]
    triggers.remove(connection)
    record = {**json.loads(event.record), "details": details}
    sql("UPDATE LOG SET record = %s WHERE sequence = 7", audit_log.canonical(record))
    sql(segment_row(head="'x'", event=7))
    sql("DELETE FROM LOG WHERE sequence <= 4")
    assert verify.verify().broken.startswith("event 5: ")
    assert integrity.problems()


# --- what else reads the log ----------------------------------------------------------------------


def test_copy_check_tells_removed_segments_from_missing_lines(
    log: list[AuditEvent], tmp_path: Path
) -> None:
    removed(tmp_path, sealed(tmp_path))
    copy = tmp_path / "copy.jsonl"
    copy.write_text("".join(export_line(event) + "\n" for event in log))
    assert run("verify_audit_log", "--against", str(copy)).splitlines()[-2:] == [
        "Not compared: 3 lines of removed segments",
        "The log agrees with the copy: 3 lines, up to event 6",
    ]
    other = replace(ENTRY, message="another past", operation_id=None)
    text = audit_log.canonical({**audit_log._record(other, 4)})
    data = {"record": json.loads(text), "prev_hash": "x", "hash": "0" * 64}
    copy.write_text(json.dumps(data))
    with pytest.raises(CommandError, match="event 4 of the log is not the one in the copy"):
        run("verify_audit_log", "--against", str(copy))


def test_removed_operations_page_says_where_it_may_be(tmp_path: Path, signed_in: SignIn) -> None:
    operation(Phase.REJECTED, Outcome.DENIED, 1, days_ago=400)
    written("a")
    auditor, address = signed_in("auditor"), f"/operations/{uuid.UUID(int=1)}/"
    assert auditor.get(address).status_code == 200
    removed(tmp_path, sealed(tmp_path))
    for number, reader in ((1, auditor), (2, auditor), (1, signed_in("viewer"))):
        answer = reader.get(f"/operations/{uuid.UUID(int=number)}/")
        assert answer.status_code == 404
        assert "Events 1 to 1 were removed from this log" in answer.content.decode()


def test_log_with_a_removed_segment_filters_and_verifies(
    log: list[AuditEvent], tmp_path: Path, signed_in: SignIn
) -> None:
    removed(tmp_path, sealed(tmp_path))
    auditor = signed_in("auditor")
    page = auditor.get("/audit/").content.decode()
    assert "Events 1 to 4 are no longer in this log" in page
    assert "Older" not in page
    assert "No event matches" in auditor.get("/audit/?before=5").content.decode()
    found = listing.log_page({}, actor(groups=("auditor",)), before=7)
    assert [row.key for row in found.rows] == [6, 5]
    said = auditor.post("/audit/verify/").content.decode()
    assert "The chain is intact" in said
    assert "The chain continues from event 4" in said
