"""What happened on one cluster lately, as far as somebody may see the things it happened to."""

import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Count, Max, Q
from django.db.models.functions import TruncDate
from django.utils import timezone

from ..access.policy import Action
from ..access.principals import Actor
from ..models import AuditEvent
from .log import Outcome, Phase
from .queries import Event, readable_by, removed_until

RECENT_EVENTS = 20_000  # only so many are searched, so a quiet cluster costs no full scan
MAX_SHOWN = 5
DAYS = 30
DROPS = (Action.DROP_COLLECTION, Action.DROP_PARTITION)
COLLECTION_GONE = "collection.gone"  # as drift/events.py writes it


@dataclass(frozen=True, slots=True, kw_only=True)
class Recent:
    """The newest operations, one event for each, and the newest changes made elsewhere."""

    here: list[Event]
    outside: list[Event]


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """How many drops a day had. None: the log of that day is in a sealed file only."""

    day: date
    here: int | None
    outside: int | None


def recent(cluster: str, reader: Actor) -> Recent:
    """Without what no rule permitted: whoever tries often must not hide the rest."""
    newest = AuditEvent.objects.aggregate(at=Max("sequence"))["at"] or 0
    events = AuditEvent.objects.filter(
        readable_by(reader, Action.VIEW), cluster=cluster, sequence__gt=newest - RECENT_EVENTS
    ).order_by("-sequence")
    operations = events.filter(operation_id__isnull=False).exclude(outcome=Outcome.DENIED)
    latest: dict[uuid.UUID | None, Event] = {}
    for row in operations[: 4 * MAX_SHOWN]:
        latest.setdefault(row.operation_id, Event.of(row))
    external_events = events.filter(phase=Phase.OBSERVED, outcome=Outcome.EXTERNAL)
    outside = [Event.of(row) for row in external_events[:MAX_SHOWN]]
    return Recent(here=list(latest.values())[:MAX_SHOWN], outside=outside)


def drops_by_day(cluster: str, reader: Actor) -> list[Day]:
    """The last days, oldest first, today included: drops made here, and collections gone."""
    today = timezone.localdate()
    days = [today - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    own_drops = Q(action__in=DROPS, outcome=Outcome.SUCCEEDED)
    external_drops = Q(action=COLLECTION_GONE, outcome=Outcome.EXTERNAL)
    rows = (
        AuditEvent.objects.filter(
            readable_by(reader, Action.VIEW), own_drops | external_drops, cluster=cluster
        )
        .filter(recorded_at__gte=_midnight(days[0]))
        .order_by()
        .values_list(TruncDate("recorded_at"), "outcome")
        .annotate(Count("pk"))
    )
    counts = Counter({(day, outcome): count for day, outcome, count in rows})
    first_complete = _first_complete_day()
    return [
        Day(
            day=day,
            here=counts[day, Outcome.SUCCEEDED] if day >= first_complete else None,
            outside=counts[day, Outcome.EXTERNAL] if day >= first_complete else None,
        )
        for day in days
    ]


def _first_complete_day() -> date:
    """The first day of which the database has every event."""
    removed = removed_until()
    if not removed:
        return date.min
    first = AuditEvent.objects.filter(sequence__gt=removed).order_by("sequence").first()
    return timezone.localdate(first.recorded_at) + timedelta(days=1) if first else date.max


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, datetime.min.time()))
