"""Closing what has no final outcome: by looking, never by sending again."""

import logging
import uuid
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.conf import settings

from .. import clusters
from ..access.policy import Action
from ..access.principals import Caller
from ..audit.events import Intent
from ..audit.log import Outcome, Phase
from ..milvus.errors import MilvusError
from ..milvus.versions import has_durable_ddl
from ..models import AuditEvent, Claim, Sent
from .claims import final_outcome, finish
from .deadlines import longest, since
from .execution import Execution, execution_of
from .kinds import OPERATIONS

logger = logging.getLogger(__name__)

NEVER_SENT = "It no longer exists, but this operation never sent a drop"
NOT_DONE = (
    "It still exists. Milvus {} carries out every drop that it accepted, however late, so it may "
    "still disappear. This operation will then say so"
)


def open_operations() -> list[Claim]:
    """Operations without a final outcome, oldest first."""
    return list(Claim.objects.order_by("claimed_at"))


def settle(operation_id: uuid.UUID, caller: Caller, *, may_rename: bool = False) -> Outcome:
    """Look once and record what is certain now. Returns the outcome, UNKNOWN while there is none.

    While the process that carries it out may be alive, this keeps its hands off. Gone means
    succeeded. Still there means failed only after the call's deadline and `settle_after` have
    passed: until then Milvus may still be at it. `may_rename` lets it give back the name of what
    a strict drop left half-way. Raises LogUnwritable, or AuditEvent.DoesNotExist.
    """
    intent = Intent.of(AuditEvent.objects.get(operation_id=operation_id, phase=Phase.INTENT))
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
    return _settled(operation_id, *verdict, caller) if verdict else Outcome.UNKNOWN


def _verdict(intent: Intent, sent: Sent, may_rename: bool) -> tuple[Outcome, str] | None:
    """What a look shows now; None if it is not certain yet."""
    if sent is Sent.NOTHING:
        return Outcome.FAILED, "The process ended before anything was sent"
    execution, over = execution_of(intent), _patience_over(intent)
    if held := execution.left_over():
        return execution.put_back(held, deadline_over=over) if may_rename else None
    if execution.is_done():
        if sent is Sent.ACT:
            return Outcome.SUCCEEDED, _proof(intent, execution)
        return (Outcome.FAILED, NEVER_SENT) if over else None
    return _still_there(intent, sent) if over else None


def _still_there(intent: Intent, sent: Sent) -> tuple[Outcome, str]:
    """Certain where Milvus forgets a request at its deadline; else it may come yet."""
    destroys = OPERATIONS[Action(intent.action)].destroys
    if sent is Sent.ACT and destroys and has_durable_ddl(intent.server_version):
        return Outcome.NOT_DONE, NOT_DONE.format(intent.server_version)
    return Outcome.FAILED, "It still exists after the drop deadline, so the operation failed"


def _settled(operation_id: uuid.UUID, outcome: Outcome, message: str, caller: Caller) -> Outcome:
    details: dict[str, Any] = {"settled": True, "seen": message}
    if finish(operation_id, outcome, message, caller, details):
        return outcome
    return final_outcome(operation_id)


def _proof(intent: Intent, execution: Execution) -> str:
    """What the read-back shows, as one message: without the last full stop, like all of them."""
    proof = OPERATIONS[Action(intent.action)].proof
    return f"{proof} {execution.side_effect()}".strip().rstrip(".")


def can_be_asked(intent: Intent) -> bool:
    """Whether the configuration still has the server that it was sent to."""
    with suppress(clusters.UnknownCluster):
        return bool(execution_of(intent))
    return False


def being_carried_out(intent: Intent) -> bool:
    """No outcome yet, and the process that carries it out may be alive."""
    if intent.target.cluster not in settings.CLUSTERS:
        return False
    if AuditEvent.objects.filter(operation_id=intent.operation_id, phase=Phase.OUTCOME).exists():
        return False
    return since(intent) < longest(
        clusters.get(intent.target.cluster).cluster, two_phases=bool(intent.private_name)
    )


def _patience_over(intent: Intent) -> bool:
    """The request may go out as late as one deadline after the look, and has another then."""
    cluster = clusters.get(intent.target.cluster).cluster
    return since(intent) >= timedelta(seconds=2 * cluster.drop_timeout + cluster.settle_after)
