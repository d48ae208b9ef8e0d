"""The one protocol for everything that destroys. Start reading at `perform`."""

import uuid
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from django.utils import timezone

from .. import clusters, statements
from ..access import policy
from ..access.principals import Caller
from ..audit import log, quotas
from ..audit.log import Entry, Outcome, Phase
from ..milvus.errors import NotFound
from ..milvus.types import Kind, Target, Unread
from ..models import Claim, ItemState, SendProgress
from . import deadlines, limits
from .claims import OnOutcome, claim_on, digest, do_nothing
from .confirmation import Confirmation, PlannedItem, missing_consent
from .deadlines import ReadDeadline
from .kinds import OPERATIONS
from .kinds.base import Blocker, TargetState
from .sending import Case, send_once, stamp, verify_and_record


class OperationRejected(Exception):
    """Stopped before anything was sent. `outcome` says why; it is on the record if `recorded`."""

    recorded = True  # only opening a dialog leaves no record

    def __init__(self, outcome: Outcome, message: str, blockers: tuple[Blocker, ...] = ()) -> None:
        super().__init__(message)
        self.outcome, self.blockers = outcome, blockers


class Busy(OperationRejected):
    """Another operation holds the target. `claim` says whose it is."""

    def __init__(self, claim: Claim) -> None:
        super().__init__(Outcome.BUSY, f"{claim.actor_display} has an operation in progress on it")
        self.claim = claim


class OverLimit(OperationRejected):
    """This person has begun as many drops on the cluster as an hour permits."""


class AlreadyUsed(Exception):
    """This confirmation was used before: a double click, or a replay."""


def perform(
    confirmation: Confirmation,
    caller: Caller,
    *,
    reason: str = "",
    planned: PlannedItem | None = None,
    on_outcome: OnOutcome = do_nothing,
) -> Outcome:
    """Carry out one confirmed operation, once. Returns what became of it.

    An item of a plan needs no recent sign-in any more: confirming the plan did. `on_outcome` is
    called in the transaction that records the outcome, unless another process settles it.
    Raises OperationRejected, AlreadyUsed or LogUnwritable if nothing was sent; Denied,
    MilvusRejected or Unreachable if the target could not even be read; OutcomeUnrecorded if it
    was sent and the log failed then.
    """
    case = Case(
        confirmation=confirmation,
        operation=OPERATIONS[confirmation.action],
        milvus=clusters.get(confirmation.target.cluster),
        caller=caller,
        reason=reason,
        planned=planned,
        on_outcome=on_outcome,
    )
    authorize(case.confirmation.action, case.target, caller)
    _require_consent(case)
    before, read_deadline = _stop_if_used(case), ReadDeadline.start(case.milvus.cluster)
    state = _read_state(case)
    _compare(case, state)
    _record_intent(case, state, before)
    return verify_and_record(case, send_once(case, read_deadline))


def authorize(action: policy.Action, target: Target, caller: Caller, *, asked: bool = True) -> None:
    """Raises OperationRejected after recording it, if the actor may not do this.

    Opening a dialog is not `asked`, and not recorded: a link on another site can make anybody
    open one.

    Raises NotFound instead if the actor may not even see it: then it must look as if it was not
    there.
    """
    place = policy.place_of(target)
    decision = policy.decide(caller.actor, action, place)
    if decision.allowed:
        return
    message = f"{caller.actor.display} is not permitted to do this. {decision.why}"
    if asked:
        quotas.write(_rejection(action, target, caller, Outcome.DENIED, message))
    if not policy.may(caller.actor, policy.Action.VIEW, place):
        raise NotFound("")
    problem = OperationRejected(Outcome.DENIED, message)
    problem.recorded = asked
    raise problem


def _require_consent(case: Case) -> None:
    """Raises OperationRejected if a recent sign-in or a second person's approval is missing."""
    if message := missing_consent(case.confirmation, case.caller.actor, case.planned):
        problem = OperationRejected(Outcome.DENIED, message)
        _record_rejection(case, problem)
        raise problem


def record_forgery(action: policy.Action, target: Target, caller: Caller, message: str) -> None:
    """Record a request with a forged confirmation. Raises LogUnwritable."""
    quotas.write(_rejection(action, target, caller, Outcome.DENIED, message))


def _read_state(case: Case) -> TargetState:
    try:
        return case.operation.read_state(case.milvus.gateway, case.target)
    except NotFound as exc:
        problem = OperationRejected(Outcome.NOT_FOUND, f"It no longer exists: {exc}")
        _record_rejection(case, problem)
        raise problem from exc


def _compare(case: Case, state: TargetState) -> None:
    """Raises OperationRejected if it is not what was shown, or there are blockers."""
    shown, blockers = case.confirmation, state.blockers
    if (state.identity, case.milvus.cluster.endpoint) != (shown.identity, shown.endpoint):
        message = "It changed since you opened the dialog, or something else has its name now"
        problem = OperationRejected(Outcome.CHANGED, message, blockers)
    elif blockers:
        message = " ".join(blocker.text for blocker in blockers)
        problem = OperationRejected(Outcome.BLOCKED, message, blockers)
    else:
        return
    _record_rejection(case, problem, state)
    raise problem


def _record_rejection(
    case: Case, problem: OperationRejected, state: TargetState | None = None
) -> None:
    """Before `problem` is raised. Raises AlreadyUsed after a double click: the first one did it."""
    _stop_if_used(case)
    details: dict[str, Any] = {
        "shown": asdict(case.confirmation.identity),
        "confirmation": str(case.confirmation.operation_id),
        "reason": case.reason,
    }
    if state:
        details["found"] = asdict(state.identity)
    action, message = case.confirmation.action, str(problem)
    quotas.write(
        _rejection(action, case.target, case.caller, problem.outcome, message, details),
    )


