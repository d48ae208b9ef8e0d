"""Closing operations without a final outcome: by read-back, never by sending again."""

import logging
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from django.conf import settings
from django.utils import timezone

from .. import clusters
from ..access.policy import Action
from ..access.principals import Caller
from ..audit.events import Intent
from ..audit.log import Outcome, Phase
from ..milvus.errors import MilvusError
from ..milvus.types import Cluster
from ..milvus.versions import has_durable_ddl
from ..models import AuditEvent, Claim, SendProgress
from .claims import final_outcome, record_outcome
from .deadlines import age_of, drop_deadline, max_duration
from .execution import Execution, execution_of
from .kinds import OPERATIONS

logger = logging.getLogger(__name__)

NOTHING_SENT = "The process ended before anything was sent"
NEVER_SENT = "It no longer exists, but this operation never sent a drop"
UNDONE = "{} after the drop deadline, so the operation failed"
INCOMPLETE = "It was created in part. Missing: {}"
NOT_DONE = (
    "It still exists. Milvus {} carries out every drop that it accepted, however late, so it may "
    "still disappear. This operation will then say so"
)


class Shown(Enum):
    """What the read-back shows."""

    DONE = "it is gone, or released"
    NOT_DONE = "it still exists, or is loaded"
    ORPHAN = "something has the temporary name"


class Verdict(Enum):
    """What that means."""

    WAIT = "not certain yet"
    SUCCEEDED = "this operation did it"
    NEVER_SENT = "this operation did not do it"
    NOT_DONE = "it did not happen, and can't happen any more unless Milvus keeps the request"
    RESTORE = "the orphan gets its name back"


# By how far it was sent, what the read-back shows, and whether the drop deadline has passed.
# Nothing is read where nothing was sent (SendProgress.NONE).
VERDICTS: dict[tuple[SendProgress, Shown, bool], Verdict] = {
    (SendProgress.RENAME, Shown.DONE, False): Verdict.WAIT,
    (SendProgress.RENAME, Shown.DONE, True): Verdict.NEVER_SENT,
    (SendProgress.RENAME, Shown.NOT_DONE, False): Verdict.WAIT,
    (SendProgress.RENAME, Shown.NOT_DONE, True): Verdict.NOT_DONE,
    (SendProgress.RENAME, Shown.ORPHAN, False): Verdict.RESTORE,
    (SendProgress.RENAME, Shown.ORPHAN, True): Verdict.RESTORE,
    (SendProgress.REQUEST, Shown.DONE, False): Verdict.SUCCEEDED,
    (SendProgress.REQUEST, Shown.DONE, True): Verdict.SUCCEEDED,
    (SendProgress.REQUEST, Shown.NOT_DONE, False): Verdict.WAIT,
    (SendProgress.REQUEST, Shown.NOT_DONE, True): Verdict.NOT_DONE,
    (SendProgress.REQUEST, Shown.ORPHAN, False): Verdict.RESTORE,
    (SendProgress.REQUEST, Shown.ORPHAN, True): Verdict.RESTORE,
}


def open_operations() -> list[Claim]:
    """Operations without a final outcome, oldest first."""
    return list(Claim.objects.order_by("claimed_at"))


def settle(operation_id: uuid.UUID, caller: Caller, *, may_rename: bool = False) -> Outcome:
    """Read once and record what is certain now. Returns the outcome, UNKNOWN while there is none.

    Does nothing while the process that carries it out may be alive. `may_rename` permits giving
    an orphan its name back. Raises LogUnwritable, or AuditEvent.DoesNotExist.
    """
    intent = Intent.of(AuditEvent.objects.get(operation_id=operation_id, phase=Phase.INTENT))
    claim = Claim.objects.filter(operation_id=operation_id).first()
    if claim is None:
        return final_outcome(operation_id)
    try:
        if may_still_run(intent):
            return Outcome.UNKNOWN
        progress = SendProgress(claim.progress)
        certain = _certain_outcome(intent, progress, may_rename)
    except (MilvusError, clusters.UnknownCluster) as exc:
        reason = f"{type(exc).__name__}: {exc}"
        logger.warning("operation %s can't be read back: %s", operation_id, reason)
        return Outcome.UNKNOWN
    return _record(intent, *certain, progress, caller) if certain else Outcome.UNKNOWN


