"""Two people: who asks, who approves or rejects, and who runs what was approved.

An approval is bound to the frozen list, to the server, to the rule, and to the permissions of both
people (validity.py). The approver sees every item read afresh; an item that is not as they saw it
when it is due is skipped (running.py).
"""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from itertools import islice

from django.conf import settings
from django.utils import timezone

from .. import clusters
from ..access import approval
from ..access.policy import Action, Decision, may_somewhere
from ..access.principals import Actor, Caller
from ..audit import log
from ..audit.events import intent_of
from ..milvus.errors import Unreachable
from ..models import ItemState, Plan, PlanItem, PlanState
from ..operations.confirmation import Confirmation
from ..operations.protocol import AlreadyUsed
from . import deciding, events, notifications, validity
from .deciding import EXPIRED, WrongSentence, changing, require, sentence_for
from .reading import Sheet, read_again, read_once
from .rows import (
    WAITING,
    PlanRejected,
    actor_now,
    author_of,
    caller_of,
    digest_of,
    held,
    requester_of,
    to_do,
)

COUNTED = 50  # requests that the header counts, at most
ASK_AGAIN = "Make a new plan, which asks again"


def ask(consent: Confirmation, caller: Caller, *, reason: str = "") -> Plan:
    """A plan of one confirmed act, which awaits approval. Asked twice, it is the same plan.

    Raises PlanRejected if the thing changed since the dialog, or is blocked; AlreadyUsed if the act
    was carried out before; Unreachable or LogUnwritable. Then nothing was asked.
    """
    plan, item = _plan_of_one(consent, caller, reason)
    answer = read_once(plan, item, caller.actor)
    if isinstance(answer, str):
        raise Unreachable(answer)
    _same_as_in_dialog(consent, plan, answer, caller)
    with log.appending():
        if same := PlanItem.objects.filter(operation_id=consent.operation_id).first():
            return same.plan
        if intent_of(consent.operation_id):
            raise AlreadyUsed(str(consent.operation_id))
        plan.save()
        answer.plan = plan
        answer.save()
        plan.digest = digest_of(plan, [answer])
        deciding.request(plan, caller, typed=sentence_for(plan, 1))
    return plan


def _plan_of_one(consent: Confirmation, caller: Caller, reason: str) -> tuple[Plan, PlanItem]:
    now, target = timezone.now(), consent.target
    plan = Plan(
        action=consent.action,
        cluster=target.cluster,
        endpoint=clusters.get(target.cluster).cluster.endpoint,
        database=target.database,
        selection="one act that needs an approval",
        is_single=True,
        reason=reason,
        author=asdict(caller.actor),
        created_at=now,
        expires_at=now,
        worked_at=now,
    )
    item = PlanItem(
        position=1,
        collection=target.collection,
        name=target.name,
        operation_id=consent.operation_id,
    )
    return plan, item


def _same_as_in_dialog(consent: Confirmation, plan: Plan, item: PlanItem, caller: Caller) -> None:
    """Raises PlanRejected after recording it, if it is not what the dialog showed."""
    shown = (asdict(consent.identity), consent.endpoint)
    problem = item.message if item.state != ItemState.TODO else ""
    if not problem and (item.identity, plan.endpoint) != shown:
        problem = "It changed since you opened the dialog, or something else has its name now"
    if problem:
        _refuse(events.REQUEST, plan, caller, problem)
        raise PlanRejected(problem)


def _refuse(action: str, plan: Plan, caller: Caller, message: str) -> None:
    said = f"Plan {plan.pk}: {message}" if plan.pk else message
    events.refuse(action, plan.cluster, plan.database, caller, said)


# --- the second person --------------------------------------------------------------------------


def may_approve(actor: Actor, plan: Plan) -> Decision:
    """Whether this person's approval of the plan would count: on all of its items."""
    if is_requester(actor, plan) or _is_author(actor, plan):
        return Decision(allowed=False, why="Nobody can approve what they asked for themselves")
    decisions = (approval.may_approve(actor, requester_of(plan), p) for p in validity.places(plan))
    decision = Decision(allowed=False, why="It has no item that can be carried out")
    for decision in decisions:
        if not decision.allowed:
            break
    return decision


def sheet(plan: Plan) -> Sheet:
    """What the plan would carry out, read afresh with the permissions of who asked."""
    requester = actor_now(requester_of(plan), plan.requested_at, may_have_left=True)
    return read_again(plan, to_do(plan), requester)


def approve(plan: Plan, typed: str, digest: str, caller: Caller) -> None:
    """Approve what the page showed, read afresh: `digest` is that of the page.

    What can't be carried out any more is taken out of it. Raises PlanRejected or LogUnwritable.
    """
    _require_second_person(plan, caller, events.APPROVE)
    now = sheet(plan)
    require(not now.problem, f"Milvus could not be read, so what changed is unknown: {now.problem}")
    require(bool(now.to_do), "Nothing of it can be carried out any more")
    same = digest_of(plan, now.to_do) == digest
    require(same, "Something changed since this page showed it. Read it again, then approve")
    typed_right = sentence_for(plan, len(now.to_do))
    if typed != typed_right:
        raise WrongSentence(f"That is not the sentence. Type exactly: {typed_right}")
    with changing(plan, PlanState.AWAITING) as row:
        before, row.digest = row.digest, digest
        _keep(now)
        row.state, row.approved_by = PlanState.READY, asdict(caller.actor)
        row.approved_at = timezone.now()
        row.expires_at = row.approved_at + _time_to_run(plan)
        row.save()
        events.append(
            events.APPROVE,
            row,
            caller,
            f"approved with {len(now.to_do)} of {len(now.items)} items",
            typed=typed,
            digest=digest,
            requested_digest=before,
            changes=[[one.item.name, *one.changes] for one in now.changed[:100]],
            expires_at=row.expires_at.isoformat(),
            **events.people(row),
        )
        notifications.tell(events.APPROVE, row)


