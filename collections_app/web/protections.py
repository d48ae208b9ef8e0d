"""Protection on pages: what covers a collection, and what this person may do about it."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.utils.translation import gettext

from ..access.policy import Action, Permissions, Place, place_of, protected_by
from ..milvus.types import Table, Target
from ..operations import protections
from . import links
from .snippets import Snippet
from .wall import wall

if TYPE_CHECKING:
    from ..models import Protection


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionLine:
    """One protection as the page of a collection shows it."""

    protection: "Protection"
    origin: str  # what else it was set on, in a sentence
    ends_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """What the page of a collection says of protection. An address is empty for who may not."""

    pattern: str  # of the configuration
    lines: list[ProtectionLine]
    protect_url: str
    unprotect_url: str
    keep_url: str
    wall: tuple[Snippet, ...]  # the same at Milvus

    @property
    def is_protected(self) -> bool:
        return bool(self.pattern or self.lines)

    @property
    def protect_text(self) -> str:
        """On the button."""
        return gettext("Protect it longer…") if self.lines else gettext("Protect collection…")

    @property
    def pending(self) -> list[ProtectionLine]:
        """Those whose removal was requested."""
        return [line for line in self.lines if line.protection.removal_at]


def panel(target: Target, collection_id: int, permissions: Permissions, endpoint: str) -> Panel:
    """For a collection that is there. Raises DatabaseError."""
    found = protections.covering(target, collection_id)
    pending = [one for one in found if one.removal_at]

    def url(action: Action, *, offered: bool) -> str:
        may = offered and permissions.may(action, place_of(target))
        return links.act(action, target) if may else ""

    return Panel(
        pattern=protected_by(place_of(target)),
        lines=[
            ProtectionLine(
                protection=one,
                origin=protections.origin(one, target.name, collection_id),
                ends_at=one.ends_at,
            )
            for one in found
        ],
        protect_url=url(Action.PROTECT, offered=True),
        unprotect_url=url(Action.UNPROTECT, offered=len(pending) < len(found)),
        keep_url=url(Action.KEEP_PROTECTED, offered=bool(pending)),
        wall=wall(endpoint, target.database, target.name),
    )


class Standing:
    """Why collections of a database are protected: by a pattern, or by people. Read once."""

    def __init__(self, database: Place) -> None:
        self._database = database
        in_force = protections.in_force(database.cluster, database.database or "default")
        self._people = protections.ProtectionTable(in_force)

    def reason(self, name: str, collection_id: int) -> str:
        """In words; empty if it is not protected."""
        cluster, database = self._database.cluster, self._database.database
        place = Place(cluster=cluster, database=database, collection=name)
        if pattern := protected_by(place):
            return f"by {pattern}"
        one = self._people.covering(name, collection_id)
        return protections.statement(one, name, collection_id) if one else ""

    def is_protected(self, table: Table, at: int) -> bool:
        """The same for a filter: of what is at that place in a list of collections."""
        return bool(self.reason(table.names[at], table.age(at)[1]))
