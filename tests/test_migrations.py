"""The old version keeps working while `migrate` of the new one runs: docs/deployment.md."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation

OURS = ("collections_app", "sso")
HARMLESS = (migrations.CreateModel, migrations.AlterModelOptions, migrations.RunPython)
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
def test_migration_keeps_the_version_before_working(name: str, migration: Any) -> None:
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
def test_breaking_migration_is_noticed(operation: Operation) -> None:
    assert breaking([operation]) == [operation.describe()]


@pytest.mark.parametrize("more", [{"null": True}, {"db_default": ""}], ids=str)
def test_column_that_an_old_insert_leaves_out_is_no_break(more: dict[str, Any]) -> None:
    field = models.CharField(max_length=9, **more)
    assert breaking([migrations.AddField("auditevent", "word", field)]) == []
