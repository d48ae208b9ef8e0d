"""The signed token of a dialog: what was shown, to whom, and for how long it counts."""

import uuid
from dataclasses import asdict, dataclass, replace
from typing import Any

from django.conf import settings
from django.core import signing

from .. import clusters
from ..access import approval
from ..access.policy import Action, place_of
from ..access.principals import Actor
from ..milvus.types import Identity, Kind, Target
from .kinds.base import TargetState

SALT = "milvus-admin.confirmation"


class Expired(Exception):
    """The dialog was open for too long."""


class Forged(Exception):
    """The token was changed, belongs to somebody else, or is for another thing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedItem:
    """Which item of which plan an operation carries out, and who consented when (ISO 8601)."""

    plan: int
    item: int
    confirmed_at: str
    approver: Actor | None = None  # with the groups that they have now
    approved_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """One consent to one act on one thing. Its `operation_id` can be used once."""

    operation_id: uuid.UUID
    action: Action
    target: Target
    identity: Identity
    endpoint: str  # of the server that was shown: a copy of it has the same ids
    actor_key: str
    new_name: str = ""  # the name that a restore gives it, typed beside the token
    until: str = ""  # when a protection ends (ISO 8601), chosen beside the token


def missing_consent(confirmation: Confirmation, actor: Actor, planned: PlannedItem | None) -> str:
    """What it needs besides the permission to do it, in words; empty if nothing is missing."""
    return approval.missing_consent(
        actor,
        confirmation.action,
        place_of(confirmation.target),
        is_planned=planned is not None,
        approver=planned.approver if planned else None,
    )


def confirm(action: Action, target: Target, state: TargetState, actor: Actor) -> Confirmation:
    """Bind the state that was read to the person it was shown to."""
    return Confirmation(
        operation_id=uuid.uuid4(),
        action=action,
        target=target,
        identity=state.identity,
        endpoint=clusters.get(target.cluster).cluster.endpoint,
        actor_key=actor.key,
    )


def under_name(confirmation: Confirmation, name: str) -> Confirmation:
    """The same for the name that was typed beside the token, of what gives a name."""
    if confirmation.target.kind is Kind.NEW:
        return replace(confirmation, target=replace(confirmation.target, collection=name))
    return replace(confirmation, new_name=name)


def sign(confirmation: Confirmation) -> str:
    """The token for the form's hidden field."""
    data = asdict(confirmation)
    data["operation_id"] = str(confirmation.operation_id)
    data["target"] = confirmation.target.as_dict()
    return signing.dumps(data, salt=SALT, compress=True)


def read(token: str, *, action: Action, target: Target, actor: Actor) -> Confirmation:
    """The confirmation in a token. Raises Expired or Forged."""
    try:
        data = signing.loads(token, salt=SALT, max_age=settings.CONFIRMATION_SECONDS)
    except signing.SignatureExpired as exc:
        raise Expired from exc
    except signing.BadSignature as exc:
        raise Forged("its signature does not match") from exc
    found = _from(data)
    if found.actor_key != actor.key:
        raise Forged("it was issued to another user")
    if (found.action, found.target) != (action, target):
        raise Forged("it was issued for another operation")
    return found


def genuine(token: str) -> bool:
    """Whether a token was made here, whoever has it now and however old it is."""
    try:
        signing.loads(token, salt=SALT)
    except signing.BadSignature:
        return False
    return True


def _from(data: dict[str, Any]) -> Confirmation:
    return Confirmation(
        operation_id=uuid.UUID(data["operation_id"]),
        action=Action(data["action"]),
        target=Target.of(data["target"]),
        identity=Identity(**data["identity"]),
        endpoint=data.get("endpoint", ""),
        actor_key=data["actor_key"],
    )
