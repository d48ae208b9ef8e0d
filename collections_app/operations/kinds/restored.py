"""What the log tells of a collection that came back: from the recycle bin, or created again."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from ...access.policy import Action
from ...audit.events import Intent, intent_of
from ...audit.log import Outcome, Phase
from ...clusters import same_server
from ...milvus.errors import NotFound
from ...milvus.types import Identity, Kind, Target
from ...models import AuditEvent
from ..private_names import BIN, operation_of
from .create_collection import source_of
from .move_to_bin import aliases_dropped_before, was_loaded

ENDS = (Phase.OUTCOME, Phase.FOLLOW_UP)
OFFERED = timedelta(days=30)  # after it came back


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What a collection had before it went, and does not have by itself again."""

    aliases: tuple[str, ...] = ()
    was_loaded: bool = False
    replicas: int = 1


def restored(target: Target, identity: Identity | None) -> Restored:
    """What may be set again for this collection, by how it came back last; nothing if it did not.

    Without an identity, or on a server without ids, by its name alone.
    """
    for went in _ways_back(target, identity):
        return Restored(
            aliases=_aliases(went),
            was_loaded=was_loaded(went),
            replicas=went.snapshot.get("replicas") or 1,
        )
    return Restored()


def _ways_back(target: Target, identity: Identity | None) -> Iterator[Intent]:
    """How it went before it came back, newest first."""
    done = _lately(target).filter(outcome=Outcome.SUCCEEDED, phase__in=ENDS).order_by("-sequence")
    for row in done:
        intent = row.operation_id and intent_of(row.operation_id)
        if intent and _is_same(intent, row, target, identity) and (went := _went(intent)):
            yield went


def _lately(target: Target) -> QuerySet[AuditEvent]:
    return AuditEvent.objects.filter(
        cluster__in=same_server(target.cluster),
        database=target.database,
        action__in=(Action.RESTORE, Action.CREATE),
        recorded_at__gt=timezone.now() - OFFERED,
    )


def _is_same(
    intent: Intent, outcome: AuditEvent, target: Target, identity: Identity | None
) -> bool:
    """Whether this operation brought that very collection back."""
    if identity is None or not identity.verifiable:
        return (intent.new_name or intent.target.collection) == target.collection
    if intent.action == Action.RESTORE:
        return intent.identity.id == identity.id
    made = json.loads(outcome.record)["details"].get("made") or {}
    return bool(made.get("identity", {}).get("id") == identity.id)


def _went(back: Intent) -> Intent | None:
    """How it went: into the bin, or by a drop. None if that is in a segment that was removed."""
    drop = back
    if back.action == Action.CREATE:
        try:
            drop = source_of(back.target)
        except NotFound:
            return None
    moved = operation_of(drop.target.name, BIN) if drop.target.kind is Kind.BINNED else None
    return intent_of(moved) if moved else drop


def _aliases(went: Intent) -> tuple[str, ...]:
    """Those that it had, and those that were dropped to clear the way."""
    names = [*aliases_dropped_before(went), *went.snapshot.get("aliases", ())]
    return tuple(dict.fromkeys(names))
