"""Drops that Milvus carries out after their operation was closed as "not done so far".

From 2.6.6 on Milvus stores a drop that it has accepted, and carries it out however long that takes
(issue #43897). So when the thing goes, that is this operation's doing, and its record says so.
"""

import logging
import uuid
from collections.abc import Collection, Iterator
from datetime import timedelta

from django.utils import timezone

from ..access.principals import Caller
from ..audit.events import Intent, intent_of
from ..audit.log import Outcome, Phase
from ..clusters import UnknownCluster, same_server
from ..milvus.errors import MilvusError
from ..milvus.types import Kind
from ..models import AuditEvent
from .execution import execution_of
from .sending import follow_up

logger = logging.getLogger(__name__)

CARRIED_OUT_LATE = (
    "It no longer exists. This Milvus carries out every drop that it accepted, however late, so "
    "the operation succeeded"
)
DONE_BY_ANOTHER = "It no longer exists. Operation {} dropped it"
WITH_ID = (Kind.COLLECTION, Kind.BINNED)  # whose id is a collection's
REMEMBERED = timedelta(days=7)  # each is read for so long


def follow_up_late_drops(caller: Caller) -> list[str]:
    """Read the target of each such operation, and record what is gone. Returns what was recorded.

    What can't be read now is logged, and left for the next time. Raises LogUnwritable.
    """
    lines = []
    for closed, intent in _not_done():
        try:
            if execution_of(intent).is_done():
                lines.append(_follow_up(closed, intent, caller))
        except (MilvusError, UnknownCluster) as exc:
            logger.warning("operation %s can't be followed up: %s", intent.operation_id, exc)
    return list(filter(None, lines))


def follow_up_gone(clusters: list[str], ids: Collection[int], caller: Caller) -> None:
    """The same for collections of one server that are gone, by id. Raises LogUnwritable."""
    for closed, intent in _not_done() if ids else ():
        here = intent.target.cluster in clusters and intent.target.kind in WITH_ID
        if here and intent.identity.id in ids:
            _follow_up(closed, intent, caller)


def _not_done() -> Iterator[tuple[AuditEvent, Intent]]:
    """Operations that nothing has followed yet: how they were closed, and how they began."""
    followed = AuditEvent.objects.filter(phase=Phase.FOLLOW_UP).values("operation_id")
    closed = AuditEvent.objects.filter(
        recorded_at__gt=timezone.now() - REMEMBERED, phase=Phase.OUTCOME, outcome=Outcome.NOT_DONE
    ).exclude(operation_id__in=followed)
    for row in closed:
        intent = row.operation_id and intent_of(row.operation_id)
        if intent:  # else it is in a segment that was removed
            yield row, intent


def _follow_up(closed: AuditEvent, intent: Intent, caller: Caller) -> str:
    """What was recorded; empty if somebody has just recorded it."""
    another = _dropped_by_another(intent)
    outcome = Outcome.NOT_DONE if another else Outcome.SUCCEEDED
    message = DONE_BY_ANOTHER.format(another) if another else CARRIED_OUT_LATE
    recorded = follow_up(closed, intent.target, outcome, message, caller)
    return f"{intent.operation_id}: {message}" if recorded else ""


def _dropped_by_another(intent: Intent) -> uuid.UUID | None:
    """A later operation that was aimed at the same thing, and succeeded."""
    target = intent.target
    succeeded = AuditEvent.objects.filter(
        recorded_at__gt=intent.recorded_at,
        cluster__in=same_server(target.cluster),
        database=target.database,
        phase=Phase.OUTCOME,
        action=intent.action,
        outcome=Outcome.SUCCEEDED,
    ).exclude(operation_id=intent.operation_id)
    later = (intent_of(row.operation_id) for row in succeeded if row.operation_id)
    same = (one.operation_id for one in later if one and one.identity == intent.identity)
    return next(same, None)
