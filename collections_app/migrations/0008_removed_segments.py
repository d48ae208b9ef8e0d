"""Segments of the log that were sealed and removed. Triggers let nothing else be deleted."""

from typing import Any

from django.db import migrations, models

from collections_app import triggers


def install(apps: Any, schema_editor: Any) -> None:
    """In place of those of 0002, as earlier versions made them."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"DROP TRIGGER IF EXISTS audit_append_only ON {triggers.TABLE}")
        schema_editor.execute("DROP FUNCTION IF EXISTS refuse_audit_change() CASCADE")
    triggers.install(schema_editor.connection)


def remove(apps: Any, schema_editor: Any) -> None:
    triggers.remove(schema_editor.connection)
    triggers.install(schema_editor.connection, segments=False)


class Migration(migrations.Migration):
    dependencies = [("collections_app", "0007_pulse")]
    operations = [
        migrations.CreateModel(
            name="RemovedSegment",
            fields=[
                ("last", models.BigIntegerField(primary_key=True, serialize=False)),
                ("first", models.BigIntegerField()),
                ("head", models.CharField(max_length=64)),
                ("file", models.CharField(max_length=255)),
                ("event", models.BigIntegerField()),
            ],
            options={"default_permissions": ()},
        ),
        migrations.RunPython(install, remove),
    ]
