"""Every kind of tampering by the owner of the database, and what `verify_audit_log` reports.

With the triggers out of the way, and put back afterwards, as somebody would who wants to stay
unnoticed. `--against` is for what the chain alone can't tell.
"""

import json
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError
from django.db import DatabaseError, connection

from collections_app.audit import log, triggers
from collections_app.audit.log import Outcome, Phase, export_line
from collections_app.milvus.types import Kind, Target
from collections_app.models import AuditEvent, Claim
from collections_app.operations.claims import claim_on
from collections_app.operations.reconcile import open_operations
from tests.audit import test_log
from tests.audit.test_copy_check import cut_the_tail, restore_an_old_backup, write_anew_with_the_key
from tests.audit.test_log import ENTRY, sql
from tests.test_commands import failing, run

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

INTENT = replace(ENTRY, phase=Phase.INTENT, outcome=Outcome.NONE, operation_id=uuid.UUID(int=1))
CLAIMS = Claim._meta.db_table


def begun(number: int) -> None:
    """An operation is open: its intent and its claim."""
    operation_id = uuid.UUID(int=number)
    log.write(replace(INTENT, operation_id=operation_id))
    claim(number)


def claim(number: int) -> None:
    now = AuditEvent.objects.latest("sequence").recorded_at
    Claim.objects.create(
        target=str(number), operation_id=uuid.UUID(int=number), claimed_at=now, cluster="main"
    )


def ended(number: int, outcome: Outcome = Outcome.SUCCEEDED) -> None:
    operation_id = uuid.UUID(int=number)
    log.write(replace(INTENT, phase=Phase.OUTCOME, outcome=outcome, operation_id=operation_id))
    Claim.objects.filter(operation_id=operation_id).delete()


# --- the log's operations -----------------------------------------------------------------------


def claim_deleted() -> None:
    begun(1)
    sql(f"DELETE FROM {CLAIMS}")


def claim_moved() -> None:
    begun(1)
    sql(f"UPDATE {CLAIMS} SET operation_id = %s", as_stored(2))


def as_stored(number: int) -> object:
    value = uuid.UUID(int=number)
    return value.hex if connection.vendor == "sqlite" else value


def claim_made_up() -> None:
    claim(9)


def claim_kept() -> None:
    begun(1)
    ended(1)
    claim(1)


def outcome_cut_off() -> None:
    begun(1)
    ended(1)
    sql("DELETE FROM LOG WHERE phase = 'outcome'")


def unknown_is_no_end() -> None:
    begun(1)
    ended(1, Outcome.UNKNOWN)


def two_intents() -> None:
    """With the key, or by a mistake of ours: the chain is intact."""
    begun(1)
    sql("DROP INDEX one_intent_per_operation")
    log.write(INTENT)


def two_ends() -> None:
    begun(1)
    ended(1)
    ended(1, Outcome.FAILED)


def no_index() -> None:
    sql("DROP INDEX one_intent_per_operation")


# --- everything -----------------------------------------------------------------------------------


def emptied() -> None:
    sql("DELETE FROM LOG")


def another_key() -> None:
    """The whole log sealed anew by somebody who has not got the key."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.conf.settings.AUDIT_KEY", "a key of theirs " * 3, raising=False)
        write_anew_with_the_key()


@dataclass(frozen=True)
class Case:
    """What is done, what the command says, and what it says with the copy. Empty: all is well."""

    tamper: Callable[[], None]
    says: str = ""
    against: str = ""


CASES = {
    **{
        name: Case(tamper, f"event {number}: .*{says}")
        for name, (tamper, number, says) in test_log.TAMPERING.items()
    },
    "sealed with another key": Case(another_key, "event 1: was sealed with another key"),
    "end cut off": Case(cut_the_tail, "", "event 4 is in the copy and not in the log; 2 lines"),
    "old backup": Case(restore_an_old_backup, "", "event 4 of the log is not the one in the copy"),
    "emptied": Case(emptied, "", "event 1 is in the copy and not in the log; 5 lines"),
    "written anew with the key": Case(
        write_anew_with_the_key, "", "event 1 of the log is not the one in the copy; 5 lines"
    ),
    "claim deleted": Case(claim_deleted, "operation of event 6 is open, and its claim is gone"),
    "claim moved": Case(claim_moved, "(?s)event 6 is open.*claim of operation .*2 belongs to no"),
    "claim made up": Case(claim_made_up, "claim of operation .*9 belongs to no open operation"),
    "claim kept": Case(claim_kept, "claim of operation .*1 belongs to no open operation"),
    "outcome cut off": Case(outcome_cut_off, "operation of event 6 is open, and its claim is gone"),
    "unknown and unclaimed": Case(unknown_is_no_end, "operation of event 6 is open"),
    "two intents": Case(two_intents, "operation .*1 has two intents"),
    "two ends": Case(two_ends, "operation .*1 has two final outcomes"),
    "index dropped": Case(no_index, "constraint one_intent_per_operation is missing"),
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Five events, and their lines in a file where nobody can change them."""
    events = [log.write(replace(ENTRY, message=f"event {n}")) for n in range(1, 6)]
    path = tmp_path / "copy.jsonl"
    path.write_text("".join(export_line(event) + "\n" for event in events))
    return path


