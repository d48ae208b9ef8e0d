"""The purge of what has been in the recycle bin for as long as it was to stay.

Each purge is an ordinary operation: `operations.protocol.perform` with an intent, one request, a
read-back verification and an outcome. A process that is killed leaves an open operation, which
`reconcile_operations` closes; if nothing was sent, the item is still here, and due again.
"""

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta

from django.utils import timezone

from .. import clusters
from ..access import policy
from ..access.policy import Action
from ..access.principals import Caller
from ..audit.events import intent_of
from ..audit.log import Outcome
from ..milvus.errors import BUSY, PAUSED, MilvusError, Unreachable
from ..models import BinItem
from ..operations import confirmation, protocol
from ..operations.claims import claim_on
from ..operations.deadlines import age_of
from ..operations.kinds import OPERATIONS
from ..operations.kinds.base import TargetState
from ..operations.kinds.binned import identity_of, target_of
from .pause import pause_of

logger = logging.getLogger(__name__)
LOADED = (
    "It is loaded, although it is in the recycle bin, so somebody may be using it. Restore it, "
    "release it in Milvus, or purge it now"
)
RETRY_AFTER = timedelta(hours=1)  # what stands in the way is not read every minute
RETRY_SOON = timedelta(minutes=1)  # no answer says nothing about the item


def purge_due(stopping: Callable[[], bool] = lambda: False) -> Iterator[tuple[BinItem, str]]:
    """Purge what is due, one at a time. Yields each item with what became of it, in words.

    Raises LogUnwritable or DatabaseError. Whatever else goes wrong with one item is said on the
    page of the bin, and the others get their turn.
    """
    for item in due():
        if stopping():
            return
        if result := _purge(item):
            yield item, result


def due() -> list[BinItem]:
    """Items whose time has come, the oldest first, without those of a cluster that is paused."""
    now = timezone.now()
    rows = BinItem.objects.filter(purge_at__lte=now).exclude(retry_at__gt=now)
    items = [item for item in rows.order_by("purge_at") if _is_configured(item.cluster)]
    paused = {key for key in {item.cluster for item in items} if pause_of(key)}
    return [item for item in items if item.cluster not in paused]


def _is_configured(cluster: str) -> bool:
    return any(one.key == cluster for one in clusters.all_clusters())


def _purge(item: BinItem) -> str:
    """What became of it; empty if somebody else is acting on it right now."""
    target, caller = target_of(item), Caller.recycle_bin()
    if claim_on(target) or pause_of(item.cluster) or not _has_been_there(item):
        return ""
    try:
        state = OPERATIONS[Action.PURGE].read_state(clusters.get(item.cluster).gateway, target)
    except Unreachable as exc:
        return _unanswered(item, exc)
    except MilvusError as exc:
        return _postponed(item, f"It could not be read: {exc}")
    if problem := _problem(item, state, caller):
        return _postponed(item, problem)
    consent = confirmation.confirm(Action.PURGE, target, state, caller.actor)
    try:
        outcome = protocol.perform(consent, caller, reason="The retention period ended")
    except (protocol.OperationRejected, protocol.AlreadyUsed, MilvusError) as exc:
        return _postponed(item, str(exc))
    if outcome is Outcome.SUCCEEDED:
        return "Purged. Verified: it no longer exists."
    return _postponed(item, f"The last attempt ended as {outcome}")


def _has_been_there(item: BinItem) -> bool:
    """For all of its retention, by a clock that nobody sets, if this machine ran all the time.

    A clock that was set forward, or was slow when it went in, must not purge it before its day.
    """
    moved = intent_of(item.operation_id)
    return moved is None or age_of(moved) >= item.purge_at - item.moved_at


def _problem(item: BinItem, state: TargetState, caller: Caller) -> str:
    """Why it is not purged now; empty if nothing stands in the way."""
    if state.identity != identity_of(item):
        return f"Another collection has its place, id {state.identity.id}"
    place = policy.place_of(target_of(item))
    decision = policy.decide(caller.actor, Action.PURGE, place)
    if not decision.allowed:
        return decision.why
    if getattr(state.load, "held", False):
        return LOADED
    return " ".join(blocker.text for blocker in state.blockers)


def _unanswered(item: BinItem, exc: Unreachable) -> str:
    """Empty if Milvus was not even asked: the item is due still, in the next round."""
    if exc.code in (PAUSED, BUSY):
        return ""
    return _postponed(item, f"It could not be read: {exc}", RETRY_SOON)


def _postponed(item: BinItem, problem: str, after: timedelta = RETRY_AFTER) -> str:
    """Say it on the page of the bin, and try again later."""
    logger.warning("the purge of %s is postponed: %s", item, problem)
    retry_at = timezone.now() + after
    BinItem.objects.filter(pk=item.pk).update(problem=problem, retry_at=retry_at)
    return f"Not purged. {problem}."
