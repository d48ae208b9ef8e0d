"""The heartbeats of background tasks: when each ran last, and whether it succeeded. Not audited."""

import logging
from datetime import timedelta

from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from ..models import TaskRun

logger = logging.getLogger(__name__)

READY, RECONCILE, VERIFY, WATCH, PURGE = "ready", "reconcile", "verify", "watch", "purge"
PLANS, NOTIFY = "plans", "notify"

# One statement that commits by itself: a process that is held up keeps no other waiting.
UPSERT = """
    INSERT INTO collections_app_taskrun (name, at, ok) VALUES (%s, %s, %s)
    ON CONFLICT (name) DO UPDATE SET at = excluded.at, ok = excluded.ok
"""


def record_run(task: str, *, ok: bool = True) -> None:
    """The task ran just now. Raises DatabaseError."""
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(UPSERT, [task, now, ok])


def try_record_run(task: str, *, ok: bool = True) -> None:
    """The same for a task that must not fail for it: it then looks as if it had not run."""
    try:
        record_run(task, ok=ok)
    except (DatabaseError, InterfaceError) as exc:
        logger.error("the run of %s could not be recorded: %s", task, exc)


def all_tasks() -> list[TaskRun]:
    """Every task that ever ran, by name; without readiness."""
    return list(TaskRun.objects.exclude(name=READY).order_by("name"))


def last_run(name: str) -> TaskRun | None:
    """When a task ran last; None if it never did."""
    return TaskRun.objects.filter(name=name).first()


def is_silent(name: str, seconds: float) -> bool:
    """Whether a task never ran, or not for so long."""
    since = timezone.now() - timedelta(seconds=seconds)
    return not TaskRun.objects.filter(name=name, at__gt=since).exists()
