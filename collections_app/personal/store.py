"""What one person chose for their pages, the places they pinned, and those they opened last.

A row for each person, which is Django's user behind issuer and subject: deleted with the user.
Nothing here decides what somebody may see: who shows a place checks the permission again.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self

from django.db import DatabaseError, InterfaceError, transaction
from django.utils import timezone

from ..access.policy import Place
from ..audit.sqlite_queue import waiting_at_most
from ..models import PersonalSettings

COMFORTABLE, COMPACT = "comfortable", "compact"
DENSITIES = (COMFORTABLE, COMPACT)
RECENT = 10  # places that are kept; the oldest one goes
NEAR = 3  # of the recent places: a visit of one of these is no news
PINNED = 30
KEPT = timedelta(days=180)  # since somebody used it
PATIENCE = 0.2  # seconds that a page waits to note a visit, which it can do without


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A place, and when this person last saw or pinned it. Gone: it was not there the last time."""

    place: Place
    at: datetime
    is_gone: bool = False

    @classmethod
    def read(cls, stored: Any) -> Self:
        """Raises KeyError, TypeError or ValueError for what no version of this wrote."""
        cluster, database, collection = stored["place"]
        at = datetime.fromisoformat(stored["at"])
        are_names = all(name is None or isinstance(name, str) for name in (database, collection))
        if not are_names or at.tzinfo is None:
            raise ValueError("no place, or no time with a zone")
        place = Place(cluster=str(cluster), database=database, collection=collection)
        return cls(place=place, at=at, is_gone=bool(stored.get("gone")))

    @property
    def stored(self) -> dict[str, Any]:
        place = [self.place.cluster, self.place.database, self.place.collection]
        return {"place": place, "at": self.at.isoformat(), "gone": self.is_gone}


@dataclass(frozen=True, slots=True, kw_only=True)
class Personal:
    """The settings of one person. What is stored and can't be understood counts as not set."""

    density: str = COMFORTABLE
    hidden: Mapping[str, frozenset[str]]  # columns by table
    pinned: tuple[Visit, ...] = ()
    recent: tuple[Visit, ...] = ()  # the last one first
    used_at: datetime | None = None

    @classmethod
    def of(cls, row: PersonalSettings) -> Self:
        hidden = row.hidden if isinstance(row.hidden, dict) else {}
        return cls(
            density=row.density if row.density in DENSITIES else COMFORTABLE,
            hidden={
                table: frozenset(name for name in names if isinstance(name, str))
                for table, names in hidden.items()
                if isinstance(names, list)
            },
            pinned=tuple(_visits(row.pinned)),
            recent=tuple(_visits(row.recent)),
            used_at=row.used_at,
        )

    def is_pinned(self, place: Place) -> bool:
        return any(visit.place == place for visit in self.pinned)


NOTHING = Personal(hidden={})


def _visits(stored: Any) -> Iterator[Visit]:
    for item in stored if isinstance(stored, list) else ():
        try:
            yield Visit.read(item)
        except (KeyError, TypeError, ValueError):
            continue


def settings_of(user: int) -> Personal:
    """The settings of a person; the defaults if there are none, or they can't be read now."""
    try:
        row = PersonalSettings.objects.filter(user_id=user).first()
    except (DatabaseError, InterfaceError):
        return NOTHING
    return Personal.of(row) if row else NOTHING


def choose_view(user: int, *, table: str, hidden: frozenset[str], density: str) -> None:
    """Keep the columns of one table, and the density of all. Raises DatabaseError."""

    def change(now: Personal) -> Personal:
        return replace(now, hidden={**now.hidden, table: hidden}, density=density)

    _change(user, change)


def pin(user: int, place: Place) -> None:
    """Pin a place, as the last one. The oldest pin goes if there are too many."""

    def change(now: Personal) -> Personal:
        others = [visit for visit in now.pinned if visit.place != place]
        return replace(now, pinned=(*others, Visit(place=place, at=timezone.now()))[-PINNED:])

    _change(user, change)


def unpin(user: int, place: Place) -> None:
    def change(now: Personal) -> Personal:
        return replace(now, pinned=tuple(v for v in now.pinned if v.place != place))

    _change(user, change)


def forget_places(user: int) -> None:
    """Forget which places the person opened. Pins and columns stay."""
    _change(user, lambda now: replace(now, recent=()))


def note_visit(user: int, known: Personal, place: Place) -> None:
    """The person opened a place. Writes only if that is news; a page goes on without it.

    To and fro between a list and what is in it writes nothing, and leaves the order as it was.
    """
    is_near = any(visit.place == place for visit in known.recent[:NEAR])
    was_gone = any(visit.is_gone for visit in known.pinned if visit.place == place)
    is_fresh = known.used_at is not None and timezone.now() - known.used_at < timedelta(days=1)
    if is_near and is_fresh and not was_gone:
        return

    def change(now: Personal) -> Personal:
        visit = Visit(place=place, at=timezone.now())
        others = [other for other in now.recent if other.place != place]
        pinned = tuple(visit if other.place == place else other for other in now.pinned)
        return replace(now, recent=(visit, *others)[:RECENT], pinned=pinned)

    _try_changing(user, change)


def note_gone(user: int, known: Personal, place: Place) -> None:
    """The person asked for a place that does not exist: no recent place; a pin that says so."""
    if not any(visit.place == place for visit in (*known.recent, *known.pinned)):
        return

    def change(now: Personal) -> Personal:
        pinned = tuple(replace(v, is_gone=True) if v.place == place else v for v in now.pinned)
        return replace(now, pinned=pinned, recent=tuple(v for v in now.recent if v.place != place))

    _try_changing(user, change)


def forget_unused() -> int:
    """Delete the settings that nobody used for half a year. Returns how many. DatabaseError."""
    unused = PersonalSettings.objects.filter(used_at__lt=timezone.now() - KEPT)
    return unused.delete()[0]


def _try_changing(user: int, change: Callable[[Personal], Personal]) -> None:
    """As `_change`, for what a page can do without: soon, or not at all."""
    try:
        with waiting_at_most(PATIENCE):
            _change(user, change)
    except (DatabaseError, InterfaceError):
        return


def _change(user: int, change: Callable[[Personal], Personal]) -> None:
    """Change what is stored now, not what a page read before: two tabs lose nothing."""
    with transaction.atomic():
        row, _ = PersonalSettings.objects.select_for_update().get_or_create(
            user_id=user, defaults={"used_at": timezone.now()}
        )
        made = change(Personal.of(row))
        row.density = made.density
        row.hidden = {table: sorted(names) for table, names in made.hidden.items()}
        row.pinned = [visit.stored for visit in made.pinned]
        row.recent = [visit.stored for visit in made.recent]
        row.used_at = timezone.now()
        row.save()
