"""A rename that Milvus carries out after all patience leaves a collection under the private name of
a closed operation, where nobody looks for it. It gets its own back.
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
from ..models import AuditEvent, Claim
from . import strict
from .claims import last_outcome
from .execution import TwoPhaseDrop, execution_of
from .sending import follow_up

logger = logging.getLogger(__name__)

LATE = "A late rename completed after the operation closed. Nothing was dropped."
RESTORING = "Its original name is being restored"
LATELY = timedelta(days=7)  # a strict drop is remembered for so long where not all can be searched


@dataclass(frozen=True, slots=True, kw_only=True)
class Stray:
    """What an operation took aside, and what became of that, as it says."""

    operation_id: uuid.UUID
    aside: strict.Aside
    closed: AuditEvent

    @property
    def said(self) -> AuditEvent | None:
        """The event that began to give its name back, if no other says how that ended."""
        return self.closed if self.closed.phase == Phase.AFTERWARDS else None


def give_back_strays(caller: Caller) -> list[str]:
    """Look in every database of the clusters with strict_drop. Returns what was done, in words.

    What stays there because its own name is taken is told once, and left to people. What can't
    be looked at or given back now is logged, and left for the next time. Raises LogUnwritable.
    """
    told = []
    for stray in _all_strays():
        try:
            told.append(_given_back(stray, caller))
        except MilvusError as exc:
            logger.warning("%s has not got its name back: %s", stray.aside.private, exc)
    return list(filter(None, told))


def _all_strays() -> list[Stray]:
    found = []
    for cluster in clusters.all_clusters():
        for database in _databases(cluster):
            found += _strays(cluster.key, database)
    return found


def _databases(cluster: Cluster) -> list[str]:
    """All, as long as it is strict; those of its strict drops lately, if nobody may list all."""
    if cluster.strict_drop:
        with suppress(MilvusError):
            return clusters.get(cluster.key).gateway.databases()
    begun = AuditEvent.objects.filter(
        recorded_at__gt=timezone.now() - LATELY,
        cluster=cluster.key,
        phase=Phase.INTENT,
        action=Action.DROP_COLLECTION,
        record__contains=f'"private_name":"{strict.PREFIX}',
    )
    return sorted(set(begun.values_list("database", flat=True)))


def _strays(cluster: str, database: str) -> list[Stray]:
    try:
        names = clusters.get(cluster).gateway.identities(database)
    except NotFound:  # dropped meanwhile, with all that was in it
        return []
    except MilvusError as exc:
        text = "%s/%s can't be searched for private names: %s"
        logger.warning(text, cluster, database, exc)
        return []
    return [stray for name in names if (stray := _stray((cluster, database, name)))]


def _stray(found: tuple[str, str, str]) -> Stray | None:
    """What is found there, if an operation of ours left it, which is closed and does not tell."""
    *_, name = found
    operation_id = strict.operation_of(name)
    intent = intent_of(operation_id) if operation_id else None
    if not operation_id or not intent or Claim.objects.filter(operation_id=operation_id).exists():
        return None
    aside, closed = _aside(intent), last_outcome(operation_id)
    if aside is None or closed is None or strict.left_as(name) in closed.record:
        return None
    ours = (aside.target.cluster, aside.target.database, aside.private)
    return Stray(operation_id=operation_id, aside=aside, closed=closed) if ours == found else None


def _aside(intent: Intent) -> strict.Aside | None:
    try:
        execution = execution_of(intent)
    except clusters.UnknownCluster:  # another server has its key now
        return None
    return execution.aside if isinstance(execution, TwoPhaseDrop) else None


def _given_back(stray: Stray, caller: Caller) -> str:
    """Said before it is done, and after. Empty if it is gone from there or another process does it.

    Raises MilvusError if nothing is certain yet.
    """
    held = stray.aside.bearer(stray.aside.private)
    if held is None:
        return ""
    other = "" if held == stray.aside.identity else f" It is another collection, id {held.id}."
    late = LATE + other
    said = stray.said or _recorded(stray, f"{late} {RESTORING}", caller)
    if not said:
        return ""
    back = strict.give_back(stray.aside, held)
    if back is None:
        raise OutcomeUnknown(
            "Milvus was asked to rename it, and the read-back does not show that yet"
        )
    ended = _recorded(replace(stray, closed=said), f"{late} {back}", caller)
    return f"{late} {back}" if ended else ""


def _recorded(stray: Stray, message: str, caller: Caller) -> AuditEvent | None:
    outcome = Outcome(stray.closed.outcome)
    return follow_up(stray.closed, stray.aside.target, outcome, message, caller)
