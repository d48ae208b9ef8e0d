"""What people decide about a plan: take items out, confirm, pause, resume, cancel.

Each decision is one transaction: the plan's row changes together with its audit event.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta

from django.utils import timezone

from .. import clusters
from ..access import approval
from ..access.policy import Action, decide, may, place_of, sign_in_needed
from ..access.principals import Actor, Caller
from ..audit import log
from ..models import ItemState, Plan, PlanItem, PlanState
from ..names import typable
from ..operations import limits
from ..operations.kinds.acts import ACTS
from . import events, notifications, validity
from .progress import progress_of
from .rows import (
    UNCONFIRMED,
    WAITING,
    PlanRejected,
    actor_from,
    author_of,
    digest_of,
    held,
    target_of,
    to_do,
)


class WrongSentence(PlanRejected):
    """What was typed is not the sentence of this plan."""


class SignInNeeded(PlanRejected):
    """The cluster requires a more recent sign-in."""


def sentence(plan: Plan) -> str:
    """What has to be typed to confirm: the act, the number of items and the cluster.

    Of a plan of one act it is the name, as in the act's own dialog.
    """
    return sentence_for(plan, sentence_count(plan))


def sentence_for(plan: Plan, count: int) -> str:
    """The sentence for so many items."""
    item = plan.items.first() if plan.is_single else None
    if item:
        return typable(target_of(plan, item).shown_name)
    verb = ACTS[Action(plan.action)].verb
    return f"{verb} {count} on {clusters.get(plan.cluster).cluster.label}"


def may_see(actor: Actor, plan: Plan, item: PlanItem) -> bool:
    """Whether the actor may know of this item: what a rule hides is hidden in plans, too."""
    return may(actor, Action.VIEW, place_of(target_of(plan, item)))


def may_confirm(actor: Actor, plan: Plan) -> bool:
    """Its author, who read it; and whoever has the shell."""
    return actor.method == "shell" or actor.key == author_of(plan).key


def may_stop(actor: Actor, plan: Plan) -> bool:
    """Who confirmed it, or has the right to do one of its items: stopping must be easy."""
    confirmed = plan.confirmed_by and actor_from(plan.confirmed_by).key == actor.key
    if confirmed or may_confirm(actor, plan):
        return True
    first = plan.items.order_by("position").first()
    action = Action(plan.action)
    return first is not None and decide(actor, action, place_of(target_of(plan, first))).allowed


def take_out(plan: Plan, positions: Collection[int], caller: Caller) -> int:
    """Remove items for good, before the plan is confirmed. Returns how many were in it."""
    with changing(plan, *UNCONFIRMED) as row:
        require(may_confirm(caller.actor, row), "Only its author can change this plan")
        items = row.items.filter(position__in=positions).exclude(state=ItemState.REMOVED)
        taken = list(items.values_list("position", flat=True))
        items.update(state=ItemState.REMOVED)
        if taken:
            said = f"{len(taken)} items taken out"
            events.append(events.REMOVE, row, caller, said, items=sorted(taken))
    return len(taken)


def confirm(plan: Plan, typed: str, digest: str, caller: Caller, *, reason: str = "") -> None:
    """Start the plan, if the sentence is the one of the list that was shown.

    Where a second person has to approve one of its items, ask for that instead.

    `digest` is that of the page. Raises PlanRejected (nothing was started) or LogUnwritable.
    The caller has to call `tasks.ring` then.
    """
    require(may_confirm(caller.actor, plan), "Only its author can confirm this plan")
    check(plan, typed, digest, caller, PlanState.DRAFT)
    needs_approval = validity.is_needed(plan)
    with changing(plan, PlanState.DRAFT) as row:
        same_list(row, digest)
        require(row.expires_at > timezone.now(), EXPIRED)
        row.reason, row.digest = reason or row.reason, digest
        if needs_approval:
            request(row, caller, typed)
        else:
            start(row, caller, typed)


def start(row: Plan, caller: Caller, typed: str) -> None:
    """Inside `changing`: from here on the background process carries it out."""
    row.state = PlanState.RUNNING
    row.confirmed_by, row.confirmed_at = asdict(caller.actor), timezone.now()
    row.save()
    count, age = sentence_count(row), caller.actor.sign_in_age
    approver = actor_from(row.approved_by).display if row.approved_by else ""
    events.append(
        events.RUN if approver else events.CONFIRM,
        row,
        caller,
        f"started, approved by {approver}" if approver else f"confirmed with {count} items",
        items=count,
        digest=row.digest,
        typed=typed,
        reason=row.reason,
        at_once=row.at_once,
        sign_in_age_seconds=None if age is None else round(age),
        **events.people(row),
    )


def request(row: Plan, caller: Caller, typed: str) -> None:
    """Inside `changing`, or with a new row: from here on it awaits a second person."""
    expires = clusters.get(row.cluster).cluster.approval_expires
    row.state, row.rule = PlanState.AWAITING, approval.rule_of(row.cluster)
    row.requested_by, row.requested_at = asdict(caller.actor), timezone.now()
    row.expires_at = row.requested_at + timedelta(seconds=expires)
    row.save()
    count = sentence_count(row)
    events.append(
        events.REQUEST,
        row,
        caller,
        f"approval requested for {count} item{'' if count == 1 else 's'}",
        items=count,
        digest=row.digest,
        typed=typed,
        reason=row.reason,
        rule=row.rule,
        expires_at=row.expires_at.isoformat(),
        **events.people(row),
    )
    notifications.tell(events.REQUEST, row)


EXPIRED = "It has expired. Make a new plan: what it shows may have changed"


def check(plan: Plan, typed: str, digest: str, caller: Caller, state: PlanState) -> None:
    """Raises PlanRejected if this person can't start the plan in this state now."""
    require(plan.state == state, f"It is {PlanState(plan.state).label.lower()}")
    require(plan.expires_at > timezone.now(), EXPIRED)
    require(bool(sentence_count(plan)), "It has no item that can be carried out")
    if typed != sentence(plan):
        raise WrongSentence(f"That is not the sentence. Type exactly: {sentence(plan)}")
    same_list(plan, digest)
    same = clusters.get(plan.cluster).cluster.endpoint == plan.endpoint
    require(same, "The cluster has another address now. Make a new plan")
    require_recent_sign_in(plan, caller, events.CONFIRM)
    _block_forbidden(plan, caller)
    _within_limit(plan, caller)


