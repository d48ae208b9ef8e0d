"""From the committed intent to the recorded outcome: act once, look again, record."""

import time
import uuid
from dataclasses import dataclass

from django.db import DatabaseError, InterfaceError

from .. import clusters
from ..access.policy import Action
from ..access.principals import Caller
from ..audit import log
from ..audit.log import Entry, Outcome, Phase
from ..audit.sqlite_queue import turn
from ..milvus.errors import (
    Contradiction,
    Denied,
    MilvusError,
    NotFound,
    Refused,
    Unreachable,
)
from ..milvus.types import Target
from ..models import AuditEvent, Claim, Sent
from .claims import final_outcome, finish, last_outcome
from .confirmation import Confirmation, PlannedItem
from .deadlines import Patience
from .execution import Execution, execution_for
from .kinds import OPERATIONS
from .kinds.base import Operation

# After an OK, Milvus may need a moment before the name is gone.
LOOKS_AFTER_OK, SECONDS_BETWEEN = 4, 0.3
LOOKING_SECONDS = 10.0  # no look begins later than that after the first one


class OutcomeUnrecorded(Exception):
    """It was sent, and then the log could not be written. `settle` finds out what became of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All that one run of the protocol knows from the start."""

    confirmation: Confirmation
    operation: Operation
    milvus: clusters.Milvus
    caller: Caller
    reason: str
    planned: PlannedItem | None = None  # the item of a plan, if it is one

    @property
    def target(self) -> Target:
        return self.confirmation.target

    @property
    def execution(self) -> Execution:
        return execution_for(self.confirmation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back from the one request."""

    outcome: Outcome  # NONE: Milvus answered OK, which proves nothing yet
    message: str
    code: str
    duration_ms: int
    attempts: int = 1  # how often the act was sent


def act_once(case: Case, patience: Patience) -> Answer:
    """The one request. Whatever is raised, it is never sent again."""
    started, attempts = time.monotonic(), 1
    try:
        case.execution.send(lambda sent: _last_check(case, patience, sent))
        outcome, message, code = Outcome.NONE, "Milvus answered OK", "0"
    except MilvusError as exc:
        outcome, message, code = _outcome_of(exc), str(exc), exc.code
        attempts = int(exc.sent)
    except Exception as exc:  # a bug here must not hide that something was sent
        outcome, message, code = Outcome.UNKNOWN, f"Unexpected error: {type(exc).__name__}", ""
    duration_ms = round((time.monotonic() - started) * 1000)
    return Answer(
        outcome=outcome, message=message, code=code, duration_ms=duration_ms, attempts=attempts
    )


def _outcome_of(exc: MilvusError) -> Outcome:
    if isinstance(exc, Refused | Denied | NotFound):
        return Outcome.REFUSED
    return Outcome.FAILED if isinstance(exc, Unreachable) else Outcome.UNKNOWN


def _last_check(case: Case, patience: Patience, next_sent: Sent) -> None:
    """Note what goes out next, durably. Raises Unreachable (it does not go out then) if the look
    is too old, or the claim gone.
    """
    _still_in_time(patience)
    try:
        ours = _noted(case.confirmation.operation_id, next_sent)
    except (DatabaseError, InterfaceError) as exc:
        raise Unreachable("the next step could not be recorded") from exc
    if not ours:
        raise Unreachable("the operation was already closed")
    _still_in_time(patience)


def _still_in_time(patience: Patience) -> None:
    if patience.over:
        raise Unreachable("the read before the drop is too old")


def _noted(operation_id: uuid.UUID, sent: Sent) -> bool:
    with turn():
        return bool(Claim.objects.filter(operation_id=operation_id).update(sent=sent))


def conclude(case: Case, answer: Answer) -> Outcome:
    """Look again and record what the look shows; Milvus' OK is no proof.

    Returns what is on the record: if somebody settled it meanwhile, theirs. Raises
    OutcomeUnrecorded.
    """
    outcome, seen = _verified(case, answer)
    details = {
        "attempts": answer.attempts,
        "code": answer.code,
        "duration_ms": answer.duration_ms,
        "seen": seen,
    }
    operation_id, begun = case.confirmation.operation_id, (case.confirmation.action, case.target)
    try:
        if finish(operation_id, outcome, answer.message, case.caller, details, begun):
            return outcome
        return final_outcome(operation_id)
    except (log.LogUnwritable, DatabaseError, InterfaceError) as exc:
        if answer.outcome is Outcome.FAILED:
            raise log.LogUnwritable("nothing was sent") from exc
        raise OutcomeUnrecorded(str(operation_id)) from exc


def _verified(case: Case, answer: Answer) -> tuple[Outcome, str]:
    """What a look shows. A refusal too may be the answer to a second copy on the way.

    Without a drop that was sent it shows nothing: what is gone was dropped by somebody else.
    """
    if answer.outcome is Outcome.FAILED or not answer.attempts:
        return answer.outcome, ""
    done, seen = _look_again(case, LOOKS_AFTER_OK if answer.outcome is Outcome.NONE else 1)
    return Outcome.SUCCEEDED if done else answer.outcome or Outcome.UNKNOWN, seen


def _look_again(case: Case, times: int) -> tuple[bool, str]:
    seen, until = "", time.monotonic() + LOOKING_SECONDS
    for left in reversed(range(times)):
        try:
            if case.execution.is_done():
                return True, _proof(case)
            seen = "Read-back: it still exists."
        except Contradiction as exc:  # perhaps only for this moment
            seen = f"The read-back failed: {exc}"
        except MilvusError as exc:
            return False, f"The read-back failed: {exc}"
        except Exception as exc:  # a bug in looking must not keep the record from being closed
            return False, f"The read-back failed: {type(exc).__name__}"
        if not left or time.monotonic() > until:
            break
        time.sleep(SECONDS_BETWEEN)
    return False, seen


def _proof(case: Case) -> str:
    try:
        more = case.execution.side_effect()
    except Exception:  # what was asked for is done
        more = "Whether anything else was dropped with it could not be read."
    return f"{case.operation.proof} {more}".strip()


def follow_up(
    closed: AuditEvent, target: Target, outcome: Outcome, message: str, caller: Caller
) -> AuditEvent | None:
    """Add to an operation that `closed` ended. None if something has just been added already."""
    operation_id = closed.operation_id
    assert operation_id  # noqa: S101 (an outcome has one)
    with log.appending():
        if last_outcome(operation_id) != closed:
            return None
        event = log.append(
            Entry(
                phase=Phase.AFTERWARDS,
                action=closed.action,
                caller=caller,
                outcome=outcome,
                operation_id=operation_id,
                target=target.as_dict(),
                message=message,
                details={"settled": True, "seen": message},
            )
        )
        if outcome is Outcome.SUCCEEDED and closed.outcome != Outcome.SUCCEEDED:
            OPERATIONS[Action(closed.action)].on_success(operation_id)
        return event
