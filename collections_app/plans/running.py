"""Carrying out a confirmed plan: each item an operation of its own, taken from the database first.

An item's `operation_id` was chosen when the plan was made, and the log has one intent for each.
So whoever takes an item again after a crash can only find out what became of it.
"""

import json
import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import DatabaseError, InterfaceError
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from .. import clusters, statements
from ..access.principals import Caller
from ..audit import log
from ..audit.events import intent_of
from ..audit.log import LogUnwritable, Outcome, Phase
from ..milvus.errors import Denied, MilvusError, MilvusRejected, NotFound
from ..milvus.types import Cluster
from ..models import AuditEvent, ItemState, Plan, PlanItem, PlanState
from ..operations.claims import last_outcome
from ..operations.deadlines import max_duration
from ..operations.protocol import AlreadyUsed, OperationRejected, OverLimit, perform
from ..operations.reconcile import settle
from ..operations.sending import OutcomeUnrecorded
from . import events, reading, side_by_side, validity
from .progress import progress_of
from .rows import caller_of, confirmation_of, held, planned, target_of, writing

logger = logging.getLogger(__name__)

stopping = threading.Event()  # set when this process shall end after the items in progress
AT_ONCE = 8  # at most, whatever the plan says
STATES = {
    Outcome.SUCCEEDED: ItemState.DONE,
    Outcome.REFUSED: ItemState.REFUSED,
    Outcome.DENIED: ItemState.REFUSED,
    Outcome.BLOCKED: ItemState.REFUSED,
    Outcome.BUSY: ItemState.REFUSED,
    Outcome.CHANGED: ItemState.SKIPPED,
    Outcome.NOT_FOUND: ItemState.SKIPPED,
    Outcome.FAILED: ItemState.FAILED,
    Outcome.NOT_DONE: ItemState.UNKNOWN,  # Milvus may still carry it out
    Outcome.UNKNOWN: ItemState.UNKNOWN,
}


def work(plan: Plan, *, seconds: float, ticket: int | None = None) -> None:
    """Carry out items for so many seconds, until none is left or the plan is paused.

    Raises LogUnwritable or DatabaseError: what was taken then is settled by a later call.
    """
    caller, until = caller_of(plan), time.monotonic() + seconds
    _settle_left_over(plan, caller)
    _pause_without_groups(plan, caller)
    _pause_without_approval(plan, caller)

    def carry_on() -> None:
        ahead: list[PlanItem] = []

        def take_ahead() -> None:
            if _goes_on(until) and (item := _take(plan, ticket)):
                ahead.append(item)

        while ahead or _goes_on(until):
            item = ahead.pop() if ahead else take(plan, ticket)
            if item is None:
                return
            _carry_out(plan, item, caller, take_ahead)

    if plan.at_once == 1:
        carry_on()
    else:
        side_by_side.run(carry_on, min(plan.at_once, AT_ONCE))
    _end(plan, caller)


def _goes_on(until: float) -> bool:
    return time.monotonic() < until and not stopping.is_set()


def take(plan: Plan, ticket: int | None = None) -> PlanItem | None:
    """Mark the next item as in progress, durably. None if none may be taken now.

    Whoever holds the plan's row decides: over all processes never more than `at_once` items are in
    progress, and none after the plan was paused. An outdated `ticket` takes nothing.
    """
    with writing():
        return _take(plan, ticket)


def _take(plan: Plan, ticket: int | None) -> PlanItem | None:
    """`take` inside a transaction."""
    now = timezone.now()
    if not _hold_running(plan, ticket, now):
        return None
    values = ItemState.RUNNING, now, plan.pk, ItemState.TODO, plan.pk, ItemState.RUNNING
    item = PlanItem.objects.raw(statements.TAKE_ITEM, statements.adapted([*values, plan.at_once]))
    return next(iter(item), None)


def _hold_running(plan: Plan, ticket: int | None, now: datetime) -> bool:
    """Hold the plan's row, if it is running and the ticket is not outdated. Whether it is so."""
    return bool(statements.changed(statements.HOLD_PLAN, now, plan.pk, PlanState.RUNNING, ticket))


