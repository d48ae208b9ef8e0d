"""A rename that Milvus carries out after all patience leaves a collection under the private name of
a closed operation, where nobody looks for it. It gets its own back.
"""

import logging
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from .. import audit, clusters
from ..actors import Actor, Origin
from ..audit import Entry, Outcome, Phase
from ..milvus.errors import MilvusError
from ..models import AuditEvent, Claim
from . import strict
from .base import target_dict
from .sending import last_outcome
from .settle import aside_of, intent_of

logger = logging.getLogger(__name__)

LATE = "Milvus renamed it after this was closed. Nothing was dropped."


@dataclass(frozen=True, slots=True, kw_only=True)
class Stray:
    """What an operation took aside, and what became of that, as it says."""

    operation_id: uuid.UUID
    aside: strict.Aside
    closed: AuditEvent


def give_back_strays(actor: Actor, origin: Origin) -> list[str]:
    """Look in every database of the clusters with strict_drop. Returns what was done, in words.

    What stays there because its own name is taken is told once, and left to people. What can't
    be looked at now is left for the next time. Raises LogUnwritable.
    """
    told = []
    for cluster in clusters.all_clusters():
        try:
            strays = _strays(cluster.key) if cluster.strict_drop else ()
            told += [_given_back(stray, actor, origin) for stray in strays]
        except MilvusError as exc:
            logger.warning("%s can't be searched for private names: %s", cluster.key, exc)
    return list(filter(None, told))


def _strays(cluster: str) -> Iterator[Stray]:
    gateway = clusters.get(cluster).gateway
    for database in gateway.databases():
        for name in gateway.identities(database):
            if stray := _stray((cluster, database, name)):
                yield stray


def _stray(found: tuple[str, str, str]) -> Stray | None:
    """What is found there, if an operation of ours left it, which is closed and does not tell."""
    *_, name = found
    operation_id = strict.operation_of(name)
    intent = intent_of(operation_id) if operation_id else None
    if not operation_id or not intent or Claim.objects.filter(operation_id=operation_id).exists():
        return None
    aside, closed = _aside(intent), last_outcome(operation_id)
    if aside is None or closed is None or strict.left_as(name) in closed.record:
        return None
    ours = (aside.target.cluster, aside.target.database, aside.private)
    return Stray(operation_id=operation_id, aside=aside, closed=closed) if ours == found else None


def _aside(intent: AuditEvent) -> strict.Aside | None:
    try:
        return aside_of(intent)
    except clusters.UnknownCluster:  # another server has its key now
        return None


def _given_back(stray: Stray, actor: Actor, origin: Origin) -> str:
    """Empty if it is gone from there, or nothing is certain yet."""
    held = stray.aside.bearer(stray.aside.private)
    back = strict.give_back(stray.aside, held) if held else None
    if held is None or back is None:
        return ""
    other = "" if held == stray.aside.identity else f" It is another collection, id {held.id}."
    message = f"{LATE}{other} {back}"
    return message if _recorded(stray, message, actor, origin) else ""


def _recorded(stray: Stray, message: str, actor: Actor, origin: Origin) -> bool:
    """Add it to the operation, whose outcome stands. False if somebody else has just done that."""
    closed = stray.closed
    with audit.appending():
        if last_outcome(stray.operation_id) != closed:
            return False
        audit.append(
            Entry(
                phase=Phase.AFTERWARDS,
                action=closed.action,
                actor=actor,
                origin=origin,
                outcome=Outcome(closed.outcome),
                operation_id=stray.operation_id,
                target=target_dict(stray.aside.target),
                message=message,
                details={"settled": True, "seen": message},
            )
        )
    return True
