"""Two people: what needs the approval of a second person, and whose approval counts.

The rule is `approvals` of a cluster. That nobody approves what they asked for is no setting.
"""

from django.conf import settings

from .policy import Action, Decision, Place, decide, names, sign_in_needed
from .principals import Actor

# What such a rule is about. Steps on the way to a drop, and back, are not.
COVERED: set[str] = {
    Action.DROP_COLLECTION,
    Action.DROP_PARTITION,
    Action.MOVE_TO_BIN,
    Action.PURGE,
    "collection.unprotect",  # what keeps others from dropping it
}


def is_needed(action: Action, place: Place) -> bool:
    """Whether a second person has to approve this there."""
    cluster = settings.CLUSTERS.get(place.cluster)
    if cluster is None or not cluster.approvals or action not in COVERED:
        return False
    patterns = cluster.approvals_for
    return not patterns or any(names(pattern, place) for pattern in patterns)


def rule_of(cluster: str) -> str:
    """The rule of a cluster in words, which an approval is bound to; empty if it has none."""
    configured = settings.CLUSTERS.get(cluster)
    if configured is None or not configured.approvals:
        return ""
    return (
        f"{configured.approvals} for {', '.join(sorted(configured.approvals_for)) or 'everything'}"
    )


def may_approve(approver: Actor, requester: Actor, place: Place) -> Decision:
    """Whether this person's approval of what the other one asked for counts there."""
    if objection := _objection(approver, requester):
        return Decision(allowed=False, why=objection)
    return decide(approver, Action.APPROVE, place)


def _objection(approver: Actor, requester: Actor) -> str:
    """Why they can't be taken for two people; empty if they can.

    Two issuers, such as a local account and a company account, may both be one person. The shell's
    user has the keys of everything: whoever asks there still needs somebody who signed in.
    """
    if approver.method in {"shell", "bin", "watch"}:
        return "An approval needs a person who signed in"
    if approver.issuer != requester.issuer and requester.method != "shell":
        return "The requester signed in another way, so they may be the same person"
    # A proxy may send one person's id in two spellings.
    if (approver.issuer, approver.subject.casefold()) == (
        requester.issuer,
        requester.subject.casefold(),
    ):
        return "Nobody can approve what they asked for themselves"
    return ""


def missing_consent(
    actor: Actor, action: Action, place: Place, *, is_planned: bool, approver: Actor | None
) -> str:
    """What this act still needs besides the permission, in words; empty if nothing.

    A plan asked for the recent sign-in when it was confirmed. What the recycle bin purges by
    itself was approved when it went in.
    """
    if not is_planned and sign_in_needed(actor, place.cluster):
        return "This cluster requires a recent sign-in, and yours is too old"
    if actor.method == "bin" or not is_needed(action, place):
        return ""
    if approver is None:
        return "It needs the approval of a second person"
    decision = may_approve(approver, actor, place)
    return "" if decision.allowed else f"The approval does not count any more. {decision.why}"
