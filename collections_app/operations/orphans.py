"""Orphans: a rename that Milvus carries out after its operation was closed leaves a collection
under the temporary name, where nobody looks for it. Its original name is restored.
"""

import logging
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from django.utils import timezone

from .. import clusters
from ..access.policy import Action
from ..access.principals import Caller
from ..audit.events import Intent, intent_of
from ..audit.log import Outcome, Phase
from ..milvus.errors import MilvusError, NotFound, OutcomeUnknown
from ..milvus.types import Cluster
from ..models import AuditEvent, BinItem, Claim
from . import strict
from .bin_moves import IntoBin
from .claims import last_outcome
from .execution import TwoPhaseDrop, execution_of
from .private_names import operation_of
from .sending import follow_up

logger = logging.getLogger(__name__)

LATE = "A late rename completed after the operation closed. Nothing was dropped."
RESTORING = "Its original name is being restored"
REMEMBERED = timedelta(days=7)  # for a strict drop, where not all databases can be searched


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """A collection under the temporary name of a closed operation."""

    operation_id: uuid.UUID
    quarantine: strict.Quarantine
    closed: AuditEvent  # the operation's last event with an outcome

    @property
    def is_move(self) -> bool:
        """Whether it was to go into the recycle bin."""
        return self.closed.action == Action.MOVE_TO_BIN

    @property
    def announcement(self) -> AuditEvent | None:
        """The event that began to restore its name, if no other says how that ended."""
        return self.closed if self.closed.phase == Phase.FOLLOW_UP else None


def restore_orphans(caller: Caller) -> list[str]:
    """Look in every database of the clusters with strict_drop or a recycle bin.

    Returns what was done, in words. A namesake that was caught on the way into the bin gets its
    name back; the very collection that was meant stays there (recycle_bin/check.py).

    An orphan whose own name is taken is recorded once, and left to people. What can't be read or
    restored now is logged, and tried again the next time. Raises LogUnwritable.
    """
    lines = []
    for orphan in _all_orphans():
        try:
            lines.append(_restore(orphan, caller))
        except MilvusError as exc:
            name = orphan.quarantine.private_name
            logger.warning("the original name of %s can't be restored yet: %s", name, exc)
    return list(filter(None, lines))


def _all_orphans() -> list[Orphan]:
    return [
        orphan
        for cluster in clusters.all_clusters()
        for database in _databases(cluster)
        for orphan in _orphans(cluster.key, database)
    ]


def _databases(cluster: Cluster) -> list[str]:
    """All where names change; those of recent renames, if nobody may list all."""
    if cluster.strict_drop or cluster.recycle_bin is not None:
        with suppress(MilvusError):
            return clusters.get(cluster.key).gateway.databases()
    intents = AuditEvent.objects.filter(
        recorded_at__gt=timezone.now() - REMEMBERED,
        cluster=cluster.key,
        phase=Phase.INTENT,
        action__in=(Action.DROP_COLLECTION, Action.MOVE_TO_BIN),
        record__contains='"private_name":"_',
    )
    return sorted(set(intents.values_list("database", flat=True)))


def _orphans(cluster: str, database: str) -> list[Orphan]:
    try:
        names = clusters.get(cluster).gateway.identities(database)
    except NotFound:  # the database was dropped
        return []
    except MilvusError as exc:
        text = "%s/%s can't be searched for temporary names: %s"
        logger.warning(text, cluster, database, exc)
        return []
    in_bin = BinItem.objects.filter(cluster__in=clusters.same_server(cluster), database=database)
    strays = names.keys() - set(in_bin.values_list("private_name", flat=True))
    return [orphan for name in sorted(strays) if (orphan := _orphan(cluster, database, name))]


def _orphan(cluster: str, database: str, name: str) -> Orphan | None:
    """The collection of that name, if an operation left it, which is closed and does not say so."""
    operation_id = operation_of(name)
    intent = intent_of(operation_id) if operation_id else None
    if not operation_id or not intent or Claim.objects.filter(operation_id=operation_id).exists():
        return None
    quarantine, closed = _quarantine(intent), last_outcome(operation_id)
    if quarantine is None or closed is None or strict.kept_name_note(name) in closed.record:
        return None
    if (quarantine.target.cluster, quarantine.target.database) != (cluster, database):
        return None
    if quarantine.private_name != name:
        return None
    return Orphan(operation_id=operation_id, quarantine=quarantine, closed=closed)


def _quarantine(intent: Intent) -> strict.Quarantine | None:
    try:
        execution = execution_of(intent)
    except clusters.UnknownCluster:  # another server has its key now
        return None
    if isinstance(execution, TwoPhaseDrop | IntoBin):
        return execution.quarantine
    return None


def _restore(orphan: Orphan, caller: Caller) -> str:
    """Announced before it is done, and recorded after. Returns what was done; empty if it has
    another name now or another process does it.

    Raises MilvusError if nothing is certain yet.
    """
    quarantine = orphan.quarantine
    identity = quarantine.orphan()
    if identity is None:
        return ""
    is_shown_one = identity == quarantine.identity
    if orphan.is_move and (is_shown_one or orphan.closed.outcome == Outcome.SUCCEEDED):
        return ""
    late = LATE if is_shown_one else f"{LATE} It is another collection, id {identity.id}."
    announcement = orphan.announcement or _record(orphan, f"{late} {RESTORING}", caller)
    if not announcement:
        return ""
    now = strict.restore_name(quarantine, identity)
    if now is None:
        raise OutcomeUnknown(
            "Milvus was asked to rename it, and the read-back does not show that yet"
        )
    recorded = _record(replace(orphan, closed=announcement), f"{late} {now}", caller)
    return f"{late} {now}" if recorded else ""


def _record(orphan: Orphan, message: str, caller: Caller) -> AuditEvent | None:
    outcome = Outcome(orphan.closed.outcome)
    return follow_up(orphan.closed, orphan.quarantine.target, outcome, message, caller)
