"""What protects the chain, and what has to agree with it: triggers, claims, removed segments."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count, Exists, Min, OuterRef, QuerySet

from ..models import AuditEvent, Claim, RemovedSegment
from . import triggers
from .log import Outcome, Phase, key_id
from .verify import removed_from_database


def problems() -> list[str]:
    """What is not as it should be though the chain may be intact, in an operator's words."""
    return [*_triggers(), *_constraints(), *_operations(), *_segments(), *_key()]


def unclaimed() -> QuerySet[AuditEvent]:
    """Intents of operations that have no final outcome, and that nobody will ever settle.

    Claims are made with the intent and go with the outcome, in the same transaction.
    """
    return _intents().filter(~Exists(_final_outcome()), ~Exists(_claim()))


def _triggers() -> Iterator[str]:
    for name in triggers.damaged(connection):
        yield f"the trigger {name} is missing, or is not as it should be"


def _constraints() -> Iterator[str]:
    """One confirmation has one intent: the database sees to it."""
    table = AuditEvent._meta.db_table
    with connection.cursor() as cursor:
        constraints: dict[str, Any] = connection.introspection.get_constraints(cursor, table)
    for constraint in AuditEvent._meta.constraints:
        if not constraints.get(constraint.name, {}).get("unique"):
            yield f"the constraint {constraint.name} is missing"


def _operations() -> Iterator[str]:
    for intent in unclaimed().order_by("sequence")[:10]:
        yield f"the operation of event {intent.sequence} is open, and its claim is gone"
    for operation_id in _duplicated(_intents()):
        yield f"operation {operation_id} has two intents"
    for operation_id in _duplicated(_final(AuditEvent.objects.all())):
        yield f"operation {operation_id} has two final outcomes"
    for claim in _claims_without_operation()[:10]:
        yield f"the claim of operation {claim.operation_id} belongs to no open operation"


def _claims_without_operation() -> QuerySet[Claim]:
    intents = _intents().filter(operation_id=OuterRef("operation_id"))
    return Claim.objects.filter(~Exists(intents) | Exists(_final_outcome()))


def _duplicated(events: QuerySet[AuditEvent]) -> list[UUID]:
    counts = events.values("operation_id").annotate(n=Count("*"), at=Min("sequence"))
    duplicates = counts.filter(n__gt=1).order_by("at").values_list("operation_id", flat=True)
    return [operation_id for operation_id in duplicates[:10] if operation_id]


def _intents() -> QuerySet[AuditEvent]:
    return AuditEvent.objects.filter(phase=Phase.INTENT)


def _final(events: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
    return events.filter(phase=Phase.OUTCOME).exclude(outcome=Outcome.UNKNOWN)


def _final_outcome() -> QuerySet[AuditEvent]:
    return _final(AuditEvent.objects.filter(operation_id=OuterRef("operation_id")))


def _claim() -> QuerySet[Claim]:
    return Claim.objects.filter(operation_id=OuterRef("operation_id"))


def _segments() -> Iterator[str]:
    """The table lets the triggers delete; only events of the chain may have filled it."""
    rows = list(RemovedSegment.objects.order_by("last"))
    heads = removed_from_database()
    oldest = AuditEvent.objects.aggregate(oldest=Min("sequence"))["oldest"] or 0
    for row in rows:
        is_removed = row.last < row.event < oldest  # that event is in a removed segment itself
        if not is_removed and heads.get(row.last) != row.head:
            yield f"no event removed the segment up to {row.last} that the database knows of"


def _key() -> Iterator[str]:
    """Only under an event of the key in use is a retired key worth nothing."""
    newest = AuditEvent.objects.order_by("-sequence").first()
    if newest and f'"key_id":"{key_id()}"' not in newest.record:
        yield (
            "the newest event was sealed with a retired key: the log was cut back to before the "
            "key was changed, or nothing was recorded since (note_in_audit_log records something)"
        )
