"""What the page of an operation offers to do next."""

from dataclasses import dataclass, replace
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..access.policy import Action, Permissions, place_of
from ..audit.events import Intent
from ..audit.log import Outcome
from ..audit.queries import Story
from ..milvus.types import Identity, Kind, Target
from ..operations.kinds.acts import ACTS
from ..operations.kinds.base import other
from ..operations.kinds.create_collection import SOURCES
from ..operations.kinds.restored import restored
from . import links
from .shown import listed, shown

NOT_ALL = _("Not everything is back.")
RESTORED = _("The collection had more before it went into the recycle bin:")
CREATED = _("The dropped collection had more than its snapshot can bring back:")
IN_PART = _("The collection was created in part.")


@dataclass(frozen=True, slots=True)
class Offer:
    """A link to the dialog of an act."""

    text: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """Some of them, and why."""

    title: str
    text: str
    offers: list[Offer]


def offers_of(story: Story, permissions: Permissions) -> Offers | None:
    """What is left to do after a restore or a creation; None if there is nothing."""
    action = story.first.row.action
    if not story.intent or action not in {Action.RESTORE, Action.CREATE}:
        return None
    intent = Intent.of(story.first.row)
    if story.outcome is Outcome.INCOMPLETE:
        return _to_complete(intent, story, permissions)
    if story.outcome is not Outcome.SUCCEEDED:
        return None
    name, identity = intent.new_name or intent.target.collection, intent.identity
    if action == Action.CREATE:
        identity = Identity(**(made_by(story) or {}).get("identity", {}))
    target = _collection(intent.target, name)
    before = restored(target, identity)
    acts = [(Action.SET_ALIAS, other(target, Kind.ALIAS, alias)) for alias in before.aliases]
    acts += [(Action.LOAD_COLLECTION, target)] if before.was_loaded else []
    offers = _permitted(acts, permissions)
    text = RESTORED if action == Action.RESTORE else CREATED
    return Offers(title=str(NOT_ALL), text=str(text), offers=offers) if offers else None


def offer_to_create(story: Story, permissions: Permissions) -> Offer | None:
    """The dialog that creates what a drop has dropped again; None for all other operations."""
    row = story.first.row
    if not story.intent or row.action not in SOURCES or story.outcome is not Outcome.SUCCEEDED:
        return None
    dropped = Intent.of(row).target
    target = replace(dropped, kind=Kind.NEW, name=str(story.operation_id))
    return next(iter(_permitted([(Action.CREATE, target)], permissions)), None)


def made_by(story: Story) -> dict[str, Any] | None:
    """What a creation made, as its last read-back found it; None if it made nothing."""
    made = (event.details.get("made") for event in reversed(story.events))
    return next(filter(None, made), None)


def _to_complete(intent: Intent, story: Story, permissions: Permissions) -> Offers:
    missing = (made_by(story) or {}).get("missing") or []
    acts = [(Action.CREATE, intent.target)]
    drop = _collection(intent.target, intent.target.collection)
    acts += [(Action.DROP_COLLECTION, drop)]
    offers = _permitted(acts, permissions)
    names = {"names": listed(missing)}
    text = gettext("Missing: %(names)s.") % names if missing else ""
    return Offers(title=str(IN_PART), text=text, offers=offers)


def _collection(target: Target, name: str) -> Target:
    return replace(target, kind=Kind.COLLECTION, collection=name, name=name)


def _permitted(acts: list[tuple[Action, Target]], permissions: Permissions) -> list[Offer]:
    return [_offer(*act) for act in acts if permissions.may(act[0], place_of(act[1]))]


def _offer(action: Action, target: Target) -> Offer:
    return Offer(f"{shown(ACTS[action].title(target))}…", links.act(action, target))
