"""From the committed intent to the recorded outcome: send once, read back, record."""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from .. import clusters, statements
from ..access.policy import Action
from ..access.principals import Caller
from ..audit import log
from ..audit.log import Entry, Outcome, Phase
from ..audit.sqlite_queue import writer_slot
from ..milvus.errors import (
    Contradiction,
    Denied,
    Incomplete,
    MilvusError,
    MilvusRejected,
    NotFound,
    Unreachable,
)
from ..milvus.types import Target
from ..models import AuditEvent, SendProgress
from .claims import OnOutcome, do_nothing, final_outcome, last_outcome, record_outcome
from .confirmation import Confirmation, PlannedItem
from .deadlines import ReadDeadline
from .execution import Execution, execution_for
from .kinds import OPERATIONS
from .kinds.base import Operation

# After an OK, Milvus may need a moment before the name is gone.
READ_BACK_ATTEMPTS, SECONDS_BETWEEN_READS = 4, 0.3
READ_BACK_SECONDS = 10.0  # no read-back begins later than that after the first one


class OutcomeUnrecorded(Exception):
    """It was sent, and then the log could not be written. `settle` records what became of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All that one run of the protocol knows from the start."""

    confirmation: Confirmation
    operation: Operation
    milvus: clusters.Milvus
    caller: Caller
    reason: str
    planned: PlannedItem | None = None  # the item of a plan, if it is one
    begun_at: datetime = field(default_factory=timezone.now)  # when it was confirmed
    on_outcome: OnOutcome = do_nothing

    @property
    def target(self) -> Target:
        return self.confirmation.target

    @property
    def execution(self) -> Execution:
        return execution_for(self.confirmation)


@dataclass(frozen=True, slots=True, kw_only=True)
class SendResult:
    """What came back from the one request."""

    outcome: Outcome  # NONE: Milvus answered OK, which proves nothing yet
    message: str
    code: str
    duration_ms: int
    attempts: int = 1  # how often the act was sent
    sent_at: datetime | None = None  # None: Milvus is asked to change nothing


NO_REQUEST = SendResult(
    outcome=Outcome.SUCCEEDED,
    message="Recorded by Milvus Admin",
    code="",
    duration_ms=0,
    attempts=0,
)


def send_once(case: Case, read_deadline: ReadDeadline) -> SendResult:
    """The one request. Whatever is raised, it is never sent again."""
    if not case.operation.changes_milvus:
        return NO_REQUEST
    sent_at, started, attempts = timezone.now(), time.monotonic(), 1
    try:
        case.execution.send(lambda progress: _last_check(case, read_deadline, progress))
        outcome, message, code = Outcome.NONE, "Milvus answered OK", "0"
    except MilvusError as exc:
        outcome, message, code = _outcome_of(exc), str(exc), exc.code
        attempts = int(exc.sent)
    except Exception as exc:  # a bug here must not hide that something was sent
        outcome, message, code = Outcome.UNKNOWN, f"Unexpected error: {type(exc).__name__}", ""
    duration_ms = round((time.monotonic() - started) * 1000)
    return SendResult(
        outcome=outcome,
        message=message,
        code=code,
        duration_ms=duration_ms,
        attempts=attempts,
        sent_at=sent_at,
    )


def stamp(moment: datetime | None) -> str | None:
    """A moment for the record, to the millisecond."""
    return moment.isoformat(timespec="milliseconds") if moment else None


def _outcome_of(exc: MilvusError) -> Outcome:
    if isinstance(exc, Incomplete):
        return Outcome.INCOMPLETE
    if isinstance(exc, MilvusRejected | Denied | NotFound):
        return Outcome.REFUSED
    return Outcome.FAILED if isinstance(exc, Unreachable) else Outcome.UNKNOWN


def _last_check(case: Case, read_deadline: ReadDeadline, progress: SendProgress) -> None:
    """Record durably what goes out next. Raises Unreachable (it does not go out then) if the
    read is too old, or the claim gone.
    """
    _stop_if_expired(read_deadline)
    try:
        is_open = _record_progress(case.confirmation.operation_id, progress)
    except (DatabaseError, InterfaceError) as exc:
        raise Unreachable("the next step could not be recorded") from exc
    if not is_open:
        raise Unreachable("the operation was already closed")
    _stop_if_expired(read_deadline)


def _stop_if_expired(read_deadline: ReadDeadline) -> None:
    if read_deadline.has_expired:
        raise Unreachable("the read before it is too old")


def _record_progress(operation_id: uuid.UUID, progress: SendProgress) -> bool:
    with writer_slot():
        return bool(statements.changed(statements.PROGRESS, progress, operation_id))


def verify_and_record(case: Case, result: SendResult) -> Outcome:
    """Read back and record what that shows; Milvus' OK is no proof.

    Returns what is on the record: if another process settled it, its outcome. Raises
    OutcomeUnrecorded.
    """
    outcome, seen = _verified(case, result)
    details = {
        "attempts": result.attempts,
        "code": result.code,
        "duration_ms": result.duration_ms,
        "seen": seen,
        # For a timeline; nothing is decided by them.
        "sent_at": stamp(result.sent_at),
        "read_back_at": stamp(timezone.now()) if seen else None,
        **_evidence(case),
    }
    requested, operation_id = case.confirmation, case.confirmation.operation_id
    try:
        if record_outcome(
            requested, outcome, result.message, case.caller, details, case.on_outcome
        ):
            return outcome
        return final_outcome(operation_id)
    except (log.LogUnwritable, DatabaseError, InterfaceError) as exc:
        if result.outcome is Outcome.FAILED or result is NO_REQUEST:
            raise log.LogUnwritable("nothing was sent") from exc
        raise OutcomeUnrecorded(str(operation_id)) from exc


def _verified(case: Case, result: SendResult) -> tuple[Outcome, str]:
    """What a read-back shows. A refusal too may be the answer to a second copy on the way.

    Without a drop that was sent it shows nothing: what is gone was dropped by somebody else.
    """
    if result.outcome is Outcome.FAILED or not result.attempts:
        return result.outcome, ""
    done, seen = _read_back(case, READ_BACK_ATTEMPTS if result.outcome is Outcome.NONE else 1)
    return Outcome.SUCCEEDED if done else result.outcome or Outcome.UNKNOWN, seen


def _read_back(case: Case, attempts: int) -> tuple[bool, str]:
    seen, until = "", time.monotonic() + READ_BACK_SECONDS
    for attempts_left in reversed(range(attempts)):
        try:
            if case.execution.is_done():
                return True, _proof(case)
            seen = f"Read-back: {case.operation.undone}."
        except Contradiction as exc:  # perhaps only for this moment
            seen = f"The read-back failed: {exc}"
        except MilvusError as exc:
            return False, f"The read-back failed: {exc}"
        except Exception as exc:  # a bug in reading must not keep the record from being closed
            return False, f"The read-back failed: {type(exc).__name__}"
        if not attempts_left or time.monotonic() > until:
            break
        time.sleep(SECONDS_BETWEEN_READS)
    return False, seen


def _evidence(case: Case) -> Mapping[str, Any]:
    try:
        return case.execution.evidence()
    except Exception:  # the outcome is on the record without it
        return {}


def _proof(case: Case) -> str:
    try:
        more = case.execution.side_effect()
    except Exception:  # what was requested is done
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
                phase=Phase.FOLLOW_UP,
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
