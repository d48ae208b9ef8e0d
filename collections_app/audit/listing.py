"""The audit log as people read it: a row for each operation or attempt, page by page."""

import uuid
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from ..access.policy import Action
from ..access.principals import Actor
from ..models import AuditEvent, Claim
from . import queries
from .log import Outcome, Phase
from .queries import OPEN, PAGE, Event

LATER_PHASES = (Phase.OUTCOME, Phase.FOLLOW_UP)  # they belong to the row of their intent


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An operation with all its events, or one event that belongs to none. Pages go on by `key`."""

    key: int
    events: list[Event]
    is_open: bool = False

    @property
    def first(self) -> Event:
        return self.events[0]

    @property
    def outcome(self) -> str:
        """The last one recorded; empty if there is none."""
        return next((e.row.outcome for e in reversed(self.events) if e.row.outcome), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """A page of the log, and the keys that lead on; 0 where it ends."""

    rows: list[Row]
    older: int
    newer: int


def log_page(filters: dict[str, Any], reader: Actor, *, before: int = 0, after: int = 0) -> LogPage:
    """What the reader may read of the log, newest first, filtered by AuditFilterForm's data."""
    return _page(_rows(filters, reader), before, after)


def own_page(reader: Actor, *, before: int = 0, after: int = 0) -> LogPage:
    """The reader's own operations on what they may see, newest first."""
    own = _rows({"mine": True}, reader, Action.VIEW).filter(operation_id__isnull=False)
    return _page(own, before, after)


def _rows(
    filters: dict[str, Any], reader: Actor, action: Action = Action.READ_AUDIT
) -> QuerySet[AuditEvent]:
    """One event for each row, newest first.

    A row is found by its first event; by its last one if an outcome is asked for, because only an
    index can find the few that failed among a million.
    """
    events = AuditEvent.objects.filter(queries.readable_by(reader, action), queries.about(filters))
    people, outcome = queries.by_people(filters, reader), filters.get("outcome")
    if outcome == OPEN:
        intents = events.filter(
            phase=Phase.INTENT, operation_id__in=Claim.objects.values("operation_id")
        )
        return intents.filter(people).order_by("-sequence")
    if outcome:
        by_intent = Q(Exists(_intent().filter(people)))
        by = ((~Q(phase__in=LATER_PHASES) & people) | by_intent) if people else Q()
        return events.filter(by, _is_last(), outcome=outcome).order_by("-sequence")
    # An outcome without its intent can only be a forgery, or half of a lost log: it is shown.
    is_first = ~Q(phase__in=LATER_PHASES) | Q(~Exists(_intent()))
    return events.filter(people, is_first).order_by("-sequence")


def _intent() -> QuerySet[AuditEvent]:
    """That of the operation of an event, for Exists()."""
    return AuditEvent.objects.filter(phase=Phase.INTENT, operation_id=OuterRef("operation_id"))


def _is_last() -> Q:
    """Whether no later outcome of the same operation followed."""
    later = AuditEvent.objects.filter(
        operation_id=OuterRef("operation_id"),
        sequence__gt=OuterRef("sequence"),
        phase__in=LATER_PHASES,
    )
    return ~Q(phase__in=LATER_PHASES) | Q(~Exists(later.exclude(outcome=Outcome.NONE)))


def _page(events: QuerySet[AuditEvent], before: int, after: int) -> LogPage:
    """A page by key: page 1 of a million costs what page 1 of a thousand does."""
    if after:
        page = list(events.filter(sequence__gt=after).order_by("sequence")[: PAGE + 1])
        has_older, has_newer, page = True, len(page) > PAGE, page[:PAGE][::-1]
    else:
        page = list((events.filter(sequence__lt=before) if before else events)[: PAGE + 1])
        has_older, has_newer, page = len(page) > PAGE, bool(before), page[:PAGE]
    return LogPage(
        rows=_with_all_events(page),
        older=page[-1].sequence if page and has_older else 0,
        newer=page[0].sequence if page and has_newer else 0,
    )


def _with_all_events(page: list[AuditEvent]) -> list[Row]:
    """The rows of these events. All operations of a page are read at once."""
    phases = (Phase.INTENT, *LATER_PHASES)
    operation_ids = {row.operation_id for row in page if row.operation_id and row.phase in phases}
    events: dict[uuid.UUID | None, list[Event]] = {}
    of_page = AuditEvent.objects.filter(operation_id__in=operation_ids, phase__in=phases)
    for row in of_page.order_by("sequence") if operation_ids else ():
        events.setdefault(row.operation_id, []).append(Event.of(row))
    claims = Claim.objects.filter(operation_id__in=operation_ids)
    open_ids = set(claims.values_list("operation_id", flat=True)) if operation_ids else set()
    return [
        Row(
            key=row.sequence,
            events=events[row.operation_id] if row.phase in phases else [Event.of(row)],
            is_open=row.phase in phases and row.operation_id in open_ids,
        )
        for row in page
    ]
