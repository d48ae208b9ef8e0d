"""The one protocol for everything that destroys. Start reading at `perform`."""

import uuid
from dataclasses import asdict
from typing import Any

from django.db.models import Q
from django.utils import timezone

from .. import clusters
from ..access import policy
from ..access.principals import Caller
from ..audit import log, quotas
from ..audit.log import Entry, Outcome, Phase
from ..milvus.errors import NotFound
from ..milvus.types import Kind, Target, Unread
from ..models import AuditEvent, Claim, ItemState, PlanItem, Sent
from . import deadlines, limits
from .claims import claim_on, digest
from .confirmation import Confirmation, PlannedItem
from .deadlines import Patience
from .kinds import OPERATIONS
from .kinds.base import Blocker, Look
from .sending import Case, act_once, conclude


class NotDone(Exception):
    """Stopped before anything was sent. `outcome` says why; it is on the record if `recorded`."""

    recorded = True  # only looking at a dialog leaves no record

    def __init__(self, outcome: Outcome, message: str, blockers: tuple[Blocker, ...] = ()) -> None:
        super().__init__(message)
        self.outcome, self.blockers = outcome, blockers


class Busy(NotDone):
    """Another operation holds the target. `claim` says whose it is."""

    def __init__(self, claim: Claim) -> None:
        super().__init__(Outcome.BUSY, f"{claim.actor_display} has an operation in progress on it")
        self.claim = claim


class OverLimit(NotDone):
    """This person has begun as many drops on the cluster as an hour permits."""


class AlreadyUsed(Exception):
    """This confirmation was used before: a double click, or a replay."""


def perform(
    confirmation: Confirmation,
    caller: Caller,
    *,
    reason: str = "",
    planned: PlannedItem | None = None,
) -> Outcome:
    """Carry out one confirmed act, once. Returns what became of it.

    An item of a plan needs no recent sign-in any more: confirming the plan did.
    Raises NotDone (with why), AlreadyUsed or LogUnwritable if nothing was sent; Denied, Refused
    or Unreachable if the target could not even be looked at; OutcomeUnrecorded if it was sent
    and the log failed then.
    """
    case = Case(
        confirmation=confirmation,
        operation=OPERATIONS[confirmation.action],
        milvus=clusters.get(confirmation.target.cluster),
        caller=caller,
        reason=reason,
        planned=planned,
    )
    authorize(case.confirmation.action, case.target, caller)
    _signed_in_lately(case)
    (before, _), patience = log.head(), Patience.begin(case.milvus.cluster)
    _stop_if_used(case)
    look = _look(case)
    _compare(case, look)
    _record_intent(case, look, before)
    return conclude(case, act_once(case, patience))


def authorize(action: policy.Action, target: Target, caller: Caller, *, asked: bool = True) -> None:
    """Raises NotDone after recording it, if the actor may not do this.

    Looking at a dialog is not `asked`, and not recorded: a link on another site can make anybody
    look.

    Raises NotFound instead if the actor may not even see it: then it must look as if it was not
    there.
    """
    place = policy.place_of(target)
    decision = policy.decide(caller.actor, action, place)
    if decision.allowed:
        return
    message = f"{caller.actor.display} is not permitted to do this. {decision.why}"
    if asked:
        quotas.write(_refusal(action, target, caller, Outcome.DENIED, message))
    if not policy.may(caller.actor, policy.Action.VIEW, place):
        raise NotFound("")
    problem = NotDone(Outcome.DENIED, message)
    problem.recorded = asked
    raise problem


def _signed_in_lately(case: Case) -> None:
    """Raises NotDone if the cluster requires a more recent sign-in. The dialog says so before."""
    if not case.planned and policy.sign_in_needed(case.caller.actor, case.target.cluster):
        message = "This cluster requires a recent sign-in, and yours is too old"
        raise _not_done(case, Outcome.DENIED, message)


def refuse(action: policy.Action, target: Target, caller: Caller, message: str) -> None:
    """Record a request that can't be honest: a forged confirmation."""
    quotas.write(_refusal(action, target, caller, Outcome.DENIED, message))


def _look(case: Case) -> Look:
    try:
        return case.operation.look(case.milvus.gateway, case.target)
    except NotFound as exc:
        message = f"It no longer exists: {exc}"
        raise _not_done(case, Outcome.NOT_FOUND, message) from exc


def _compare(case: Case, look: Look) -> None:
    """It must be what was shown, and nothing may stand in the way."""
    shown = case.confirmation
    if (look.identity, case.milvus.cluster.endpoint) != (shown.identity, shown.endpoint):
        message = "It changed since you opened the dialog, or something else has its name now"
        raise _not_done(case, Outcome.CHANGED, message, look)
    if look.blockers:
        message = " ".join(blocker.text for blocker in look.blockers)
        raise _not_done(case, Outcome.BLOCKED, message, look)