@pytest.fixture(autouse=True)
def index() -> Iterator[None]:
    """What a test dropped is there for the next one."""
    yield
    triggers.remove(connection)
    sql("DELETE FROM LOG")
    made = "CREATE UNIQUE INDEX IF NOT EXISTS one_intent_per_operation"
    sql(f"{made} ON LOG (operation_id) WHERE phase = 'intent'")


def said_of(*arguments: str) -> str:
    """What the command complains of; empty if it does not."""
    with suppress(CommandError):
        run("verify_audit_log", *arguments)
        return ""
    code, text = failing("verify_audit_log", *arguments)
    assert code == 1
    return text


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_verify_audit_log_names_each_kind_of_tampering(case: Case, copy: Path) -> None:
    assert said_of("--against", str(copy)) == ""
    triggers.remove(connection)
    case.tamper()
    triggers.install(connection)
    said, beside_the_copy = said_of(), said_of("--against", str(copy))
    assert bool(said) == bool(case.says), said
    assert re.search(case.says, said)
    assert re.search(case.against or case.says, beside_the_copy)


def test_verify_audit_log_names_all_problems_at_once(copy: Path) -> None:
    triggers.remove(connection)
    claim_made_up()
    cut_the_tail()
    said = said_of("--against", str(copy)).splitlines()
    assert (
        sum("the trigger" in line for line in said)
        == len(triggers.damaged(connection))
        == 6 + (connection.vendor == "postgresql")
    )
    assert "belongs to no open operation" in said[-2]
    assert "The log is not the one that was copied" in said[-1]


def test_log_cut_before_a_new_key_and_continued_is_detected(copy: Path, settings: Any) -> None:
    """The log itself shows it until an event has the new key; afterwards only the copy does."""
    old = settings.AUDIT_KEY
    settings.AUDIT_KEY, settings.AUDIT_RETIRED_KEYS = "the new key " * 4, [old]
    assert "the newest event was sealed with a retired key" in said_of()
    after = log.write(replace(ENTRY, operation_id=None))
    copy.write_text(copy.read_text() + export_line(after) + "\n")
    assert said_of("--against", str(copy)) == ""
    triggers.remove(connection)
    sql("DELETE FROM LOG WHERE sequence > 4")
    triggers.install(connection)
    settings.AUDIT_KEY, settings.AUDIT_RETIRED_KEYS = old, []
    log.write(replace(ENTRY, operation_id=None))
    settings.AUDIT_KEY, settings.AUDIT_RETIRED_KEYS = "the new key " * 4, [old]
    assert "the newest event was sealed with a retired key" in said_of()
    log.write(replace(ENTRY, operation_id=None))
    assert said_of() == ""
    assert "event 5 of the log is not the one in the copy" in said_of("--against", str(copy))


# --- the triggers ---------------------------------------------------------------------------------


def weakened() -> None:
    """Of the same name, and good for nothing."""
    if connection.vendor == "sqlite":
        sql("DROP TRIGGER audit_no_delete")
        sql("CREATE TRIGGER audit_no_delete BEFORE DELETE ON LOG WHEN FALSE BEGIN SELECT 1; END")
        return
    does = "AS $$ BEGIN RETURN OLD; END $$"
    sql(f"CREATE OR REPLACE FUNCTION audit_no_delete() RETURNS trigger LANGUAGE plpgsql {does}")