def _rejection(
    action: policy.Action,
    target: Target,
    caller: Caller,
    outcome: Outcome,
    message: str,
    details: dict[str, Any] | None = None,
) -> Entry:
    return Entry(
        phase=Phase.REJECTED,
        action=action,
        caller=caller,
        outcome=outcome,
        operation_id=uuid.uuid4(),
        target=target.as_dict(),
        message=message,
        details=details,
    )


# --- intent -------------------------------------------------------------------------------------


def _record_intent(case: Case, state: TargetState, before: int) -> None:
    """Commit the intent and claim the target. Only after this may anything be sent.

    Raises OperationRejected if another operation holds the target, or ended after event `before`.
    """
    matched_at = timezone.now()
    with log.appending() as head:
        problem = _obstacle(case, state, before)
        if problem is None:
            _claim(case)
            log.append(_intent(case, state, matched_at), head)
    if problem is not None:
        _record_rejection(case, problem, state)
        raise problem


def _obstacle(case: Case, state: TargetState, before: int) -> OperationRejected | None:
    """Another operation on the target, or a limit that is reached. Raises AlreadyUsed."""
    is_outdated = _is_outdated(case, before)
    if claim := claim_on(case.target) or _claim_on_new_name(case):
        return Busy(claim)
    action, cluster = case.confirmation.action, case.milvus.cluster
    if limits.is_spent(action, case.caller.actor, cluster):
        return OverLimit(Outcome.DENIED, limits.SPENT.format(limit=cluster.drops_per_hour))
    if is_outdated:
        message = "Another operation on it has just ended. Open the dialog again"
        return OperationRejected(Outcome.CHANGED, message, state.blockers)
    return None


def _claim_on_new_name(case: Case) -> Claim | None:
    """The operation that holds the name which a restore would give: a drop of it may come late."""
    name = case.confirmation.new_name
    if not name:
        return None
    return claim_on(replace(case.target, kind=Kind.COLLECTION, collection=name, name=name))


def _claim(case: Case) -> None:
    claim = [
        digest(case.target),
        case.confirmation.operation_id,
        case.target.cluster,
        case.caller.actor.display,
        timezone.now(),
        SendProgress.NONE,
    ]
    statements.changed(statements.CLAIM, claim)


def _is_outdated(case: Case, before: int) -> bool:
    """Whether an operation on the target, or on its collection, got an outcome after that event.

    Then what was read may be older than that outcome, and a namesake may be there now. The same
    holds when a name was restored. Raises AlreadyUsed, also if an item of a plan is not in progress
    any more: whoever takes one back from a process that seems dead holds the chain, too
    (plans/running.py).
    """
    operation_id = case.confirmation.operation_id
    is_in_progress, is_used, is_outdated = _obstacles(case.target, operation_id, before)
    if is_used:
        raise AlreadyUsed(str(operation_id))
    if case.planned and not is_in_progress:
        raise AlreadyUsed(f"plan {case.planned.plan} took the item back")
    return bool(is_outdated)


def _obstacles(target: Target, operation_id: uuid.UUID, before: int) -> tuple[Any, ...]:
    """Whether its item is in progress, it has an intent, its target an outcome since `before`."""
    values: list[Any] = [operation_id, ItemState.RUNNING, operation_id, Phase.INTENT]
    values += [before, [Phase.OUTCOME, Phase.FOLLOW_UP], clusters.same_server(target.cluster)]
    values += [target.database, target.collection[:255], [Kind.COLLECTION, Kind.NEW]]
    values += [target.kind, target.name[:255]]  # all that fits into the column
    return statements.rows(statements.OBSTACLES, *values)[0]


def _stop_if_used(case: Case) -> int:
    """The number of the last event of the log. Raises AlreadyUsed if this operation has begun."""
    operation_id = case.confirmation.operation_id
    [(last, is_used)] = statements.rows(statements.LAST_EVENT, operation_id, Phase.INTENT)
    if is_used:
        raise AlreadyUsed(str(operation_id))
    return int(last)


def _intent(case: Case, state: TargetState, matched_at: datetime) -> Entry:
    age = case.caller.actor.sign_in_age
    return Entry(
        phase=Phase.INTENT,
        action=case.confirmation.action,
        caller=case.caller,
        operation_id=case.confirmation.operation_id,
        target=case.target.as_dict(),
        details={
            "identity": asdict(state.identity),
            "identity_verifiable": state.identity.verifiable,
            "reason": case.reason,
            # Of a plan, a sentence was typed.
            "typed_name_matched": case.operation.asks_for_name and not case.planned,
            "plan": asdict(case.planned) if case.planned else None,
            "sign_in_age_seconds": None if age is None else round(age),
            "endpoint": case.milvus.cluster.endpoint,
            "server_version": state.server.version,
            "confirmed_at": stamp(case.begun_at),
            "matched_at": stamp(matched_at),
            "clock": deadlines.clock_stamp(),
            "deadline_seconds": case.milvus.cluster.drop_timeout,
            "private_name": case.execution.private_name,  # of strict mode and of the bin
            "new_name": case.confirmation.new_name,  # of a restore
            "until": case.confirmation.until,  # of a protection
            "retention_seconds": case.milvus.cluster.recycle_bin,
            "rows": None if isinstance(state.rows, Unread) else state.rows,
            "load": state.load.value if isinstance(state.load, Unread) else state.load.word,
            "snapshot": dict(state.detail.snapshot),
        },
    )
