"""The claim of an operation on its target: who holds it, and who may record its outcome."""

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.db.models import Q

from .. import clusters
from ..access.policy import Action
from ..access.principals import Caller
from ..audit import log
from ..audit.events import Intent
from ..audit.log import Entry, Outcome, Phase
from ..milvus.types import Target
from ..models import AuditEvent, Claim
from .kinds import OPERATIONS
from .private_names import BIN, DROP, operation_of, private_name


def finish(
    operation_id: uuid.UUID,
    outcome: Outcome,
    message: str,
    caller: Caller,
    details: dict[str, Any],
    begun: tuple[str, Target] | None = None,
) -> bool:
    """Record an outcome and, if it is final, free the target. False if it was settled before.

    The claim decides: whoever finds it still there records the final outcome, nobody else. What
    was begun, an action on a target, is read from the intent unless the caller knows.
    """
    with log.appending():
        claimed = Claim.objects.filter(operation_id=operation_id)
        final = outcome is not Outcome.UNKNOWN
        if not (claimed.delete()[0] if final else claimed.exists()):
            return False
        action, target = begun or _begun(operation_id)
        log.append(
            Entry(
                phase=Phase.OUTCOME,
                action=action,
                caller=caller,
                outcome=outcome,
                operation_id=operation_id,
                target=target.as_dict(),
                message=message,
                details=details,
            )
        )
        if outcome is Outcome.SUCCEEDED:
            OPERATIONS[Action(action)].on_success(operation_id)
    return True


def _begun(operation_id: uuid.UUID) -> tuple[str, Target]:
    intent = AuditEvent.objects.get(operation_id=operation_id, phase=Phase.INTENT)
    return intent.action, Intent.of(intent).target


def final_outcome(operation_id: uuid.UUID) -> Outcome:
    """The last recorded outcome; UNKNOWN if there is none."""
    last = last_outcome(operation_id)
    return Outcome(last.outcome) if last else Outcome.UNKNOWN


def last_outcome(operation_id: uuid.UUID) -> AuditEvent | None:
    """The event that says what became of it; None if there is none."""
    events = AuditEvent.objects.filter(operation_id=operation_id).exclude(outcome="")
    return events.order_by("-sequence").first()


def claim_on(target: Target) -> Claim | None:
    """The open operation that holds this target, if there is one; by any key of its server."""
    held = Q(target__in=_digests(target, clusters.same_server(target.cluster)))
    aside = Q(operation_id=operation_of(target.collection))
    return Claim.objects.filter(held | aside).first()


def claims_in(cluster: str) -> Callable[[Target], Claim | None]:
    """`claim_on` for many targets of a cluster, with one query."""
    keys = clusters.same_server(cluster)
    claims = list(Claim.objects.filter(cluster__in=keys))
    held = {claim.target: claim for claim in claims}
    aside = {
        private_name(prefix, claim.operation_id): claim
        for claim in claims
        for prefix in (DROP, BIN)
    }

    def claim(target: Target) -> Claim | None:
        found = (held[key] for key in _digests(target, keys) if key in held)
        return (aside.get(target.collection) or next(found, None)) if claims else None

    return claim


def _digests(target: Target, keys: list[str]) -> list[str]:
    return [digest(replace(target, cluster=key)) for key in keys]


def digest(target: Target) -> str:
    """The claim's key: one thing has one, however long its names are."""
    return hashlib.sha256(log.canonical(dict(target.as_dict())).encode()).hexdigest()