def _time_to_run(plan: Plan) -> timedelta:
    return timedelta(seconds=clusters.get(plan.cluster).cluster.execution_expires)


def _keep(now: Sheet) -> None:
    """What was seen is what was approved: an item must still be so when it is due."""
    for one in now.changed:
        one.item.save(update_fields=["state", "shown", "message"])


def reject(plan: Plan, reason: str, caller: Caller) -> None:
    """End a request, for a reason that is told to who asked."""
    require(bool(reason.strip()), "Say why")
    _require_second_person(plan, caller, events.REJECT, lapses=False)
    with changing(plan, PlanState.AWAITING) as row:
        row.state, row.ended_at = PlanState.REJECTED, timezone.now()
        row.why = f"Rejected by {caller.actor.display}: {reason.rstrip('.')}"
        row.save()
        said = f"rejected. {reason}"
        events.append(
            events.REJECT, row, caller, said, why=reason, rejected_by=asdict(caller.actor),
            **events.people(row),
        )  # fmt: skip
        notifications.tell(events.REJECT, row)


def _require_second_person(plan: Plan, caller: Caller, action: str, *, lapses: bool = True) -> None:
    """Raises PlanRejected unless this person may decide about the request now."""
    decision = may_approve(caller.actor, plan)
    if plan.state == PlanState.AWAITING and not decision.allowed:
        _refuse(action, plan, caller, decision.why)
        raise PlanRejected(decision.why)
    require(plan.state == PlanState.AWAITING, f"It is {PlanState(plan.state).label.lower()}")
    require(plan.expires_at > timezone.now(), EXPIRED)
    deciding.require_recent_sign_in(plan, caller, action)
    if lapses:
        _require_valid(plan, caller)


def _require_valid(plan: Plan, caller: Caller, requester: Actor | None = None) -> None:
    """Raises PlanRejected, after ending the plan, if the request or approval holds no more."""
    if why := validity.lapse_reason(plan, requester):
        lapse(plan, why, caller)
        raise PlanRejected(f"The request does not hold any more. {why}. {ASK_AGAIN}")


# --- who asked ----------------------------------------------------------------------------------


def is_requester(actor: Actor, plan: Plan) -> bool:
    """Whether this is who asked, and so who may run it."""
    return plan.requested_by is not None and actor.key == requester_of(plan).key


def _is_author(actor: Actor, plan: Plan) -> bool:
    return actor.key == author_of(plan).key


def run(plan: Plan, typed: str, digest: str, caller: Caller) -> None:
    """Start what was approved. Raises PlanRejected (nothing was started) or LogUnwritable.

    The caller has to call `tasks.ring` then.
    """
    require(plan.state == PlanState.READY, f"It is {PlanState(plan.state).label.lower()}")
    if not is_requester(caller.actor, plan):
        message = "Only who asked for the approval can run this plan"
        _refuse(events.RUN, plan, caller, message)
        raise PlanRejected(message)
    _require_valid(plan, caller, caller.actor)
    deciding.check(plan, typed, digest, caller, PlanState.READY)
    require(digest == plan.digest, "The list is not the one that was approved")
    with changing(plan, PlanState.READY) as row:
        deciding.same_list(row, digest)
        deciding.start(row, caller, typed)


# --- requests that wait -------------------------------------------------------------------------


def lapse(plan: Plan, why: str, caller: Caller) -> None:
    """End a request or an approval that holds no more, if it still waits."""
    with log.appending():
        row = held(plan.pk)
        if row.state not in WAITING:
            return
        row.state, row.why, row.ended_at = PlanState.EXPIRED, why, timezone.now()
        row.save()
        events.append(events.LAPSE, row, caller, f"lapsed. {why}", **events.people(row))
        notifications.tell(events.LAPSE, row)
    plan.refresh_from_db()


def tidy() -> None:
    """End what was not approved, or not run, in time, and what holds no more."""
    for plan in Plan.objects.filter(state__in=WAITING):
        if plan.expires_at < timezone.now():
            late = "approved" if plan.state == PlanState.AWAITING else "run"
            lapse(plan, f"It was not {late} in time", caller_of(plan))
        elif why := validity.lapse_reason(plan, is_strict=False):
            lapse(plan, why, caller_of(plan))


def for_approval(actor: Actor) -> Iterator[Plan]:
    """The requests that this person may approve, the oldest first."""
    if not may_somewhere(actor, Action.APPROVE):
        return
    for plan in _waiting(PlanState.AWAITING):
        if may_approve(actor, plan).allowed:
            yield plan


def asked_by(actor: Actor) -> Iterator[Plan]:
    """What this person asked for: what they can run now first."""
    for state in (PlanState.READY, PlanState.AWAITING):
        yield from (plan for plan in _waiting(state) if is_requester(actor, plan))


def _waiting(state: PlanState) -> list[Plan]:
    known = Plan.objects.filter(state=state, expires_at__gt=timezone.now())
    return list(known.filter(cluster__in=list(settings.CLUSTERS)).order_by("id"))


def count_for(actor: Actor) -> int:
    """How many plans wait for this person: to be approved, or to be run."""
    ready = sum(is_requester(actor, plan) for plan in _waiting(PlanState.READY))
    return ready + sum(1 for _ in islice(for_approval(actor), COUNTED))
