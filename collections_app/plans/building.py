"""Making a plan: the list of names, and then each item read afresh, a few at a time."""

import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from .. import clusters
from ..access.policy import Action, decide, may, place_of
from ..access.principals import Actor, Caller
from ..audit import log
from ..milvus.errors import MilvusError, NotFound, Unreachable
from ..milvus.types import Target, Unread
from ..models import Claim, ItemState, Plan, PlanItem, PlanState
from ..operations.claims import claims_in
from ..operations.kinds import OPERATIONS
from ..operations.kinds.base import Blocker, TargetState
from . import events
from .rows import PlanRejected, author_of, held, target_of, writing

READERS = 8  # items that are read side by side
CHUNK = 64  # items that are read between two writes
GONE = "It does not exist, or you are not permitted to see it"

Claims = Callable[[Target], Claim | None]


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
    claims = claims_in(plan.cluster)
    with ThreadPoolExecutor(READERS) as pool:
        while time.monotonic() < until:
            unread = list(plan.items.filter(state=ItemState.UNREAD).order_by("position")[:CHUNK])
            if not unread:
                return _ready(plan)
            answers = list(pool.map(lambda item: _read_aside(plan, item, author, claims), unread))
            problem = next((a for a in answers if isinstance(a, str)), "")
            _keep(plan, [a for a in answers if isinstance(a, PlanItem)], problem)
            if problem:
                return False
    return False


def _read_aside(plan: Plan, item: PlanItem, author: Actor, claims: Claims) -> PlanItem | str:
    """`_read` in a thread, which leaves no database connection open."""
    try:
        return _read(plan, item, author, claims)
    finally:
        connection.close()


def _read(plan: Plan, item: PlanItem, author: Actor, claims: Claims) -> PlanItem | str:
    """The item as it is now, or why Milvus did not answer."""
    action, target = Action(plan.action), target_of(plan, item)
    decision = decide(author, action, place_of(target))
    if not decision.allowed:
        seen = may(author, Action.VIEW, place_of(target))
        return _blocked(item, f"You are not permitted to do this. {decision.why}" if seen else GONE)
    try:
        look = OPERATIONS[action].read_state(clusters.get(plan.cluster).gateway, target)
    except NotFound:
        return _blocked(item, GONE)
    except Unreachable as exc:
        return str(exc)
    except MilvusError as exc:
        return _blocked(item, f"Milvus rejected the read: {exc}")
    item.identity, item.shown = asdict(look.identity), _shown(look)
    if claim := claims(target):
        return _blocked(item, f"{claim.actor_display} has an operation in progress on it")
    if look.blockers:
        item.shown["remedies"] = _remedies(look.blockers)
        return _blocked(item, " ".join(blocker.text for blocker in look.blockers))
    item.state = ItemState.TODO
    return item


def _blocked(item: PlanItem, why: str) -> PlanItem:
    item.state, item.message = ItemState.BLOCKED, why
    return item


def _shown(look: TargetState) -> dict[str, Any]:
    """What the page shows of it, and what is confirmed with it."""
    aliases = look.detail.aliases
    return {
        "rows": look.rows.value if isinstance(look.rows, Unread) else look.rows,
        "load": look.load.value if isinstance(look.load, Unread) else look.load.word,
        "aliases": aliases.value if isinstance(aliases, Unread) else list(aliases),
        "notes": list(look.notes),
        "verifiable": look.identity.verifiable,
    }


def _remedies(blockers: Sequence[Blocker]) -> list[dict[str, Any]]:
    return [
        {
            "action": blocker.remedy,
            "target": blocker.remedy_target.as_dict(),
            "label": blocker.remedy_label,
        }
        for blocker in blockers
        if blocker.remedy and blocker.remedy_target
    ]


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
