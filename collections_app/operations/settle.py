"""Closing what has no final outcome: by looking, never by sending again."""

import json
import uuid
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from .. import clusters
from ..access import Action
from ..actors import Actor, Origin
from ..audit import Outcome, Phase
from ..milvus.errors import MilvusError
from ..milvus.types import Identity, Kind, Target
from ..models import AuditEvent, Claim
from . import OPERATIONS
from .sending import final_outcome, finish, longest


def open_operations() -> list[Claim]:
    """Operations without a final outcome, oldest first."""
    return list(Claim.objects.order_by("claimed_at"))


def settle(operation_id: uuid.UUID, actor: Actor, origin: Origin) -> Outcome:
    """Look once and record what is certain now. Returns the outcome, UNKNOWN while there is none.

    While the process that carries it out may be alive, this keeps its hands off. Gone means
    succeeded. Still there means failed only after the call's deadline and `settle_after` have
    passed: until then Milvus may still be at it. Raises LogUnwritable, or AuditEvent.DoesNotExist.
    """
    intent = AuditEvent.objects.get(operation_id=operation_id, phase=Phase.INTENT)
    if not Claim.objects.filter(operation_id=operation_id).exists():
        return final_outcome(operation_id)
    try:
        if being_carried_out(intent):
            return Outcome.UNKNOWN
        done = _is_done(intent)
    except (MilvusError, clusters.UnknownCluster):
        return Outcome.UNKNOWN
    if done:
        message = "A look afterwards shows that it is gone, or released"
        return _settled(operation_id, Outcome.SUCCEEDED, message, actor, origin)
    if timezone.now() < _patience_ends(intent):
        return Outcome.UNKNOWN
    message = "It is still there, long after the deadline: it did not happen"
    return _settled(operation_id, Outcome.FAILED, message, actor, origin)


def intent_of(operation_id: uuid.UUID) -> AuditEvent | None:
    """The event in which an operation began; None if there is no such operation."""
    return AuditEvent.objects.filter(operation_id=operation_id, phase=Phase.INTENT).first()


def _settled(
    operation_id: uuid.UUID, outcome: Outcome, message: str, actor: Actor, origin: Origin
) -> Outcome:
    details: dict[str, Any] = {"settled": True, "seen": message}
    if finish(operation_id, outcome, message, actor, origin, details):
        return outcome
    return final_outcome(operation_id)


def _is_done(intent: AuditEvent) -> bool:
    details = json.loads(intent.record)["details"]
    target = Target(
        cluster=intent.cluster,
        database=intent.database,
        kind=Kind(intent.kind),
        collection=intent.collection,
        name=intent.name,
    )
    gateway = clusters.get(target.cluster).gateway
    operation = OPERATIONS[Action(intent.action)]
    return operation.is_done(gateway, target, Identity(**details["identity"]))


def being_carried_out(intent: AuditEvent) -> bool:
    """No outcome yet, and the process that carries it out may be alive."""
    if intent.cluster not in settings.CLUSTERS:
        return False
    if AuditEvent.objects.filter(operation_id=intent.operation_id, phase=Phase.OUTCOME).exists():
        return False
    return timezone.now() < intent.recorded_at + longest(clusters.get(intent.cluster).cluster)


def _patience_ends(intent: AuditEvent) -> datetime:
    cluster = clusters.get(intent.cluster).cluster
    return intent.recorded_at + timedelta(seconds=cluster.drop_timeout + cluster.settle_after)
