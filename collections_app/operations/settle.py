"""Closing what has no final outcome: by looking, never by sending again."""

import json
import logging
import uuid
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.conf import settings

from .. import clusters
from ..access import Action
from ..actors import Actor, Origin
from ..audit import Outcome, Phase
from ..milvus.errors import MilvusError
from ..milvus.types import Identity, Target
from ..models import AuditEvent, Claim, Sent
from . import OPERATIONS, strict
from .base import target_from
from .elapsed import since
from .sending import final_outcome, finish, longest

logger = logging.getLogger(__name__)


def open_operations() -> list[Claim]:
    """Operations without a final outcome, oldest first."""
    return list(Claim.objects.order_by("claimed_at"))


def settle(
    operation_id: uuid.UUID, actor: Actor, origin: Origin, *, may_rename: bool = False
) -> Outcome:
    """Look once and record what is certain now. Returns the outcome, UNKNOWN while there is none.

    While the process that carries it out may be alive, this keeps its hands off. Gone means
    succeeded. Still there means failed only after the call's deadline and `settle_after` have
    passed: until then Milvus may still be at it. `may_rename` lets it give back the name of what
    a strict drop left half-way. Raises LogUnwritable, or AuditEvent.DoesNotExist.
    """
    intent = AuditEvent.objects.get(operation_id=operation_id, phase=Phase.INTENT)
    claim = Claim.objects.filter(operation_id=operation_id).first()
    if claim is None:
        return final_outcome(operation_id)
    try:
        if being_carried_out(intent):
            return Outcome.UNKNOWN
        verdict = _verdict(intent, Sent(claim.sent), may_rename)
    except (MilvusError, clusters.UnknownCluster) as exc:
        logger.warning("%s can't be looked at: %s: %s", operation_id, type(exc).__name__, exc)
        return Outcome.UNKNOWN
    return _settled(operation_id, *verdict, actor, origin) if verdict else Outcome.UNKNOWN


def _verdict(intent: AuditEvent, sent: Sent, may_rename: bool) -> tuple[Outcome, str] | None:
    """What a look shows now; None if it is not certain yet."""
    if sent is Sent.NOTHING:
        return Outcome.FAILED, "Its process ended before anything was sent"
    over = _patience_over(intent)
    aside = aside_of(intent)
    if aside and (held := aside.bearer(aside.private)):
        return strict.recover(aside, held, patience_over=over) if may_rename else None
    if strict.gone(aside) if aside else _is_done(intent):
        if sent is Sent.ACT:
            return Outcome.SUCCEEDED, "A look afterwards shows that it is gone, or released"
        return (Outcome.FAILED, "It is gone, and not by this: no drop was sent") if over else None
    if over:
        return Outcome.FAILED, "It is still there, long after the deadline, so it failed"
    return None


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
    gateway = _asked(intent).gateway
    return OPERATIONS[Action(intent.action)].is_done(gateway, _target(intent), _identity(intent))


def aside_of(intent: AuditEvent) -> strict.Aside | None:
    """What a strict drop took aside; None if it was a plain one. Raises UnknownCluster."""
    private = _details(intent).get("private_name")
    if not private:
        return None
    return strict.Aside(
        milvus=_asked(intent),
        target=_target(intent),
        identity=_identity(intent),
        private=private,
    )


def _asked(intent: AuditEvent) -> clusters.Milvus:
    """The Milvus that it was sent to. Raises UnknownCluster if its key has another address now:
    what is not at that one was not dropped by this.
    """
    milvus = clusters.get(intent.cluster)
    if milvus.cluster.endpoint != _details(intent)["endpoint"]:
        raise clusters.UnknownCluster(f"{intent.cluster} has another address now")
    return milvus


def can_be_asked(intent: AuditEvent) -> bool:
    """Whether the configuration still has the server that it was sent to."""
    with suppress(clusters.UnknownCluster):
        return bool(_asked(intent))
    return False


def _target(intent: AuditEvent) -> Target:
    return target_from(json.loads(intent.record)["target"])


def _details(intent: AuditEvent) -> dict[str, Any]:
    return dict(json.loads(intent.record)["details"])


def _identity(intent: AuditEvent) -> Identity:
    return Identity(**_details(intent)["identity"])


def being_carried_out(intent: AuditEvent) -> bool:
    """No outcome yet, and the process that carries it out may be alive."""
    if intent.cluster not in settings.CLUSTERS:
        return False
    if AuditEvent.objects.filter(operation_id=intent.operation_id, phase=Phase.OUTCOME).exists():
        return False
    return _age(intent) < longest(clusters.get(intent.cluster).cluster)


def _patience_over(intent: AuditEvent) -> bool:
    """The request may go out as late as one deadline after the look, and has another then."""
    cluster = clusters.get(intent.cluster).cluster
    return _age(intent) >= timedelta(seconds=2 * cluster.drop_timeout + cluster.settle_after)


def _age(intent: AuditEvent) -> timedelta:
    return since(intent, _details(intent).get("clock", {}))
