"""What tables on pages are made of: the view in the address, columns, pages, and each row's act."""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from django.core.paginator import Page, Paginator
from django.http import HttpRequest, QueryDict
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .. import clusters
from ..audit.listing import Row as LogRow
from ..audit.log import Phase
from ..audit.queries import Event
from ..milvus.types import CollectionSummary, Kind, Load, Partition, Table, Unread
from ..names import readable
from ..plans.choosing import Filter
from . import links
from .display import name, object_name, words
from .shown import shown

if TYPE_CHECKING:
    from ..models import AuditEvent, Claim

IsProtected = Callable[[Table, int], bool]  # what is at that place in the table
PAGE = 50
SORTED_FROM = 0.1  # a page further back than this share of all costs less by sorting them
COLUMNS = (("name", _("Name")), ("state", _("State")), ("created", _("Created")))
SORTS = tuple(sign + key for key, _ in COLUMNS for sign in ("", "-"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A sortable column: how it is sorted now, and the address that a click on it asks for."""

    key: str
    label: str
    direction: str  # "ascending", "descending" or "", as aria-sort says it
    url: str

    @property
    def arrow(self) -> str:
        return {"ascending": "↑", "descending": "↓"}.get(self.direction, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pager:
    """Which part of a list is shown, and the addresses of its neighbours; empty at the ends."""

    text: str
    previous: str
    next: str
    previous_label: str = ""  # empty: "Previous" and "Next"
    next_label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowAct:
    """The last cell of a row: an operation in progress, a link to the dialog, or why neither."""

    claim: "Claim | None" = None
    url: str = ""
    label: str = ""  # of the link, for screen readers
    text: str = ""
    pick: str = ""  # what the box that selects the row is called
    badge: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionRow:
    """A collection in the list. `summary` is read later; None in a detailed list: it is gone."""

    name: str
    url: str
    load: Load | Unread
    created: Any
    summary: CollectionSummary | None
    act: RowAct
    protection: str = ""  # why it is protected
    id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionRow:
    partition: Partition
    rows: int | Unread | None
    act: RowAct


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLine:
    """One event of an operation, in a line."""

    sequence: int
    at: datetime
    outcome: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """A row of the audit log as the table shows it. `what` and `where` are HTML that is safe."""

    sequence: int
    at: datetime
    who: str
    who_note: str
    issuer: str
    what: str
    url: str
    where: str
    note: str
    outcome: str
    phase: str
    lines: list[EventLine]  # of an operation; empty where the row itself says all


def audit_row(row: LogRow) -> AuditRow:
    """A row with only one event tells what happened in that event's message."""
    event, first = row.first, row.first.row
    return AuditRow(
        sequence=first.sequence,
        at=first.recorded_at,
        who=gettext("not known") if event.is_external else event.actor,
        who_note=gettext("seen by %(who)s") % {"who": event.actor}
        if event.is_external
        else event.subject,
        issuer=readable(str(event.record["actor"]["issuer"])),
        what=_what(first),
        url=links.operation(str(first.operation_id)) if first.operation_id else "",
        where=format_html_join(" / ", "{}", ((part,) for part in _where(first))),
        note=shown(event.message) if len(row.events) == 1 else "",
        outcome=row.outcome,
        phase="in progress" if first.phase == Phase.INTENT else first.phase,
        lines=[_line(event, row.first) for event in row.events] if len(row.events) > 1 else [],
    )


def _line(event: Event, first: Event) -> EventLine:
    if event.row.phase == Phase.INTENT:
        text = gettext("Confirmed, and recorded before the request was sent.")
    else:
        text = shown(event.message)
    by = "" if event.row.actor == first.row.actor else f" ({event.actor})"
    return EventLine(
        sequence=event.row.sequence,
        at=event.row.recorded_at,
        outcome=event.row.outcome,
        text=f"{text}{by}",
    )


def _what(row: "AuditEvent") -> str:
    if not row.name:
        return words(row.action)
    return format_html(
        "{}{} {}", words(row.action), "" if row.operation_id else ":", name(object_name(row))
    )


WHOLE = {Kind.COLLECTION, Kind.BINNED, Kind.NEW}


def _where(row: "AuditEvent") -> Iterator[str]:
    """As far as it is known and is not named beside it already."""
    if row.phase == Phase.REHEARSAL:
        yield clusters.label(row.cluster)
        return
    if not row.cluster or not (row.operation_id or row.phase == Phase.OBSERVED or row.kind):
        return
    yield clusters.label(row.cluster)
    yield name(row.database)
    if row.phase != Phase.OBSERVED and row.kind not in WHOLE:
        yield name(row.collection)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListView:
    """What the address says about a list: search, order, page."""

    q: str
    sort: str
    page: int
    before: str = ""  # a day: only what was created before it
    loaded: str = ""  # "yes" or "no"
    protected: str = ""  # "yes" or "no"

    @classmethod
    def of(cls, request: HttpRequest) -> "ListView":
        return cls.read(request.GET)

    @classmethod
    def read(cls, data: QueryDict) -> "ListView":
        """What can't be understood filters nothing."""
        sort, page = data.get("sort", "name"), data.get("page", "1")
        before, loaded = data.get("before", ""), data.get("loaded", "")
        protected = data.get("protected", "")
        return cls(
            q=data.get("q", "")[:255],
            sort=sort if sort in SORTS else "name",
            page=int(page) if page.isdecimal() and len(page) < 9 else 1,
            before=before if _day(before) else "",
            loaded=loaded if loaded in {"yes", "no"} else "",
            protected=protected if protected in {"yes", "no"} else "",
        )

    @property
    def filters(self) -> dict[str, str]:
        """What of the view chooses rows, for addresses and forms."""
        return {
            "q": self.q,
            "before": self.before,
            "loaded": self.loaded,
            "protected": self.protected,
        }

    @property
    def has_more_filters(self) -> bool:
        """Whether something besides the name is asked for."""
        return bool(self.before or self.loaded or self.protected)

    @property
    def words(self) -> str:
        """The filters in words, in English: the log has them, too."""
        has_word = self.q and not self.is_pattern
        named = f"“{self.q}” in the name" if has_word else ""
        protected = {"yes": "protected", "no": "not protected"}.get(self.protected, "")
        return ", ".join(filter(None, (named, self._filter.words, protected)))

    @property
    def is_pattern(self) -> bool:
        """Whether the search is a pattern: no name of a real server has these characters."""
        return bool(set("*?") & set(self.q))

    @property
    def _filter(self) -> Filter:
        return Filter(
            pattern=self.q if self.is_pattern else "",
            created_before=_day(self.before),
            loaded={"yes": True, "no": False}.get(self.loaded),
        )

    def matching(
        self, table: Table, places: Sequence[int], is_protected: IsProtected | None = None
    ) -> Sequence[int]:
        """Those of the places in a table that the filters let pass.

        Without `is_protected` (partitions) that filter lets everything pass.
        """
        wanted = "" if self.is_pattern else self.q.casefold()
        if wanted:
            places = [at for at in places if wanted in table.names[at].casefold()]
        places = self._filter.places(table, places)
        if not self.protected or is_protected is None:
            return places
        is_wanted = self.protected == "yes"
        return [at for at in places if is_protected(table, at) is is_wanted]

    def columns(self, url: Callable[..., str]) -> list[Column]:
        """The sortable columns. `url` makes an address of a search, an order and a page."""
        return [
            Column(
                key=key,
                label=str(label),
                direction={key: "ascending", f"-{key}": "descending"}.get(self.sort, ""),
                url=url(**self.filters, sort=f"-{key}" if self.sort == key else key),
            )
            for key, label in COLUMNS
        ]

    def here(self, page: Page[int], url: Callable[..., str]) -> str:
        """The address of a page of this view, without what goes without saying."""
        sort = self.sort if self.sort != "name" else ""
        return url(**self.filters, sort=sort, page=page.number if page.number > 1 else 0)

    def pager(self, page: Page[int], url: Callable[..., str]) -> Pager:
        """The neighbours of a page, in the same view."""

        def at(number: int) -> str:
            return url(**self.filters, sort=self.sort, page=number)

        return Pager(
            text=range_of(page),
            previous=at(page.previous_page_number()) if page.has_previous() else "",
            next=at(page.next_page_number()) if page.has_next() else "",
        )

    def pages(
        self, table: Table, places: Sequence[int], is_protected: IsProtected | None = None
    ) -> "Pages":
        """Those of the places in a table that are searched for, in the order asked for."""
        found, names = self.matching(table, places, is_protected), table.names
        keys: dict[str, Callable[[int], Any]] = {
            "name": names.__getitem__,
            "created": lambda at: (table.age(at), names[at]),
            "state": lambda at: (_loadedness(table.load(at)), names[at]),
        }
        return Pages(found, keys[self.sort.lstrip("-")], descending=self.sort.startswith("-"))


def range_of(page: "Page[Any]") -> str:
    """Which part of a list a page is: `51–100 of 3,000`."""
    values = {"first": page.start_index(), "last": page.end_index(), "all": page.paginator.count}
    return gettext("%(first)s–%(last)s of %(all)s") % values


def _day(text: str) -> datetime | None:
    """The beginning of a day; None if it is none."""
    try:
        day = date.fromisoformat(text)
        return datetime.combine(day, time(), timezone.get_current_timezone())
    except (ValueError, OverflowError):
        return None


class Pages(Paginator):  # type: ignore[type-arg]  # Django's own can't be subscripted
    """Pages of places whose order is worked out for the page asked for, no further.

    To sort ten thousand names for the first fifty took longer than Milvus' answer.
    """

    def __init__(
        self, places: Sequence[int], key: Callable[[int], Any], *, descending: bool
    ) -> None:
        super().__init__(places, PAGE)
        self._places, self._key, self._descending = places, key, descending

    def page(self, number: int | str) -> Page[int]:
        number = self.validate_number(number)
        end = number * PAGE
        return Page(self._first(end)[end - PAGE :], number, self)

    def _first(self, count: int) -> list[int]:
        if count > self.count * SORTED_FROM:
            return sorted(self._places, key=self._key, reverse=self._descending)[:count]
        first = heapq.nlargest if self._descending else heapq.nsmallest
        return first(count, self._places, key=self._key)


def _loadedness(load: Load | Unread) -> int:
    """Loaded first, then loading, then not loaded, then unknown."""
    if isinstance(load, Unread):
        return 1000
    return 500 if load.percent is None else 100 - load.percent
