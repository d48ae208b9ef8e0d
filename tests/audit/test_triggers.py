"""Database triggers refuse to change or delete events."""

from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from collections_app.audit import log as audit_log
from collections_app.audit import triggers, verify
from collections_app.audit.log import Entry, Phase
from collections_app.models import AuditEvent
from tests.fixtures import caller

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

TABLE = triggers.TABLE


@pytest.fixture(autouse=True)
def log() -> list[AuditEvent]:
    entry = Entry(phase=Phase.ACCESS, action="audit.export", caller=caller("ada"))
    return [audit_log.write(entry) for _ in range(3)]


def sql(statement: str) -> Callable[[], object]:
    def run() -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)

    return run


def all_rows() -> list[dict[str, object]]:
    return list(AuditEvent.objects.order_by("sequence").values())


def upsert() -> None:
    event = AuditEvent.objects.get(sequence=2)
    event.actor = "test|eve"
    AuditEvent.objects.bulk_create(
        [event], update_conflicts=True, unique_fields=["sequence"], update_fields=["actor"]
    )


def bulk_update() -> None:
    event = AuditEvent.objects.get(sequence=2)
    event.actor = "test|eve"
    AuditEvent.objects.bulk_update([event], ["actor"])


CHANGES: dict[str, Callable[[], object]] = {
    "queryset update": lambda: AuditEvent.objects.filter(sequence=2).update(actor="test|eve"),
    "queryset delete": lambda: AuditEvent.objects.filter(sequence=2).delete(),
    "delete all": lambda: AuditEvent.objects.all().delete(),
    "bulk update": bulk_update,
    "upsert": upsert,
    "raw update": sql(f"UPDATE {TABLE} SET actor = 'test|eve' WHERE sequence = 2"),
    "raw update to the same": sql(f"UPDATE {TABLE} SET actor = actor"),
    "raw delete": sql(f"DELETE FROM {TABLE} WHERE sequence = 3"),
    "raw delete all": sql(f"DELETE FROM {TABLE}"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_change_or_delete_is_refused_by_the_database(change: Callable[[], object]) -> None:
    before = all_rows()
    with pytest.raises(DatabaseError, match=triggers.MESSAGE), transaction.atomic():
        change()
    assert all_rows() == before
    assert not verify.verify().broken


VENDORS_OWN = {
    "postgresql": [f"TRUNCATE {TABLE}", f"TRUNCATE {TABLE} CASCADE"],
    "sqlite": [
        f"REPLACE INTO {TABLE} SELECT sequence, operation_id, recorded_at, phase, action, outcome,"
        " 'test|eve', cluster, database, kind, collection, name, record, prev_hash, hash"
        f" FROM {TABLE} WHERE sequence = {number}"
        for number in (2, 3)
    ],
}


@pytest.mark.parametrize("number", [0, 1])
def test_truncate_and_replace_are_refused_by_the_database(number: int) -> None:
    """TRUNCATE in PostgreSQL; REPLACE in SQLite, which deletes without firing the triggers."""
    before = all_rows()
    with pytest.raises(DatabaseError, match=triggers.MESSAGE), transaction.atomic():
        sql(VENDORS_OWN[connection.vendor][number])()
    assert all_rows() == before


@pytest.mark.parametrize("same", ["hash", "sequence", "operation_id"])
def test_insert_that_clashes_in_one_column_replaces_nothing(same: str) -> None:
    """PostgreSQL calls it a duplicate; SQLite's REPLACE would delete the older row."""
    entry = Entry(phase=Phase.INTENT, action="x", caller=caller())
    audit_log.write(replace(entry, operation_id=uuid4()))
    fresh = {"sequence": "99", "hash": f"'{'f' * 64}'", "operation_id": "NULL"}
    del fresh[same]
    columns = [field.column for field in AuditEvent._meta.concrete_fields]
    values = ", ".join(fresh.get(column, column) for column in columns)
    verb = {"sqlite": "REPLACE", "postgresql": "INSERT"}[connection.vendor]
    names, before = ", ".join(columns), all_rows()
    statement = f"{verb} INTO {TABLE} ({names}) SELECT {values} FROM {TABLE} WHERE sequence = 4"
    with pytest.raises(IntegrityError), transaction.atomic():
        sql(statement)()
    assert all_rows() == before


def test_model_refuses_change_and_delete_without_triggers(log: list[AuditEvent]) -> None:
    triggers.remove(connection)
    with pytest.raises(TypeError, match="never deleted"):
        log[0].delete()
    log[0].actor = "test|eve"
    with pytest.raises(IntegrityError):
        log[0].save()
    with pytest.raises(IntegrityError):
        AuditEvent.objects.get(sequence=2).save(update_fields=None)
    assert {row["actor"] for row in all_rows()} == {"Ada|test|ada"}


def test_append_with_triggers_works() -> None:
    assert audit_log.write(
        Entry(phase=Phase.ACCESS, action="audit.export", caller=caller())
    ).sequence == len(all_rows())


def test_triggers_installed_twice_and_removed_work() -> None:
    triggers.install(connection)
    triggers.remove(connection)
    triggers.remove(connection)
    assert AuditEvent.objects.filter(sequence=2).update(actor="test|eve") == 1
    assert verify.verify().broken.startswith("event 2: ")
    triggers.install(connection)
    with pytest.raises(DatabaseError, match=triggers.MESSAGE):
        AuditEvent.objects.filter(sequence=2).update(actor="test|ada")
