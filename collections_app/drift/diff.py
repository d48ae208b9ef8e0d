"""What the watch knew, what is listed now, and where the two differ. Asks nobody."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from ..milvus.types import Identity

Key = int | tuple[str, str]  # the id; on a server without ids database and name
Lists = Mapping[str, Mapping[str, Identity]]  # by database: who bears which name


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionEntry:
    """A collection under its name: listed now, or known from before (then `row` is its row)."""

    database: str
    name: str
    identity: Identity
    row: int = 0
    last_listed: datetime | None = None  # set if it was missing already

    @property
    def key(self) -> Key:
        return key_of(self.identity.id, self.database, self.name)

    @property
    def place(self) -> tuple[str, str]:
        return self.database, self.name


def key_of(id_: int, database: str, name: str) -> Key:
    """What tells a collection from all others of its cluster."""
    return id_ or (database, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Only `after`: new. Only `before`: missing. Both: renamed, or a replacement.

    `is_new`: `after` has no row in the inventory yet.
    """

    before: CollectionEntry | None = None
    after: CollectionEntry | None = None
    is_new: bool = False

    @property
    def is_renamed(self) -> bool:
        return bool(self.before and self.after and self.before.key == self.after.key)


def differences(inventory: Iterable[CollectionEntry], lists: Lists) -> list[Difference]:
    """The inventory of a database that was not listed stays, unless it is seen in another one."""
    former = {collection.key: collection for collection in inventory}
    current = {collection.key: collection for collection in entries_in(lists)}
    by_place = {collection.place: collection for collection in current.values()}
    result, reported = [], set(former)
    for key, before in former.items():
        if key in current and before.place != current[key].place:
            result.append(Difference(before=before, after=current[key]))
        elif key not in current and before.database in lists:
            namesake = by_place.get(before.place)
            is_new = namesake is not None and namesake.key not in reported
            result.append(Difference(before=before, after=namesake, is_new=is_new))
            reported |= {namesake.key} if namesake else set()
    new = [collection for key, collection in current.items() if key not in reported]
    return result + [Difference(after=collection, is_new=True) for collection in new]


def entries_in(lists: Lists) -> Iterable[CollectionEntry]:
    """Everything on the lists."""
    for database, names in lists.items():
        for name, identity in names.items():
            yield CollectionEntry(database=database, name=name, identity=identity)
