"""All tables, and the triggers that make the audit log append-only."""

from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from collections_app.audit import triggers


def install(apps: Any, schema_editor: Any) -> None:
    triggers.install(schema_editor.connection)


def remove(apps: Any, schema_editor: Any) -> None:
    triggers.remove(schema_editor.connection)


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.CreateModel(
            name="Claim",
            fields=[
                ("target", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("operation_id", models.UUIDField(unique=True)),
                ("cluster", models.CharField(max_length=40)),
                ("actor_display", models.CharField(max_length=300)),
                ("claimed_at", models.DateTimeField()),
                ("progress", models.CharField(db_default="request", max_length=10)),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="PersonalSettings",
            fields=[
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("density", models.CharField(default="", max_length=20)),
                ("hidden", models.JSONField(default=dict)),
                ("pinned", models.JSONField(default=list)),
                ("recent", models.JSONField(default=list)),
                ("used_at", models.DateTimeField(db_index=True)),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="PurgePause",
            fields=[
                ("cluster", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("actor_display", models.CharField(max_length=300)),
                ("reason", models.TextField()),
                ("since", models.DateTimeField()),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Quota",
            fields=[
                ("key", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("since", models.DateTimeField(db_index=True)),
                ("written", models.IntegerField()),
                ("withheld", models.IntegerField()),
                ("phase", models.CharField(max_length=20)),
                ("action", models.CharField(max_length=40)),
                ("actor", models.JSONField()),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="RemovedSegment",
            fields=[
                ("last", models.BigIntegerField(primary_key=True, serialize=False)),
                ("first", models.BigIntegerField()),
                ("head", models.CharField(max_length=64)),
                ("file", models.CharField(max_length=255)),
                ("event", models.BigIntegerField()),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="TaskRun",
            fields=[
                ("name", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("ok", models.BooleanField()),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="AuditEvent",
            fields=[
                ("sequence", models.BigIntegerField(primary_key=True, serialize=False)),
                ("operation_id", models.UUIDField(db_index=True, null=True)),
                ("recorded_at", models.DateTimeField(db_index=True)),
                ("phase", models.CharField(max_length=20)),
                ("action", models.CharField(max_length=40)),
                ("outcome", models.CharField(max_length=20)),
                ("actor", models.CharField(max_length=300)),
                ("cluster", models.CharField(max_length=255)),
                ("database", models.CharField(max_length=255)),
                ("kind", models.CharField(max_length=20)),
                ("collection", models.CharField(max_length=255)),
                ("name", models.CharField(max_length=255)),
                ("record", models.TextField()),
                ("prev_hash", models.CharField(max_length=64)),
                ("hash", models.CharField(max_length=64, unique=True)),
            ],
            options={
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["actor", "-sequence"], name="audit_by_actor"),
                    models.Index(fields=["outcome", "-sequence"], name="audit_by_outcome"),
                    models.Index(
                        fields=["collection", "cluster", "database", "-sequence"],
                        name="audit_by_collection",
                    ),
                    models.Index(fields=["name", "-sequence"], name="audit_by_name"),
                    models.Index(
                        fields=["cluster", "database", "-sequence"], name="audit_by_database"
                    ),
                    models.Index(
                        condition=models.Q(("kind", "new collection")),
                        fields=["name"],
                        name="audit_creations",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("phase", "intent")),
                        fields=("operation_id",),
                        name="one_intent_per_operation",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="BinItem",
            fields=[
                ("operation_id", models.UUIDField(primary_key=True, serialize=False)),
                ("cluster", models.CharField(max_length=40)),
                ("database", models.CharField(max_length=255)),
                ("name", models.CharField(max_length=255)),
                ("private_name", models.CharField(db_index=True, max_length=64)),
                ("collection_id", models.BigIntegerField()),
                ("created_ms", models.BigIntegerField(null=True)),
                ("fingerprint", models.CharField(max_length=64)),
                ("rows", models.BigIntegerField(null=True)),
                ("was_loaded", models.BooleanField()),
                ("aliases", models.JSONField()),
                ("actor", models.CharField(max_length=300)),
                ("actor_display", models.CharField(max_length=300)),
                ("reason", models.TextField()),
                ("moved_at", models.DateTimeField()),
                ("purge_at", models.DateTimeField()),
                ("problem", models.TextField()),
                ("retry_at", models.DateTimeField(null=True)),
            ],
            options={
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["cluster", "database", "name"], name="bin_by_name"),
                    models.Index(fields=["purge_at"], name="bin_by_purge"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Notification",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("event", models.CharField(max_length=40)),
                ("channel", models.CharField(max_length=10)),
                ("plan", models.BigIntegerField(null=True)),
                ("facts", models.JSONField()),
                ("created_at", models.DateTimeField(db_index=True)),
                ("due_at", models.DateTimeField()),
                ("attempts", models.IntegerField(default=0)),
                ("sent_at", models.DateTimeField(null=True)),
                ("problem", models.TextField(default="")),
            ],
            options={
                "default_permissions": (),
                "indexes": [models.Index(fields=["sent_at", "due_at"], name="notifications_due")],
            },
        ),
        migrations.CreateModel(
            name="Plan",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("state", models.CharField(default="reading", max_length=20)),
                ("action", models.CharField(max_length=40)),
                ("cluster", models.CharField(max_length=40)),
                ("endpoint", models.TextField()),
                ("database", models.CharField(max_length=255)),
                ("selection", models.TextField()),
                ("is_single", models.BooleanField(default=False)),
                ("reason", models.TextField()),
                ("author", models.JSONField()),
                ("confirmed_by", models.JSONField(null=True)),
                ("requested_by", models.JSONField(null=True)),
                ("requested_at", models.DateTimeField(null=True)),
                ("approved_by", models.JSONField(null=True)),
                ("approved_at", models.DateTimeField(null=True)),
                ("rule", models.TextField(default="")),
                ("digest", models.CharField(default="", max_length=64)),
                ("why", models.TextField(default="")),
                ("at_once", models.IntegerField(default=1)),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("confirmed_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("worked_at", models.DateTimeField()),
                ("ticket", models.IntegerField(default=0)),
            ],
            options={
                "default_permissions": (),
                "indexes": [models.Index(fields=["state", "-id"], name="plans_by_state")],
            },
        ),
        migrations.CreateModel(
            name="Protection",
            fields=[
                ("operation_id", models.UUIDField(primary_key=True, serialize=False)),
                ("cluster", models.CharField(max_length=40)),
                ("database", models.CharField(max_length=255)),
                ("name", models.CharField(max_length=255)),
                ("collection_id", models.BigIntegerField()),
                ("actor_display", models.CharField(max_length=300)),
                ("reason", models.TextField()),
                ("since", models.DateTimeField()),
                ("until", models.DateTimeField(null=True)),
                ("removed_by", models.CharField(max_length=300)),
                ("removal_reason", models.TextField()),
                ("removal_at", models.DateTimeField(null=True)),
            ],
            options={
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["cluster", "database", "name"], name="protection_by_name"),
                    models.Index(fields=["collection_id"], name="protection_by_id"),
                ],
            },
        ),
        migrations.CreateModel(
            name="WatchedDatabase",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("cluster", models.CharField(max_length=255)),
                ("database", models.CharField(max_length=255)),
                ("endpoint", models.TextField()),
                ("listed_at", models.DateTimeField()),
                ("position", models.BigIntegerField()),
                ("version", models.BigIntegerField(default=0)),
            ],
            options={
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("cluster", "database"), name="one_watch_per_database"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="SeenCollection",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.TextField()),
                ("collection_id", models.BigIntegerField()),
                ("created_ms", models.BigIntegerField(null=True)),
                ("last_listed_at", models.DateTimeField(null=True)),
                (
                    "watched",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="collections",
                        to="collections_app.watcheddatabase",
                    ),
                ),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="PlanItem",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("position", models.IntegerField()),
                ("state", models.CharField(default="unread", max_length=20)),
                ("collection", models.TextField()),
                ("name", models.TextField()),
                ("operation_id", models.UUIDField(unique=True)),
                ("identity", models.JSONField(null=True)),
                ("shown", models.JSONField(default=dict)),
                ("message", models.TextField(default="")),
                ("outcome", models.CharField(default="", max_length=20)),
                ("taken_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "plan",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="items",
                        to="collections_app.plan",
                    ),
                ),
            ],
            options={
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["plan", "state", "position"], name="items_by_state")
                ],
            },
        ),
        migrations.RunPython(install, remove),
    ]
