"""The claim of an operation on its target: who holds it, and who may record its outcome."""

import hashlib
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Protocol

from .. import clusters, statements
from ..access.policy import Action
from ..access.principals import Caller
from ..audit import log
from ..audit.events import Intent, intent_of
from ..audit.log import Entry, Outcome, Phase
from ..milvus.types import Kind, Target
from ..models import AuditEvent, Claim, SendProgress
from .kinds import OPERATIONS
from .private_names import BIN, DROP, operation_of, private_name

Progress = SendProgress  # for pages, which import no model


class Requested(Protocol):
    """What was requested: a confirmation or an intent."""

    @property
    def operation_id(self) -> uuid.UUID: ...
    @property
    def action(self) -> str: ...
    @property
    def target(self) -> Target: ...


# Gets an outcome and what is known of it, in the transaction that records it.
OnOutcome = Callable[[Outcome, str], None]


def do_nothing(outcome: Outcome, seen: str) -> None:
    """Nothing else depends on the outcome."""


def record_outcome(
    requested: Requested,
    outcome: Outcome,
    message: str,
    caller: Caller,
    details: dict[str, Any],
    on_outcome: OnOutcome = do_nothing,
) -> bool:
    """Record an outcome and, if it is final, free the target. False if it was settled before.

    The claim decides: only the process that finds it records the final outcome. Raises
    LogUnwritable.
    """
    with log.appending() as head:
        if not (_is_open if outcome is Outcome.UNKNOWN else _close)(requested.operation_id):
            return False
        log.append(
            Entry(
                phase=Phase.OUTCOME,
                action=requested.action,
                caller=caller,
                outcome=outcome,
                operation_id=requested.operation_id,
                target=requested.target.as_dict(),
                message=message,
                details=details,
            ),
            head,
        )
        if outcome is Outcome.SUCCEEDED:
            OPERATIONS[Action(requested.action)].on_success(requested.operation_id)
        on_outcome(outcome, str(details.get("seen") or message))
    return True


def _close(operation_id: uuid.UUID) -> bool:
    """Free its target. Whether it was open."""
    return bool(statements.changed(statements.RELEASE, operation_id))


def _is_open(operation_id: uuid.UUID) -> bool:
    return Claim.objects.filter(operation_id=operation_id).exists()


def final_outcome(operation_id: uuid.UUID) -> Outcome:
    """The last recorded outcome; UNKNOWN if there is none."""
    last = last_outcome(operation_id)
    return Outcome(last.outcome) if last else Outcome.UNKNOWN


def last_outcome(operation_id: uuid.UUID) -> AuditEvent | None:
    """The last event with an outcome; None if there is none."""
    events = AuditEvent.objects.filter(operation_id=operation_id).exclude(outcome="")
    return events.order_by("-sequence").first()


def claim_on(target: Target) -> Claim | None:
    """The open operation that holds this target, if there is one; by any key of its server.

    An open restore holds the name that it gives, too: else what it brought back could be dropped
    before a read-back has seen it.
    """
    keys, own = clusters.same_server(target.cluster), operation_of(target.collection)
    held = statements.rows(statements.CLAIMS, Phase.INTENT, Action.RESTORE, own, keys)
    digests = _digests(target, keys) if held else []
    holding = [operation for operation, what, _ in held if what in digests]
    if restores := [operation for operation, _, is_restore in held if is_restore]:
        holding += _restores_to(target, restores)
    if held and own:
        holding.append(own)
    return Claim.objects.filter(operation_id__in=holding).first() if holding else None


def _restores_to(target: Target, operations: Iterable[uuid.UUID]) -> list[uuid.UUID]:
    restores = AuditEvent.objects.filter(
        operation_id__in=list(operations),
        phase=Phase.INTENT,
        action=Action.RESTORE,
        database=target.database,
    )
    intents = [Intent.of(row) for row in restores]
    return [one.operation_id for one in intents if one.new_name == target.collection]


def claims_in(cluster: str) -> Callable[[Target], Claim | None]:
    """`claim_on` for many targets of a cluster, with one query."""
    keys = clusters.same_server(cluster)
    claims = list(Claim.objects.filter(cluster__in=keys))
    by_target = {claim.target: claim for claim in claims}
    by_private_name = {
        private_name(prefix, claim.operation_id): claim
        for claim in claims
        for prefix in (DROP, BIN)
    }

    def claim(target: Target) -> Claim | None:
        if not claims:
            return None
        candidates = (by_target[key] for key in _digests(target, keys) if key in by_target)
        return by_private_name.get(target.collection) or next(candidates, None)

    return claim


def open_in(cluster: str) -> Iterator[tuple[Claim, Intent]]:
    """The open operations on a cluster and how they began, oldest first."""
    claims = Claim.objects.filter(cluster__in=clusters.same_server(cluster)).order_by("claimed_at")
    for claim in claims:
        if intent := intent_of(claim.operation_id):
            yield claim, intent


def _digests(target: Target, keys: list[str]) -> list[str]:
    return [digest(replace(target, cluster=key)) for key in keys]


def digest(target: Target) -> str:
    """The claim's key: one thing has one, however long its names are.

    What is being created has that of a collection of its name.
    """
    if target.kind is Kind.NEW:
        target = replace(target, kind=Kind.COLLECTION, name=target.collection)
    return hashlib.sha256(log.canonical(dict(target.as_dict())).encode()).hexdigest()
