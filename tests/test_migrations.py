"""The old version goes on serving while `migrate` of the new one runs: docs/deployment.md."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation

from collections_app.indexes import AddIndexOnline
from collections_app.models import AuditEvent

OURS = ("collections_app", "sso")
BEFORE, INDEXED = "0003_rights_are_rules", "0004_audit_by_database"
HARMLESS = (
    migrations.CreateModel,
    migrations.AlterModelOptions,
    AddIndexOnline,
    migrations.RunPython,
)
# Second steps: what no version uses any more may go. "app.migration" → since which version.
SECOND_STEPS: dict[str, str] = {}


def breaking(operations: list[Operation]) -> list[str]:
    """What of it the version before would stumble over, or wait for."""
    made = {o.name_lower for o in operations if isinstance(o, migrations.CreateModel)}
    return [o.describe() for o in operations if not _harmless(o, made)]


def _harmless(operation: Any, made: set[str]) -> bool:
    if getattr(operation, "model_name", "").lower() in made:
        return True  # a new table, which the old version does not know
    if isinstance(operation, migrations.AddField):
        # A `default` is Django's: the old version's INSERT does not send it.
        field = operation.field
        return field.null or field.has_db_default()
    return isinstance(operation, HARMLESS)


def ours() -> Iterator[tuple[str, migrations.Migration]]:
    loader = MigrationLoader(None)
    for (app, name), migration in loader.disk_migrations.items():
        if app in OURS:
            yield f"{app}.{name}", migration


@pytest.mark.parametrize(("name", "migration"), sorted(ours(), key=lambda one: one[0]), ids=str)
def test_the_version_before_can_work_beside_it(name: str, migration: Any) -> None:
    assert name in SECOND_STEPS or breaking(migration.operations) == []


WORD = models.CharField(max_length=9)
BREAKING: list[Operation] = [
    migrations.RemoveField("auditevent", "kind"),
    migrations.RenameField("auditevent", "kind", "sort"),
    migrations.AlterField("auditevent", "kind", WORD),
    migrations.AddField("auditevent", "word", WORD),
    migrations.AddField("auditevent", "word", models.CharField(max_length=9, default="")),
    migrations.AddIndex("auditevent", models.Index(fields=["kind"], name="by_kind")),
    migrations.DeleteModel("claim"),
    migrations.RenameModel("claim", "lock"),
    migrations.RunSQL("SELECT 1"),
]


@pytest.mark.parametrize("operation", BREAKING, ids=lambda operation: operation.describe())
def test_what_would_break_it_is_noticed(operation: Operation) -> None:
    assert breaking([operation]) == [operation.describe()]


@pytest.mark.parametrize("more", [{"null": True}, {"db_default": ""}], ids=str)
def test_a_column_that_an_old_insert_can_leave_out_is_fine(more: dict[str, Any]) -> None:
    field = models.CharField(max_length=9, **more)
    assert breaking([migrations.AddField("auditevent", "word", field)]) == []


# --- the index, for real --------------------------------------------------------------------------


def run(direction: str) -> None:
    """Apply or unapply the migration with the index."""
    loader = MigrationLoader(None)
    migration = loader.get_migration("collections_app", INDEXED)
    state = loader.project_state(("collections_app", BEFORE))
    with connection.schema_editor(atomic=migration.atomic) as editor:
        getattr(migration, direction)(state, editor)


def has_index() -> bool:
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, AuditEvent._meta.db_table)
    return "audit_by_database" in found


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_the_index_comes_and_goes() -> None:
    run("unapply")
    try:
        assert not has_index()
    finally:
        run("apply")
    assert has_index()


@pytest.mark.django_db(transaction=True)
def test_events_are_written_while_the_index_is_built() -> None:
    """The build has to wait for one writer; a plain one would make all others wait with it."""
    run("unapply")
    building = threading.Thread(target=_build)
    table = AuditEvent._meta.db_table
    lock = f"LOCK TABLE {table} IN ROW EXCLUSIVE MODE"  # as each INSERT takes it
    with _another() as writer, _another() as other:
        writer.execute(lock)
        building.start()
        _wait_for_the_build()
        other.execute("SET LOCAL lock_timeout = '1s'")
        other.execute(lock)
    building.join(30)
    assert has_index()


INDEX = "pg_index WHERE indexrelid = 'audit_by_database'::regclass"


@pytest.mark.django_db(transaction=True)
def test_a_build_that_was_broken_off_is_begun_anew() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {INDEX.replace(' ', ' SET indisvalid = false ', 1)}")
        run("apply")
        cursor.execute(f"SELECT indisvalid FROM {INDEX}")
        assert cursor.fetchone() == (True,)


@contextmanager
def _another() -> Iterator[Any]:
    """A connection of its own, in a transaction that is rolled back."""
    made = connection.copy()
    made.set_autocommit(False)
    try:
        with made.cursor() as cursor:
            yield cursor
    finally:
        made.rollback()
        made.close()


def _build() -> None:
    try:
        run("apply")
    finally:
        connection.close()  # this thread's own


def _wait_for_the_build() -> None:
    """Until it waits for the writer's lock."""
    waiting = "query LIKE 'CREATE INDEX%' AND wait_event_type = 'Lock'"
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM pg_stat_activity WHERE {waiting}")
            if cursor.fetchone()[0]:
                return
        time.sleep(0.05)
    raise AssertionError("nothing builds an index")