def lifted() -> None:
    if connection.vendor == "sqlite":
        sql("DROP TRIGGER audit_no_delete")
    else:
        sql("ALTER TABLE LOG DISABLE TRIGGER audit_no_delete")


def narrowed() -> None:
    """So that it fits no event."""
    sql(f"DROP TRIGGER audit_no_delete{on_log()}")
    runs = "EXECUTE FUNCTION audit_no_delete()"
    if connection.vendor == "sqlite":
        runs = "BEGIN SELECT RAISE(ABORT, 'no'); END"
    runs = f"{each()} WHEN (OLD.phase = 'x') {runs}"
    sql(f"CREATE TRIGGER audit_no_delete BEFORE DELETE ON LOG {runs}")


def on_log() -> str:
    return "" if connection.vendor == "sqlite" else " ON LOG"


def each() -> str:
    return "" if connection.vendor == "sqlite" else "FOR EACH ROW"


@pytest.mark.parametrize("change", [weakened, lifted, narrowed])
def test_protect_audit_log_restores_a_weakened_trigger(
    change: Callable[[], None], copy: Path
) -> None:
    change()
    assert said_of() == (
        "Beside the chain: the trigger audit_no_delete is missing, or is not as it should be."
    )
    assert run("protect_audit_log") == "Restored: trigger audit_no_delete.\n"
    assert said_of() == ""
    event = AuditEvent.objects.latest("sequence")
    assert (event.action, event.phase) == ("audit.protect", "access")
    assert json.loads(event.record)["details"] == {"restored": ["trigger audit_no_delete"]}
    with pytest.raises(DatabaseError, match=triggers.MESSAGE):
        sql("DELETE FROM LOG WHERE sequence = 1")


def test_verify_audit_log_names_a_foreign_trigger(copy: Path) -> None:
    """A foreign trigger could keep events from being written."""
    body = "BEGIN SELECT 1; END"
    if connection.vendor == "postgresql":
        body = "FOR EACH ROW EXECUTE FUNCTION audit_no_update()"
    sql(f"CREATE TRIGGER theirs BEFORE INSERT ON LOG {body}")
    try:
        assert "the trigger theirs" in said_of()
        if connection.vendor == "sqlite":
            code, said = failing("protect_audit_log")
            assert (code, "the trigger theirs" in said) == (1, True)
    finally:
        sql(f"DROP TRIGGER theirs{on_log()}")


def test_protect_audit_log_without_damage_records_nothing(copy: Path) -> None:
    assert run("protect_audit_log") == "Nothing had to be restored.\n"
    assert AuditEvent.objects.count() == 5


def test_protect_audit_log_restores_a_lost_claim() -> None:
    begun(1)
    held = Claim.objects.get()
    sql(f"DELETE FROM {CLAIMS}")
    assert run("protect_audit_log") == f"Restored: claim of {held.operation_id}.\n"
    assert [c.operation_id for c in open_operations()] == [held.operation_id]
    target = Target(**{**ENTRY.target, "kind": Kind.COLLECTION})  # type: ignore[dict-item]
    assert claim_on(target) == Claim.objects.get()
    assert said_of() == ""


def test_protect_audit_log_leaves_a_claim_held_by_another() -> None:
    begun(1)
    run_without_claim = AuditEvent.objects.latest("sequence")
    sql(f"DELETE FROM {CLAIMS}")
    run("protect_audit_log")
    sql(f"UPDATE {CLAIMS} SET operation_id = %s", as_stored(2))
    log.write(replace(INTENT, operation_id=uuid.UUID(int=2)))
    code, said = failing("protect_audit_log")
    assert code == 1
    assert f"the operation of event {run_without_claim.sequence} is open" in said


def test_note_in_audit_log_records_the_note(copy: Path) -> None:
    assert (
        run("note_in_audit_log", "Restored the backup of 1 May")
        == "Recorded the note as event 6.\n"
    )
    event = AuditEvent.objects.get(sequence=6)
    assert (event.action, event.phase) == ("audit.note", "access")
    assert "Restored the backup of 1 May" in event.record
    assert "shell" in event.actor
    assert said_of("--against", str(copy)) == ""
