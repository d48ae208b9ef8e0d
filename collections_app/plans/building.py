"""Making a plan: the list of names, and then each item read afresh, a few at a time."""

import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from .. import clusters
from ..access.policy import Action
from ..access.principals import Caller
from ..audit import log
from ..models import ItemState, Plan, PlanItem, PlanState
from . import events
from .reading import read_all
from .rows import PlanRejected, author_of, held, writing

CHUNK = 64  # items that are read between two writes


def create(
    action: Action,
    cluster: str,
    database: str,
    names: Iterable[tuple[str, str]],
    caller: Caller,
    *,
    reason: str = "",
    selection: str = "",
) -> Plan:
    """A plan of these (collection, name) pairs, not read yet. Raises PlanRejected or LogUnwritable.

    The names only say what to read: what is confirmed is what `read_items` finds.
    """
    wanted = list(dict.fromkeys(names))
    _check_size(len(wanted), cluster, database, caller)
    now = timezone.now()
    with log.appending():
        plan = Plan.objects.create(
            action=action,
            cluster=cluster,
            endpoint=clusters.get(cluster).cluster.endpoint,
            database=database,
            selection=selection,
            reason=reason,
            author=asdict(caller.actor),
            at_once=clusters.get(cluster).cluster.plan_at_once,
            created_at=now,
            expires_at=now + timedelta(seconds=settings.PLAN_SECONDS),
            worked_at=now,
        )
        PlanItem.objects.bulk_create(_items(plan, wanted), batch_size=500)
        made = f"created with {len(wanted)} items ({selection or 'chosen by name'})"
        events.append(events.CREATE, plan, caller, made, items=len(wanted), reason=reason)
    return plan


def _check_size(count: int, cluster: str, database: str, caller: Caller) -> None:
    limit = clusters.get(cluster).cluster.plan_items_at_most
    if not count:
        raise PlanRejected("Nothing is selected. Select at least one item")
    if count > limit:
        message = (
            f"{count} items are selected, and plan_items_at_most permits {limit} on this cluster"
        )
        events.refuse(events.CREATE, cluster, database, caller, message)
        raise PlanRejected(f"{message}. Select fewer")


def _items(plan: Plan, wanted: Sequence[tuple[str, str]]) -> Iterable[PlanItem]:
    for position, (collection, name) in enumerate(wanted, 1):
        yield PlanItem(
            plan=plan,
            position=position,
            collection=collection,
            name=name,
            operation_id=uuid.uuid4(),
        )


def read_items(plan: Plan, *, seconds: float = float("inf")) -> bool:
    """Read the items that are not read yet, for so many seconds. Returns whether all are read.

    Stops when Milvus does not answer: the plan says so, and the next call goes on.
    """
    until, author = time.monotonic() + seconds, author_of(plan)
    while time.monotonic() < until:
        unread = list(plan.items.filter(state=ItemState.UNREAD).order_by("position")[:CHUNK])
        if not unread:
            return _ready(plan)
        answers = read_all(plan, unread, author)
        problem = next((a for a in answers if isinstance(a, str)), "")
        _keep(plan, [a for a in answers if isinstance(a, PlanItem)], problem)
        if problem:
            return False
    return False


def _keep(plan: Plan, read: list[PlanItem], problem: str) -> None:
    """Only what is still unread: it may have been taken out meanwhile."""
    with writing():
        unread = PlanItem.objects.select_for_update().filter(plan=plan, state=ItemState.UNREAD)
        left = set(unread.values_list("pk", flat=True))
        fields = ["state", "identity", "shown", "message"]
        PlanItem.objects.bulk_update([i for i in read if i.pk in left], fields, batch_size=CHUNK)
        Plan.objects.filter(pk=plan.pk).update(why=problem, worked_at=timezone.now())


def _ready(plan: Plan) -> bool:
    with writing():
        if held(plan.pk).state == PlanState.READING:
            Plan.objects.filter(pk=plan.pk).update(state=PlanState.DRAFT, why="")
    plan.refresh_from_db()
    return True