def require_recent_sign_in(plan: Plan, caller: Caller, action: str) -> None:
    """Raises SignInNeeded after recording it, where the cluster requires a more recent one."""
    if sign_in_needed(caller.actor, plan.cluster):
        message = "This cluster requires a recent sign-in, and yours is too old"
        events.refuse(action, plan.cluster, plan.database, caller, message)
        raise SignInNeeded(f"{message}. Sign in again, then confirm")


def sentence_count(plan: Plan) -> int:
    return plan.items.filter(state=ItemState.TODO).count()


def same_list(plan: Plan, digest: str) -> None:
    same = digest_of(plan, to_do(plan)) == digest
    require(same, "The list changed since this page showed it. Read it again, then confirm")


def _block_forbidden(plan: Plan, caller: Caller) -> None:
    """Rights are decided again for each item: what was lost since is blocked, and named."""
    action, lost = Action(plan.action), {}
    for item in to_do(plan):
        decision = decide(caller.actor, action, place_of(target_of(plan, item)))
        if not decision.allowed:
            lost[item.pk] = decision.why
    if not lost:
        return
    message = f"You are no longer permitted to carry out {len(lost)} of its items"
    events.refuse(events.CONFIRM, plan.cluster, plan.database, caller, f"{message} (plan {plan})")
    for pk, why in lost.items():
        said = f"You are not permitted to do this. {why}"
        PlanItem.objects.filter(pk=pk).update(state=ItemState.BLOCKED, message=said)
    raise PlanRejected(f"{message}. Read the list again")


def _within_limit(plan: Plan, caller: Caller) -> None:
    cluster = clusters.get(plan.cluster).cluster
    left, count = limits.drops_left(caller.actor, cluster), sentence_count(plan)
    if left is None or count <= left or Action(plan.action) not in limits.DROPS:
        return
    message = (
        f"Plan {plan.pk} has {count} items, and drops_per_hour leaves you {left} on this cluster"
    )
    events.refuse(events.CONFIRM, plan.cluster, plan.database, caller, message)
    raise PlanRejected(f"{message}. Take items out, or try again later")


# --- while it runs ------------------------------------------------------------------------------


def pause(plan: Plan, caller: Caller) -> None:
    """Before the next item. What is in progress ends."""
    with changing(plan, PlanState.RUNNING) as row:
        require(may_stop(caller.actor, row), "You are not permitted to pause this plan")
        _move(row, PlanState.PAUSED, f"Paused by {caller.actor.display}")
        events.append(events.PAUSE, row, caller, "paused")


def resume(plan: Plan, caller: Caller) -> None:
    """Go on. Raises PlanRejected while an operation of the plan is open."""
    with changing(plan, PlanState.PAUSED) as row:
        require(may_resume(caller.actor, row), "Only who confirmed this plan can resume it")
        unsettled = row.items.filter(state=ItemState.UNKNOWN, outcome="unknown").first()
        if unsettled:
            raise PlanRejected(
                f"The outcome of {unsettled.name} is still unknown. Resume when it is verified"
            )
        _move(row, PlanState.RUNNING, "")
        events.append(events.RESUME, row, caller, "resumed")


def cancel(plan: Plan, caller: Caller) -> None:
    """For good, before the next item."""
    states = (*UNCONFIRMED, *WAITING, PlanState.RUNNING, PlanState.PAUSED)
    with changing(plan, *states) as row:
        require(may_stop(caller.actor, row), "You are not permitted to cancel this plan")
        row.ended_at = timezone.now()
        row.save(update_fields=["ended_at"])
        _move(row, PlanState.CANCELLED, f"Cancelled by {caller.actor.display}")
        events.append(events.CANCEL, row, caller, "cancelled", counts=progress_of(row).counts)


def may_resume(actor: Actor, plan: Plan) -> bool:
    """Who confirmed it; and whoever has the shell."""
    confirmed = plan.confirmed_by and actor_from(plan.confirmed_by).key == actor.key
    return bool(confirmed) or actor.method == "shell"


def _move(row: Plan, state: PlanState, why: str) -> None:
    row.state, row.why = state, why
    row.save(update_fields=["state", "why"])


@contextmanager
def changing(plan: Plan, *states: PlanState) -> Iterator[Plan]:
    """The plan's row, which is in one of these states and stays so. Raises PlanRejected."""
    with log.appending():
        row = held(plan.pk)
        if row.state not in states:
            raise PlanRejected(f"The plan is {PlanState(row.state).label.lower()} already")
        yield row
    plan.refresh_from_db()


def require(holds: bool, message: str) -> None:
    if not holds:
        raise PlanRejected(message)
