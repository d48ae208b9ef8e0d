"""Protections that people set on collections: which are in force, and what they say.

A protection covers a name and an id: a namesake that is created later, and the same collection
under another name. It ends by the clock, whoever records that and when. The patterns of the
configuration are judged before, in access/policy.py.
"""

import json
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from .. import statements
from ..access.principals import Caller
from ..audit import log
from ..audit.log import Entry, Outcome, Phase
from ..clusters import same_server
from ..milvus.types import Kind, Target
from ..models import Protection
from ..names import readable

# The protections of a target's collection, which has that id.
Covering = Callable[[Target, int], Iterable[Protection]]
ENDED = "protection.ended"
RECORDED_AFTER = timedelta(seconds=30)  # a removal that is cancelled in its last moment counts


def in_force(cluster: str, database: str) -> QuerySet[Protection]:
    """The protections of a database now, the oldest first."""
    found = Protection.objects.filter(cluster__in=same_server(cluster), database=database)
    return found.exclude(_over(timezone.now())).order_by("since")


def covering(target: Target, collection_id: int, now: datetime | None = None) -> list[Protection]:
    """Those of the target's collection: by its name, or by its id if the server has ids."""
    keys, now = same_server(target.cluster), now or timezone.now()
    values = target.collection, collection_id or None, target.database, keys
    found = [key for (key,) in statements.rows(statements.PROTECTIONS, *values)]
    if not found:
        return []
    known = Protection.objects.filter(pk__in=found).exclude(_over(now))
    return list(known.order_by("since"))


def covering_in(cluster: str, database: str) -> Covering:
    """`covering` for many targets of a database, with one query."""
    found = list(in_force(cluster, database))

    def covers(target: Target, collection_id: int) -> list[Protection]:
        ids = {collection_id} - {0}
        return [one for one in found if one.name == target.collection or one.collection_id in ids]

    return covers


class ProtectionTable:
    """The protections of a database, read once, for the rows of a list."""

    def __init__(self, protections: Iterable[Protection]) -> None:
        self._by_name: dict[str, Protection] = {}
        self._by_id: dict[int, Protection] = {}
        for one in protections:
            self._by_name.setdefault(one.name, one)
            if one.collection_id:
                self._by_id.setdefault(one.collection_id, one)

    def covering(self, name: str, collection_id: int) -> Protection | None:
        """The oldest one of that name, or else of that id."""
        return self._by_name.get(name) or self._by_id.get(collection_id)


def statement(one: Protection, name: str, collection_id: int) -> str:
    """Who protected it, since when, until when and why, for a collection that it covers."""
    until = f", until {moment(one.until)}" if one.until else ""
    parts = [
        f"{readable(one.actor_display)} protected it on {moment(one.since)}{until}.",
        f"Reason: “{readable(one.reason)}”.",
        origin(one, name, collection_id),
        removal(one),
    ]
    return " ".join(filter(None, parts))


def origin(one: Protection, name: str, collection_id: int) -> str:
    """What else the protection was set on, in a sentence; empty if it was this very collection."""
    if one.name != name:
        return f"Its name was {readable(one.name)} then: the protection stays with the id."
    if collection_id and one.collection_id and collection_id != one.collection_id:
        return (
            f"It was set on another collection of this name, id {one.collection_id}: the "
            "protection covers the name, too."
        )
    return ""


def removal(one: Protection) -> str:
    """Who requested its removal, and when that takes effect, in a sentence; or nothing."""
    if one.removal_at is None:
        return ""
    by = readable(one.removed_by)
    return f"{by} requested its removal, which takes effect on {moment(one.removal_at)}."


def moment(at: datetime) -> str:
    """A time in a sentence."""
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M %Z}"


# --- their end ------------------------------------------------------------------------------------


def record_ended(caller: Caller) -> list[str]:
    """Record which protections are over, and forget them. Returns what was recorded.

    Raises LogUnwritable or DatabaseError.
    """
    over = Protection.objects.filter(_over(timezone.now() - RECORDED_AFTER))
    return list(filter(None, (_record_ended(one.operation_id, caller) for one in over)))


def _record_ended(operation_id: UUID, caller: Caller) -> str:
    """What was recorded; empty if another process recorded it, or its removal was cancelled."""
    with log.appending():
        one = Protection.objects.filter(pk=operation_id).first()
        if one is None or not one.ends_at or one.ends_at > timezone.now():
            return ""
        event = log.append(_ended(one, caller))
        one.delete()
    return str(json.loads(event.record)["message"])


def _ended(one: Protection, caller: Caller) -> Entry:
    by_removal = one.ends_at == one.removal_at
    why = f"as {one.removed_by} had requested" if by_removal else "as set from the start"
    return Entry(
        phase=Phase.SETTING,
        action=ENDED,
        caller=caller,
        outcome=Outcome.SUCCEEDED,
        target=target_of(one).as_dict(),
        message=f"The protection of {one.name} by {one.actor_display} ended, {why}",
        details={
            "protection": str(one.operation_id),
            "ended_at": one.ends_at and one.ends_at.isoformat(),
            "collection_id": one.collection_id,
            "reason": one.reason,
            "removal_reason": one.removal_reason,
        },
    )


def target_of(one: Protection) -> Target:
    """The collection by the name that it had when it was protected."""
    return Target(
        cluster=one.cluster,
        database=one.database,
        kind=Kind.COLLECTION,
        collection=one.name,
        name=one.name,
    )


def _over(now: datetime) -> Q:
    return Q(until__lte=now) | Q(removal_at__lte=now)