def _carry_out(
    plan: Plan, item: PlanItem, caller: Caller, take_ahead: Callable[[], None] = lambda: None
) -> None:
    """One operation. Raises LogUnwritable or DatabaseError; the item stays in progress then.

    `take_ahead` takes the next item in the transaction that records the outcome, to commit once.
    """
    try:
        if plan.approved_by and (changes := reading.change_since(plan, item, caller.actor)):
            _skip(plan, item, f"It changed since it was approved. {changes}", caller)
            return
        _perform(plan, item, caller, take_ahead)
    except AlreadyUsed:  # another process began it: its outcome counts
        return
    except OverLimit as exc:
        _put_back(plan, item, str(exc), caller)
    except OperationRejected as exc:
        _finish(plan, item, exc.outcome, str(exc), caller)
    except NotFound:
        message = "It does not exist, or you are not permitted to see it"
        _finish(plan, item, Outcome.NOT_FOUND, message, caller)
    except (Denied, MilvusRejected) as exc:
        _finish(plan, item, Outcome.REFUSED, f"Milvus rejected the read: {exc}", caller)
    except MilvusError as exc:
        _put_back(plan, item, f"Milvus could not be read: {exc}", caller)
    except OutcomeUnrecorded:
        logger.error("the outcome of %s could not be recorded", item.operation_id)
        raise LogUnwritable("the outcome could not be recorded") from None
    except (LogUnwritable, DatabaseError, InterfaceError):
        raise
    except Exception as exc:  # a bug here must not have the item tried again for ever
        if intent_of(item.operation_id):
            raise
        logger.exception("item %s of plan %s", item.position, plan.pk)
        why = f"Unexpected error: {type(exc).__name__}. Nothing was sent"
        _finish(plan, item, Outcome.FAILED, why, caller)


def _perform(plan: Plan, item: PlanItem, caller: Caller, take_ahead: Callable[[], None]) -> None:
    """The item is noted in the transaction that records its outcome. Raises as `perform`."""

    def note(outcome: Outcome, seen: str) -> None:
        _end_item(plan, item, outcome, seen, caller)
        take_ahead()

    outcome = perform(
        confirmation_of(plan, item),
        caller,
        reason=plan.reason,
        planned=planned(plan, item),
        on_outcome=note,
    )
    if item.state == ItemState.RUNNING:  # another process recorded it
        _finish(plan, item, outcome, _message(item), caller)


def _skip(plan: Plan, item: PlanItem, why: str, caller: Caller) -> None:
    events.skip(plan, target_of(plan, item), caller, why)
    _finish(plan, item, Outcome.CHANGED, why, caller)


def _message(item: PlanItem) -> str:
    """What the log says about the outcome."""
    last = last_outcome(item.operation_id)
    return _said(last) if last else ""


def _said(event: AuditEvent) -> str:
    """What was verified, or else what was answered."""
    record = json.loads(event.record)
    return str(record["details"].get("seen") or record["message"])


def _finish(plan: Plan, item: PlanItem, outcome: Outcome, message: str, caller: Caller) -> None:
    """Note what became of an item, in a transaction of its own."""
    with log.appending() if STATES[outcome] == ItemState.UNKNOWN else writing():
        _end_item(plan, item, outcome, message, caller)


def _end_item(plan: Plan, item: PlanItem, outcome: Outcome, message: str, caller: Caller) -> None:
    """Inside a transaction, which holds the chain if the outcome is unknown: the first of those
    pauses the plan. Changes nothing if somebody else noted it before.
    """
    state, now = STATES[outcome], timezone.now()
    values = state, outcome, message, now, item.pk, ItemState.RUNNING
    if not statements.changed(statements.END_ITEM, *values):
        return
    item.state = state
    if state == ItemState.UNKNOWN:
        why = f"The outcome of item {item.position} is {outcome}: {item.name}"
        _pause(plan, why, caller)


def _put_back(plan: Plan, item: PlanItem, why: str, caller: Caller) -> None:
    """Nothing was sent: the item is to do again, and the plan is paused."""
    with log.appending():
        if _take_back(item):
            _pause(plan, why, caller)


def _take_back(item: PlanItem) -> bool:
    """While the chain is held: no intent for the item can be written then, or is there already."""
    if intent_of(item.operation_id):
        return False
    running = PlanItem.objects.filter(pk=item.pk, state=ItemState.RUNNING)
    return bool(running.update(state=ItemState.TODO, taken_at=None))


def _pause(plan: Plan, why: str, caller: Caller) -> None:
    row = held(plan.pk)
    if row.state == PlanState.RUNNING:
        Plan.objects.filter(pk=plan.pk).update(state=PlanState.PAUSED, why=why)
        events.append(events.PAUSE, row, caller, f"paused. {why}")


def pause(plan: Plan, why: str) -> None:
    """Pause it, if it runs, for a reason that no person gave."""
    with log.appending():
        _pause(plan, why, caller_of(plan))


def _pause_without_groups(plan: Plan, caller: Caller) -> None:
    """Whoever has no group any more may do nothing, so no item has to be refused one by one."""
    if caller.actor.groups or caller.actor.method == "shell":
        return
    with log.appending():
        _pause(plan, f"{caller.actor.display} has no groups any more, or was signed out", caller)


