"""Protect a collection, request that its protection ends, and cancel that request.

Milvus is asked to change nothing. What is set is written with the outcome, in one transaction.
"""

import hashlib
import json
from abc import abstractmethod
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from ... import clusters
from ...access.policy import Action
from ...audit.events import Intent
from ...audit.log import Phase
from ...milvus.types import Identity, Target
from ...models import AuditEvent, Protection
from .. import protections
from .base import Blocker, Operation, TargetState

if TYPE_CHECKING:
    from ...milvus.gateway import Gateway

EFFECTS = (
    (
        "Refused",
        "Dropping it, its partitions or its aliases, moving it to the recycle bin, purging it: in "
        "dialogs, plans and commands.",
    ),
    ("Covers", "This name and this id: also a collection that gets the name later."),
    ("Binds", "Milvus Admin only. A Milvus account can still drop it."),
)
NOT_PROTECTED = Blocker(text="Nobody has protected it.")
NO_REQUEST = Blocker(text="Nobody has requested that its protection ends.")
ALL_REQUESTED = "The end of its protection has been requested already."
TAKES_EFFECT = "{} after you confirm, so not before {}."


class ProtectionOperation(Operation):
    """An act on what people set for a collection. Raises DatabaseError besides."""

    is_irreversible = False
    changes_milvus = False

    def _read(self, gateway: "Gateway", target: Target) -> TargetState:
        detail = gateway.collection(target.database, target.name)
        state = TargetState(
            identity=detail.identity,
            server=gateway.server(target.database),
            detail=detail,
            rows=detail.rows,
        )
        found = protections.covering(target, detail.identity.id)
        return self._with(state, target, found)

    @abstractmethod
    def _with(self, state: TargetState, target: Target, found: list[Protection]) -> TargetState:
        """The state with what this act says of the protections in force."""


class Protect(ProtectionOperation):
    action = Action.PROTECT
    proof = "The lists and its page say so."
    asks_for_name = False

    def _with(self, state: TargetState, target: Target, found: list[Protection]) -> TargetState:
        return replace(state, effects=EFFECTS, notes=_statements(target, state, found))

    def on_success(self, operation_id: UUID) -> None:
        """Put it into force."""
        row = _intent_row(operation_id)
        Protection.objects.create(operation_id=operation_id, **_protection(row))


class Unprotect(ProtectionOperation):
    """The request that all protections of a collection end, after the delay of its cluster."""

    action = Action.UNPROTECT
    proof = "Its page says when; until then, whoever may protect it can keep it protected."

    def _with(self, state: TargetState, target: Target, found: list[Protection]) -> TargetState:
        """The identity compared is also that of the protections: no other one is removed."""
        wanted = [one for one in found if not one.removal_at]
        delay = timedelta(seconds=clusters.get(target.cluster).cluster.unprotect_delay)
        until = protections.moment(timezone.now() + delay)
        return replace(
            state,
            identity=_identity_with(state.identity, found),
            notes=_statements(target, state, found),
            effects=(("Takes effect", TAKES_EFFECT.format(_span(delay), until)),),
            blockers=() if wanted else (Blocker(text=ALL_REQUESTED) if found else NOT_PROTECTED,),
        )

    def on_success(self, operation_id: UUID) -> None:
        """Say when they end."""
        row = _intent_row(operation_id)
        intent, details = Intent.of(row), json.loads(row.record)["details"]
        delay = timedelta(seconds=clusters.get(intent.target.cluster).cluster.unprotect_delay)
        _covered(intent).filter(removal_at=None).update(
            removed_by=json.loads(row.record)["actor"]["display"],
            removal_reason=details["reason"],
            removal_at=timezone.now() + delay,
        )


class KeepProtected(ProtectionOperation):
    """Cancel the requests that protections of a collection end."""

    action = Action.KEEP_PROTECTED
    proof = "The removal of its protection is cancelled."
    asks_for_name = False

    def _with(self, state: TargetState, target: Target, found: list[Protection]) -> TargetState:
        pending = any(one.removal_at for one in found)
        return replace(
            state,
            notes=_statements(target, state, found),
            blockers=() if pending else (NO_REQUEST,),
        )

    def on_success(self, operation_id: UUID) -> None:
        """What was in force when the request was recorded stays in force."""
        intent = Intent.of(_intent_row(operation_id))
        _covered(intent).update(removed_by="", removal_reason="", removal_at=None)


def _statements(target: Target, state: TargetState, found: list[Protection]) -> tuple[str, ...]:
    of_collection = state.detail.identity.id
    return tuple(protections.statement(one, target.name, of_collection) for one in found)


def _identity_with(identity: Identity, found: list[Protection]) -> Identity:
    """The collection's, bound to the protections that it has and to what was requested of them."""
    seen = [identity.fingerprint, *(f"{one.pk} {one.removal_at}" for one in found)]
    return replace(identity, fingerprint=hashlib.sha256("\n".join(seen).encode()).hexdigest())


def _covered(intent: Intent) -> QuerySet[Protection]:
    """What was in force on the intent's collection when it was recorded."""
    found = protections.covering(intent.target, intent.identity.id, now=intent.recorded_at)
    return Protection.objects.filter(pk__in=[one.pk for one in found])


def _intent_row(operation_id: UUID) -> AuditEvent:
    return AuditEvent.objects.get(operation_id=operation_id, phase=Phase.INTENT)


def _protection(row: AuditEvent) -> dict[str, object]:
    """What the log tells of a protection."""
    intent, record = Intent.of(row), json.loads(row.record)
    until = record["details"]["until"]
    return {
        "cluster": intent.target.cluster,
        "database": intent.target.database,
        "name": intent.target.name,
        "collection_id": intent.identity.id,
        "actor_display": record["actor"]["display"],
        "reason": record["details"]["reason"],
        "since": row.recorded_at,
        "until": datetime.fromisoformat(until) if until else None,
        "removed_by": "",
        "removal_reason": "",
        "removal_at": None,
    }


def _span(delay: timedelta) -> str:
    """In its largest unit that divides it."""
    seconds = round(delay.total_seconds())
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size and seconds % size == 0:
            count = seconds // size
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"
