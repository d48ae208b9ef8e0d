"""The rows of plans: short transactions, and what is made of a row."""

import hashlib
import uuid
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction

from ..access.policy import Action
from ..access.principals import Actor, Caller, Origin
from ..audit import log
from ..audit.queries import signed_in_since
from ..audit.sqlite_queue import writer_slot
from ..milvus.types import Identity, Target
from ..models import ItemState, Plan, PlanItem, PlanState
from ..operations.confirmation import Confirmation, PlannedItem
from ..operations.kinds.acts import ACTS

# Pages take these from here, and see no other table.
__all__ = ["ItemState", "Plan", "PlanItem", "PlanState"]

UNCONFIRMED = (PlanState.READING, PlanState.DRAFT)
WAITING = (PlanState.AWAITING, PlanState.READY)  # for a second person, or for who asked
OVER = (PlanState.DONE, PlanState.CANCELLED, PlanState.EXPIRED, PlanState.REJECTED)


class PlanRejected(Exception):
    """The plan was not made, or the request changed nothing. The message says why."""


@contextmanager
def writing() -> Iterator[None]:
    """A durable transaction. Never call Milvus inside: on SQLite every other writer waits."""
    with ExitStack() as stack:
        with writer_slot():
            stack.enter_context(transaction.atomic(durable=True))
        yield


def held(number: int) -> Plan:
    """The plan, which nobody else can change until this transaction ends."""
    return Plan.objects.select_for_update().get(pk=number)


def actor_from(data: dict[str, Any]) -> Actor:
    """The way back from `asdict` through JSON."""
    return Actor(**{**data, "groups": tuple(data["groups"])})


def author_of(plan: Plan) -> Actor:
    return actor_from(plan.author)


def requester_of(plan: Plan) -> Actor:
    """Who asked for its approval."""
    return actor_from(plan.requested_by or plan.author)


def approver_of(plan: Plan) -> Actor:
    """Who approved it, as they were then. Only of a plan that was approved."""
    return actor_from(plan.approved_by or {})


def caller_of(plan: Plan) -> Caller:
    """Who confirmed the plan, with the groups that they have now, at the background process."""
    actor = actor_now(actor_from(plan.confirmed_by or plan.author), plan.confirmed_at)
    return Caller(actor, Origin(interface="plan", request_id=uuid.uuid4().hex))


def actor_now(actor: Actor, since: datetime | None, *, may_have_left: bool = False) -> Actor:
    """The same person with the groups that they have now.

    They have none if their session was ended by the provider, unless they `may_have_left`.
    """
    groups = _groups_now(actor, since, has_to_be_here=not may_have_left)
    return replace(actor, groups=groups)


def _groups_now(actor: Actor, since: datetime | None, *, has_to_be_here: bool) -> tuple[str, ...]:
    """As the accounts have them, or else the newest sign-in that the log knows."""
    if actor.method == "local" and actor.issuer == "local":
        user = get_user_model().objects.filter(username=actor.subject, is_active=True).first()
        return tuple(sorted(user.groups.values_list("name", flat=True))) if user else ()
    newest = signed_in_since(actor, since, ended=has_to_be_here) if since else None
    return newest.groups if newest else actor.groups


def target_of(plan: Plan, item: PlanItem) -> Target:
    return Target(
        cluster=plan.cluster,
        database=plan.database,
        kind=ACTS[Action(plan.action)].kind,
        collection=item.collection,
        name=item.name,
    )


def confirmation_of(plan: Plan, item: PlanItem) -> Confirmation:
    """The consent to one item: with the id that it has had since the plan was made.

    A collection from the recycle bin gets its own name again.
    """
    action = Action(plan.action)
    return Confirmation(
        operation_id=item.operation_id,
        action=action,
        new_name=item.collection if action is Action.RESTORE else "",
        target=target_of(plan, item),
        identity=Identity(**(item.identity or {})),
        endpoint=plan.endpoint,
        actor_key=actor_from(plan.confirmed_by or plan.author).key,
    )


def planned(plan: Plan, item: PlanItem) -> PlannedItem:
    approver = actor_now(approver_of(plan), plan.approved_at) if plan.approved_by else None
    return PlannedItem(
        plan=plan.pk,
        item=item.position,
        confirmed_at=plan.confirmed_at.isoformat() if plan.confirmed_at else "",
        approver=approver,
        approved_at=plan.approved_at.isoformat() if plan.approved_at else "",
    )


def digest_of(plan: Plan, items: Iterable[PlanItem]) -> str:
    """The hash of all that is confirmed: which things of which identity, and what was shown."""
    head = {"plan": plan.pk, "action": plan.action, "endpoint": plan.endpoint}
    running = hashlib.sha256(log.canonical({**head, "database": plan.database}).encode())
    for item in items:
        shown = {
            "collection": item.collection,
            "name": item.name,
            "identity": item.identity,
            "shown": item.shown,
        }
        running.update(log.canonical(shown).encode())
    return running.hexdigest()


def to_do(plan: Plan) -> Iterable[PlanItem]:
    """The items that the plan would carry out, in order."""
    return plan.items.filter(state=ItemState.TODO).order_by("position").iterator(500)