def _certain_outcome(
    intent: Intent, progress: SendProgress, may_rename: bool
) -> tuple[Outcome, str] | None:
    """The outcome and why; None if it is not certain yet. Raises MilvusError or UnknownCluster."""
    if progress is SendProgress.NONE:
        return Outcome.FAILED, NOTHING_SENT
    execution, passed = execution_of(intent), drop_deadline_passed(intent)
    orphan = execution.find_orphan()
    shown = Shown.ORPHAN if orphan else _shown(execution)
    match VERDICTS[progress, shown, passed]:
        case Verdict.SUCCEEDED:
            return Outcome.SUCCEEDED, _proof(intent, execution)
        case Verdict.NEVER_SENT:
            return Outcome.FAILED, NEVER_SENT
        case Verdict.NOT_DONE:
            return _not_done(intent, progress, execution)
        case Verdict.RESTORE if orphan and may_rename:
            return execution.restore_orphan(orphan, deadline_passed=passed)
    return None


def _shown(execution: Execution) -> Shown:
    return Shown.DONE if execution.is_done() else Shown.NOT_DONE


def _not_done(intent: Intent, progress: SendProgress, execution: Execution) -> tuple[Outcome, str]:
    """Final where Milvus forgets a request at its deadline; else it may still be carried out."""
    operation = OPERATIONS[Action(intent.action)]
    if made := execution.evidence().get("made"):
        return Outcome.INCOMPLETE, INCOMPLETE.format(", ".join(made["missing"]))
    is_irreversible = operation.is_irreversible
    was_sent = progress is SendProgress.REQUEST
    if was_sent and is_irreversible and has_durable_ddl(intent.server_version):
        return Outcome.NOT_DONE, NOT_DONE.format(intent.server_version)
    return Outcome.FAILED, UNDONE.format(operation.undone.capitalize())


def _record(
    intent: Intent, outcome: Outcome, message: str, progress: SendProgress, caller: Caller
) -> Outcome:
    """What is on the record then: another process may have settled it."""
    details: dict[str, Any] = {
        "settled": True,
        "seen": message,
        "progress": progress.value,
        **_evidence(intent),
    }
    if record_outcome(intent, outcome, message, caller, details):
        return outcome
    return final_outcome(intent.operation_id)


def _evidence(intent: Intent) -> Mapping[str, Any]:
    """What was made, as far as it can be read now."""
    try:
        return execution_of(intent).evidence()
    except (MilvusError, clusters.UnknownCluster):
        return {}


def _proof(intent: Intent, execution: Execution) -> str:
    """What the read-back shows, as one message: without the last full stop, like all of them."""
    proof = OPERATIONS[Action(intent.action)].proof
    return f"{proof} {execution.side_effect()}".strip().rstrip(".")


def can_be_asked(intent: Intent) -> bool:
    """Whether the configuration still has the server that it was sent to."""
    with suppress(clusters.UnknownCluster):
        return bool(execution_of(intent))
    return False


def may_still_run(intent: Intent) -> bool:
    """No outcome yet, and the process that carries it out may be alive."""
    if intent.target.cluster not in settings.CLUSTERS:
        return False
    if AuditEvent.objects.filter(operation_id=intent.operation_id, phase=Phase.OUTCOME).exists():
        return False
    cluster = clusters.get(intent.target.cluster).cluster
    return age_of(intent) < _run_time(intent, cluster)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When an open operation is read back first, and when a read-back closes it at the latest."""

    asked_from: datetime
    closes_at: datetime


def schedule(intent: Intent, progress: SendProgress) -> Schedule | None:
    """Of an open operation; None if the server it was sent to is no longer in the configuration.

    Both may be in the past: then the next answer of Milvus closes it.
    """
    if not can_be_asked(intent):
        return None
    cluster = clusters.get(intent.target.cluster).cluster
    begun = timezone.now() - age_of(intent)
    asked_from = begun + _run_time(intent, cluster) if may_still_run(intent) else begun
    closes_at = asked_from
    if progress is not SendProgress.NONE:
        closes_at = max(asked_from, begun + drop_deadline(cluster))
    return Schedule(asked_from=asked_from, closes_at=closes_at)


def _run_time(intent: Intent, cluster: Cluster) -> timedelta:
    """How long a living process may still carry it out."""
    return max_duration(cluster, two_phases=bool(intent.private_name))


def drop_deadline_passed(intent: Intent) -> bool:
    """Whether Milvus can't carry out the request any more, unless it keeps accepted requests."""
    return age_of(intent) >= drop_deadline(clusters.get(intent.target.cluster).cluster)