def _not_done(case: Case, outcome: Outcome, message: str, look: Look | None = None) -> NotDone:
    _stop_if_used(case)  # a double click: the first one has just done it
    details: dict[str, Any] = {
        "shown": asdict(case.confirmation.identity),
        "confirmation": str(case.confirmation.operation_id),
        "reason": case.reason,
    }
    if look:
        details["found"] = asdict(look.identity)
    entry = _refusal(case.confirmation.action, case.target, case.caller, outcome, message, details)
    quotas.write(entry)
    return NotDone(outcome, message, look.blockers if look else ())


def _refusal(
    action: policy.Action,
    target: Target,
    caller: Caller,
    outcome: Outcome,
    message: str,
    details: dict[str, Any] | None = None,
) -> Entry:
    return Entry(
        phase=Phase.REFUSED,
        action=action,
        caller=caller,
        outcome=outcome,
        operation_id=uuid.uuid4(),
        target=target.as_dict(),
        message=message,
        details=details,
    )


# --- intent -------------------------------------------------------------------------------------


def _record_intent(case: Case, look: Look, before: int) -> None:
    """Commit the intent and claim the target. Only after this may anything be sent."""
    confirmation = case.confirmation
    with log.appending():
        outdated = False
        _stop_if_taken_back(case)
        if log.head()[0] != before:  # else nothing was written since this began
            _stop_if_used(case)
            outdated = _settled_since(case.target, before)
        claim = claim_on(case.target)
        cluster = case.milvus.cluster
        over = limits.is_spent(confirmation.action, case.caller.actor, cluster)
        if claim is None and not outdated and not over:
            Claim.objects.create(
                target=digest(case.target),
                operation_id=confirmation.operation_id,
                cluster=case.target.cluster,
                actor_display=case.caller.actor.display,
                claimed_at=timezone.now(),
                sent=Sent.NOTHING,
            )
            log.append(_intent(case, look))
    if claim is not None:
        message = f"Another operation on it is in progress, by {claim.actor_display}"
        _not_done(case, Outcome.BUSY, message, look)
        raise Busy(claim)
    if over:
        message = limits.SPENT.format(limit=case.milvus.cluster.drops_per_hour)
        problem = _not_done(case, Outcome.DENIED, message, look)
        raise OverLimit(problem.outcome, str(problem))
    if outdated:
        message = "Another operation on it has just ended. Open the dialog again"
        raise _not_done(case, Outcome.CHANGED, message, look)


def _settled_since(target: Target, before: int) -> bool:
    """Whether an operation on it, or on its collection, got an outcome after that event.

    Then the look may show what was there before, and a namesake may be there now. So it may when
    a name was given back.
    """
    phases = (Phase.OUTCOME, Phase.AFTERWARDS)
    outcomes = AuditEvent.objects.filter(sequence__gt=before, phase__in=phases)
    same = outcomes.filter(
        cluster__in=clusters.same_server(target.cluster),
        database=target.database,
        collection=target.collection[:255],
    )
    same_name = Q(kind=target.kind, name=target.name[:255])  # all that fits into the column
    return same.filter(same_name | Q(kind=Kind.COLLECTION)).exists()


def _stop_if_used(case: Case) -> None:
    operation_id = case.confirmation.operation_id
    if AuditEvent.objects.filter(operation_id=operation_id, phase=Phase.INTENT).exists():
        raise AlreadyUsed(str(operation_id))


def _stop_if_taken_back(case: Case) -> None:
    """An item of a plan must still be in progress when its intent is recorded: whoever takes one
    back from a process that seems dead holds the chain, too (plans/running.py).
    """
    if case.planned is None:
        return
    items = PlanItem.objects.filter(operation_id=case.confirmation.operation_id)
    if not items.filter(state=ItemState.RUNNING).exists():
        raise AlreadyUsed(f"plan {case.planned.plan} took the item back")


def _intent(case: Case, look: Look) -> Entry:
    age = case.caller.actor.sign_in_age
    return Entry(
        phase=Phase.INTENT,
        action=case.confirmation.action,
        caller=case.caller,
        operation_id=case.confirmation.operation_id,
        target=case.target.as_dict(),
        details={
            "identity": asdict(look.identity),
            "identity_verifiable": look.identity.verifiable,
            "reason": case.reason,
            "typed_name_matched": not case.planned,  # of a plan, a sentence was typed
            "plan": asdict(case.planned) if case.planned else None,
            "sign_in_age_seconds": None if age is None else round(age),
            "endpoint": case.milvus.cluster.endpoint,
            "server_version": look.server.version,
            "clock": deadlines.stamp(),
            "deadline_seconds": case.milvus.cluster.drop_timeout,
            "private_name": case.execution.private_name,  # of strict mode and of the bin
            "new_name": case.confirmation.new_name,  # of a restore
            "retention_seconds": case.milvus.cluster.recycle_bin,
            "rows": None if isinstance(look.rows, Unread) else look.rows,
            "load": look.load.value if isinstance(look.load, Unread) else look.load.word,
            "snapshot": dict(look.detail.snapshot),
        },
    )
