"""What the watch knew, what is listed now, and where the two differ. Asks nobody."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from ..milvus.types import Identity

Key = int | tuple[str, str]  # the id; on a server without ids database and name
Lists = Mapping[str, Mapping[str, Identity]]  # by database: who bears which name


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
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
    """Only `now`: new. Only `was`: missing. Both: renamed, or `now` is a namesake of `was`.

    `new` says that `now` has no row in the inventory yet.
    """

    was: Bearer | None = None
    now: Bearer | None = None
    new: bool = False

    @property
    def renamed(self) -> bool:
        return bool(self.was and self.now and self.was.key == self.now.key)


def differences(known: Iterable[Bearer], lists: Lists) -> list[Difference]:
    """What is known of a database that was not listed stays, unless it is seen in another one."""
    before = {bearer.key: bearer for bearer in known}
    now = {bearer.key: bearer for bearer in listed(lists)}
    names = {bearer.place: bearer for bearer in now.values()}
    found, told = [], set(before)
    for key, was in before.items():
        if key in now and was.place != now[key].place:
            found.append(Difference(was=was, now=now[key]))
        elif key not in now and was.database in lists:
            namesake = names.get(was.place)
            new = namesake is not None and namesake.key not in told
            found.append(Difference(was=was, now=namesake, new=new))
            told |= {namesake.key} if namesake else set()
    found += [Difference(now=bearer, new=True) for key, bearer in now.items() if key not in told]
    return found


def listed(lists: Lists) -> Iterable[Bearer]:
    """Everything on the lists."""
    for database, names in lists.items():
        for name, identity in names.items():
            yield Bearer(database=database, name=name, identity=identity)
