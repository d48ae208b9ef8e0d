"""The loop of the background process: `manage.py run_plans`, or a thread where a file is owned."""

import logging
import os
import socket
import time
from collections.abc import Callable
from datetime import timedelta

from django.core.management import call_command
from django.db import DatabaseError, InterfaceError, close_old_connections
from django.utils import timezone
from django_tasks_db.management.commands.db_worker import Worker
from django_tasks_db.models import DBTaskResult

from ..access.principals import Caller
from ..audit.log import LogUnwritable
from ..models import Plan
from ..operations.protections import record_ended
from . import tasks
from .rows import OVER
from .running import stopping

logger = logging.getLogger(__name__)

TASKS_KEPT = timedelta(days=7)  # nobody reads them but to find a fault
PLANS_KEPT = timedelta(days=90)  # after their end; the audit log is the record

AFTER_TROUBLE = 5.0  # seconds
WAKE_EVERY = 5.0  # seconds between two looks at all plans
_tidy_at = 0.0  # monotonic seconds


def loop(beat: Callable[[], None], *, every: float, once: bool = False) -> None:
    """Work until `stopping` is set; with `once`, until nothing is left that can be done now."""
    for name in ("django_tasks", "django_tasks_db"):
        logging.getLogger(name).setLevel(logging.WARNING)  # else a line for each slice
    wake_at = 0.0  # monotonic seconds
    while not stopping.is_set():
        is_due = time.monotonic() >= wake_at
        if is_due:
            wake_at = time.monotonic() + WAKE_EVERY
        worked = _turn(beat if is_due else None)
        if once and not worked:
            return
        if not worked:
            stopping.wait(AFTER_TROUBLE if worked is None else every)


def _turn(beat: Callable[[], None] | None) -> bool | None:
    """One slice of one plan. Returns whether there was any; None if the database failed.

    With `beat`, all plans are looked after before.
    """
    close_old_connections()
    try:
        if beat:
            _tidy_up()
            tasks.wake()
            record_ended(Caller.shell())  # for the demo, where no reconcile_operations runs
            beat()
        if not DBTaskResult.objects.ready().exists():
            return False
        _worker().run()
    except (DatabaseError, InterfaceError, LogUnwritable) as exc:
        logger.error("plans wait, the database does not answer: %s: %s", type(exc).__name__, exc)
        return None
    return True


def _worker() -> Worker:
    """django-tasks' own worker, for one task."""
    return Worker(
        queue_names=["default"],
        interval=0,
        batch=True,
        backend_name="default",
        startup_delay=False,
        max_tasks=1,
        worker_id=f"{socket.gethostname()}:{os.getpid()}"[:64],
        excluded_queue_names=[],
    )


def _tidy_up() -> None:
    """Once an hour: tasks and plans that ended long ago, and tasks whose worker was killed."""
    global _tidy_at  # noqa: PLW0603
    if time.monotonic() < _tidy_at:
        return
    _tidy_at = time.monotonic() + 3600
    call_command("prune_db_task_results", min_age_days=TASKS_KEPT.days, verbosity=0)
    now = timezone.now()
    DBTaskResult.objects.running().filter(started_at__lt=now - TASKS_KEPT).delete()
    Plan.objects.filter(state__in=OVER, ended_at__lt=now - PLANS_KEPT).delete()
