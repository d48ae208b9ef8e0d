"""Whether a request for approval, or the approval itself, still holds."""

from collections.abc import Iterator

from .. import clusters
from ..access import approval
from ..access.policy import Action, Place, decide
from ..access.principals import Actor
from ..models import ItemState, Plan
from .rows import actor_now, approver_of, requester_of


def lapse_reason(plan: Plan, requester: Actor | None = None, *, is_strict: bool = True) -> str:
    """Why it does not hold any more, as a sentence without its period; empty if it holds.

    It is bound to the server, to the rule, and to the permissions that both people have now.
    `requester` is who is here now. With `is_strict`, an approver whose session the identity
    provider ended has no permissions.
    """
    try:
        endpoint = clusters.get(plan.cluster).cluster.endpoint
    except clusters.UnknownCluster:
        return "The configuration has no such cluster any more"
    if endpoint != plan.endpoint:
        return "The cluster has another address now"
    if approval.rule_of(plan.cluster) != plan.rule:
        return "The rule of approvals was changed"
    who = requester or actor_now(requester_of(plan), plan.requested_at, may_have_left=True)
    approver = _approver_now(plan, is_strict=is_strict)
    return next((why for place in places(plan) if (why := _lost(plan, place, who, approver))), "")


def _approver_now(plan: Plan, *, is_strict: bool) -> Actor | None:
    if not plan.approved_by:
        return None
    return actor_now(approver_of(plan), plan.approved_at, may_have_left=not is_strict)


def _lost(plan: Plan, place: Place, requester: Actor, approver: Actor | None) -> str:
    """What either person may not do there any more."""
    decision = decide(requester, Action(plan.action), place)
    if not decision.allowed:
        return f"{requester.display} is no longer permitted to do this. {decision.why}"
    if approver is None:
        return ""
    decision = approval.may_approve(approver, requester, place)
    if decision.allowed:
        return ""
    return f"{approver.display} is no longer permitted to approve this. {decision.why}"


def places(plan: Plan) -> Iterator[Place]:
    """Where its items to do are, each once."""
    items = plan.items.filter(state=ItemState.TODO).order_by("collection")
    for collection in items.values_list("collection", flat=True).distinct().iterator(500):
        yield Place(cluster=plan.cluster, database=plan.database, collection=collection)


def is_needed(plan: Plan) -> bool:
    """Whether a second person has to approve one of its items."""
    action = Action(plan.action)
    return any(approval.is_needed(action, place) for place in places(plan))
