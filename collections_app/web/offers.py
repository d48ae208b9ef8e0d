"""What the page of a restore offers: what the collection had, and does not have by itself again."""

from dataclasses import dataclass, replace

from ..access.policy import Action, Permissions, place_of
from ..audit.events import Intent
from ..audit.log import Outcome
from ..audit.queries import Story
from ..milvus.types import Kind, Target
from ..operations.kinds.acts import ACTS
from ..operations.kinds.base import other
from ..operations.kinds.restored import restored
from . import links


@dataclass(frozen=True, slots=True)
class Offer:
    """A link to the dialog of an act."""

    text: str
    url: str


def offers_after_restore(story: Story, permissions: Permissions) -> list[Offer]:
    """The acts that put back aliases and load state; none unless a restore has succeeded."""
    done = story.intent and story.outcome is Outcome.SUCCEEDED
    if not done or story.first.row.action != Action.RESTORE:
        return []
    intent = Intent.of(story.first.row)
    target = replace(
        intent.target, kind=Kind.COLLECTION, collection=intent.new_name, name=intent.new_name
    )
    before = restored(target, intent.identity)
    acts = [(Action.SET_ALIAS, other(target, Kind.ALIAS, alias)) for alias in before.aliases]
    acts += [(Action.LOAD_COLLECTION, target)] if before.was_loaded else []
    return [_offer(*act) for act in acts if permissions.may(act[0], place_of(act[1]))]


def _offer(action: Action, target: Target) -> Offer:
    return Offer(f"{ACTS[action].title(target)}…", links.act(action, target))