def _pause_without_approval(plan: Plan, caller: Caller) -> None:
    """An approval that holds no more: the plan can be resumed only if it holds again."""
    if plan.approved_by and (why := validity.lapse_reason(plan, caller.actor)):
        with log.appending():
            _pause(plan, f"The approval does not hold any more. {why}", caller)


def _end(plan: Plan, caller: Caller) -> None:
    """The plan is done when nothing is left to do or in progress."""
    left = plan.items.filter(state__in=(ItemState.TODO, ItemState.RUNNING))
    if left.exists():
        return
    with log.appending():
        row = held(plan.pk)
        if row.state != PlanState.RUNNING or left.exists():
            return
        Plan.objects.filter(pk=plan.pk).update(state=PlanState.DONE, ended_at=timezone.now())
        counts = progress_of(row).counts
        events.append(events.DONE, row, caller, "done", counts=counts)


# --- after a crash ------------------------------------------------------------------------------


def _settle_left_over(plan: Plan, caller: Caller) -> None:
    """Items in progress: taken back if nothing was sent, else judged when nobody can be at it."""
    cluster = clusters.get(plan.cluster).cluster
    for item in list(plan.items.filter(state=ItemState.RUNNING)):
        age = timezone.now() - (item.taken_at or plan.created_at)
        if intent_of(item.operation_id):
            _settle(plan, item, age, caller)
        elif abs(age) > timedelta(seconds=cluster.drop_timeout):  # or the clock was set back
            with log.appending():
                _take_back(item)


def _settle(plan: Plan, item: PlanItem, age: timedelta, caller: Caller) -> None:
    cluster = clusters.get(plan.cluster).cluster
    outcome = settle(item.operation_id, caller, may_rename=True)
    if outcome is not Outcome.UNKNOWN or age > _patience(cluster):
        _finish(plan, item, outcome, _message(item), caller)


def _patience(cluster: Cluster) -> timedelta:
    """After that, a look that Milvus answers settles every operation; so it does not answer."""
    judged = timedelta(seconds=2 * cluster.drop_timeout + cluster.unknown_timeout)
    return max(max_duration(cluster, two_phases=cluster.strict_drop), judged) * 2


def follow(plan: Plan) -> None:
    """Note what became of items that were not certain; asks the log, not Milvus.

    Another process may have settled them: reconcile_operations, or somebody on a page.
    """
    for item in plan.items.filter(_uncertain()):
        last = last_outcome(item.operation_id)
        outcome = Outcome(last.outcome) if last else Outcome.UNKNOWN
        if last and outcome != item.outcome:
            with writing():
                PlanItem.objects.filter(pk=item.pk, state=item.state).update(
                    state=STATES[outcome], outcome=outcome, message=_said(last)
                )


def unsettled() -> list[Plan]:
    """Plans, whatever their state, with items that are not certain."""
    return list(Plan.objects.filter(pk__in=PlanItem.objects.filter(_uncertain()).values("plan")))


def _uncertain() -> Q:
    """Unknown; or failed, and Milvus did it late, which an event says that followed."""
    followed = AuditEvent.objects.filter(
        operation_id=OuterRef("operation_id"), phase=Phase.FOLLOW_UP, outcome=Outcome.SUCCEEDED
    )
    return Q(state=ItemState.UNKNOWN) | Q(Exists(followed), state=ItemState.FAILED)


def stalled(since: timedelta) -> list[Plan]:
    """Plans that want work and had none for that long."""
    wanted = Q(state__in=(PlanState.READING, PlanState.RUNNING))
    wanted |= Q(items__state=ItemState.RUNNING)
    now = timezone.now()  # what is after it was noted before the clock was set back
    stale = Q(worked_at__lt=now - since) | Q(worked_at__gt=now + since)
    return list(Plan.objects.filter(wanted & stale).distinct())


def expire() -> None:
    """Plans that nobody confirmed in time."""
    waiting = Plan.objects.filter(state__in=(PlanState.READING, PlanState.DRAFT))
    for plan in waiting.filter(expires_at__lt=timezone.now()):
        with log.appending():
            row = held(plan.pk)
            if row.state not in {PlanState.READING, PlanState.DRAFT}:
                continue
            Plan.objects.filter(pk=plan.pk).update(
                state=PlanState.EXPIRED, ended_at=timezone.now(), ticket=F("ticket") + 1
            )
            events.append(events.EXPIRE, row, caller_of(row), "expired; nobody confirmed it")
