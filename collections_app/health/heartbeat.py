"""When something that must go on did so last, for whoever watches. No part of the record."""

import logging
from datetime import timedelta

from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from ..models import Pulse

logger = logging.getLogger(__name__)

READY, RECONCILE, VERIFY, WATCH, PURGE = "ready", "reconcile", "verify", "watch", "purge"
PLANS = "plans"

# One statement that commits by itself: no process that is held up keeps others waiting.
UPSERT = """
    INSERT INTO collections_app_pulse (name, at, well) VALUES (%s, %s, %s)
    ON CONFLICT (name) DO UPDATE SET at = excluded.at, well = excluded.well
"""


def beat(name: str, *, well: bool = True) -> None:
    """It ran just now, and well or not. Raises DatabaseError."""
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(UPSERT, [name, now, well])


def note(name: str, *, well: bool = True) -> None:
    """The same for a task, which does not fail for it: then it looks as if it had not run."""
    try:
        beat(name, well=well)
    except (DatabaseError, InterfaceError) as exc:
        logger.error("that %s ran could not be noted: %s", name, exc)


def all_tasks() -> list[Pulse]:
    """Every task that ever ran, by name; without the beats of readiness."""
    return list(Pulse.objects.exclude(name=READY).order_by("name"))


def is_silent(name: str, seconds: float) -> bool:
    """Whether a task never ran, or not for so long."""
    since = timezone.now() - timedelta(seconds=seconds)
    return not Pulse.objects.filter(name=name, at__gt=since).exists()
