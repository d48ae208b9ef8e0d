"""Triggers that refuse to change or delete audit events."""

from typing import Any

from django.db import migrations

from collections_app import triggers


def install(apps: Any, schema_editor: Any) -> None:
    triggers.install(schema_editor.connection, segments=False)


def remove(apps: Any, schema_editor: Any) -> None:
    triggers.remove(schema_editor.connection, segments=False)


class Migration(migrations.Migration):
    dependencies = [("collections_app", "0001_initial")]
    operations = [migrations.RunPython(install, remove)]
