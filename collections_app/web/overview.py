"""What the home page says about each cluster, and about the tasks in the background."""

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..access.policy import Action, Permissions, matches, place_of, visible
from ..audit.activity import Day
from ..clusters import Milvus
from ..health import heartbeat
from ..milvus.errors import MilvusError, NotFound
from ..milvus.types import Unread
from ..operations.claims import open_in
from ..recycle_bin.items import counts_by_database, items_in
from . import links
from .display import day
from .errors import of_milvus
from .places import databases_seen
from .request import SignedInRequest
from .shown import word

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as StrOrPromise

    from ..audit.events import Intent
    from ..models import Claim, TaskRun

SLOW = 1.0  # seconds to the first answer from which on a cluster is called slow
HEIGHT, STEP = 48, 10  # of the chart, and of a day in it
LATE = timedelta(minutes=5)  # the same for reconciliation, as the doctor has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """A sum over databases. `known` is a lower bound while some could not be read."""

    known: int = 0
    unread: Unread | None = None

    @property
    def words(self) -> str:
        if self.unread is None:
            return f"{self.known:,}"
        if not self.known:
            return word(self.unread.value)
        return gettext("at least %(count)s") % {"count": f"{self.known:,}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """What a cluster answered, now. `state` is up, slow, paused or silent."""

    state: str
    word: str
    note: str = ""
    version: str = Unread.UNKNOWN.value
    databases: str = Unread.UNKNOWN.value
    collections: str = Unread.UNKNOWN.value
    loaded: str = Unread.UNKNOWN.value
    is_standby: bool = False


def contact(request: SignedInRequest, milvus: Milvus) -> Contact:
    """Ask a cluster, within its deadlines. A cluster that is paused is not asked."""
    left = milvus.breaker.cooldown_left
    if left > 0:
        text = gettext("It did not answer, and is asked again in %(seconds)s s.")
        note = text % {"seconds": math.ceil(left)}
        return Contact(state="paused", word=gettext("Paused"), note=note)
    began = time.monotonic()
    try:
        request.slots.acquire(milvus)
        version = milvus.gateway.server().version
        took = time.monotonic() - began
        return _answered(request, milvus, version, took)
    except MilvusError as exc:
        problem = of_milvus(exc)
        label = gettext("No answer") if problem.status == 503 else str(problem.title)
        return Contact(state="silent", word=label, note=problem.detail)


def _answered(request: SignedInRequest, milvus: Milvus, version: str, took: float) -> Contact:
    databases = databases_seen(request, milvus)
    is_complete, names = databases.is_complete, databases.names
    # Read here: the threads that ask Milvus have no business with the database.
    hidden = set(items_in(milvus.cluster.key).values_list("database", "private_name"))
    tallies = milvus.gateway.each(partial(_collections, request, milvus, hidden), names)
    missing = None if is_complete else Unread.NOT_PERMITTED
    is_slow = took > SLOW
    return Contact(
        state="slow" if is_slow else "up",
        word=gettext("Slow") if is_slow else gettext("Up"),
        note=gettext("Answered in %(time)s.")
        % {"time": f"{took:.1f} s" if is_slow else f"{took * 1000:.0f} ms"},
        version=version,
        databases=f"{len(names):,}" if is_complete else word(Unread.NOT_PERMITTED.value),
        collections=_sum([t if isinstance(t, Unread) else t[0] for t in tallies], missing).words,
        loaded=_sum([t if isinstance(t, Unread) else t[1] for t in tallies], missing).words,
        is_standby=milvus.gateway.is_standby("default"),
    )


def _collections(
    request: SignedInRequest, milvus: Milvus, hidden: set[tuple[str, str]], database: str
) -> tuple[int | Unread, int | Unread]:
    """How many this person may see in a database, and how many of them are loaded."""
    try:
        listing = milvus.gateway.collections(database)
        if not listing.names and not milvus.gateway.lists_everything(database):
            return Unread.UNKNOWN, Unread.UNKNOWN
    except NotFound:
        return 0, 0
    patterns = visible(request.actor, milvus.cluster.key, database)
    names = [
        name for name in listing.names if matches(patterns, name) and (database, name) not in hidden
    ]
    held = listing.held
    return len(names), held if isinstance(held, Unread) else sum(name in held for name in names)


def _sum(counts: Iterable[int | Unread], missing: Unread | None) -> Tally:
    total = 0
    for count in counts:
        if isinstance(count, Unread):
            missing = missing or count
        else:
            total += count
    return Tally(known=total, unread=missing)


# --- from the database of Milvus Admin ------------------------------------------------------------


def open_operations(cluster: str, permissions: Permissions) -> list[tuple["Claim", "Intent"]]:
    """The open operations on what this person may see, oldest first."""
    may = permissions.may
    found = open_in(cluster)
    return [each for each in found if may(Action.VIEW, place_of(each[1].target))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """The recycle bin of a database: how many collections of it this person may see."""

    database: str
    count: int
    url: str


def recycle_bins(cluster: str, permissions: Permissions) -> list[Bin]:
    """The bins with something in them that this person may see."""
    counts = counts_by_database(cluster)
    seen = {name: _in_bin(cluster, name, count, permissions) for name, count in counts.items()}
    return [
        Bin(database=name, count=count, url=links.recycle_bin(cluster, name))
        for name, count in sorted(seen.items())
        if count
    ]


def _in_bin(cluster: str, database: str, count: int, permissions: Permissions) -> int:
    patterns = visible(permissions.actor, cluster, database)
    if "*" in patterns or not patterns:
        return count if patterns else 0
    names = items_in(cluster, database).values_list("name", flat=True)
    return sum(matches(patterns, name) for name in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A day of the chart, in pixels from its top and its left."""

    day: Day
    here: str
    outside: str
    x: int
    here_y: int
    here_height: int
    outside_y: int
    outside_height: int

    @property
    def words(self) -> str:
        text = gettext("%(day)s: %(here)s by Milvus Admin, %(outside)s external")
        return text % {"day": day(self.day.day), "here": self.here, "outside": self.outside}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Drops per day."""

    bars: list[Bar]
    here: str
    outside: str


def chart(days: list[Day], *, is_watched: bool) -> Chart:
    """Bars of drops made here with those made elsewhere on top; unknown without a watch."""
    top = max(1, *((day.here or 0) + (day.outside or 0) for day in days))
    bars = [_bar(day, place, HEIGHT / top, is_watched) for place, day in enumerate(days)]
    return Chart(
        bars=bars,
        here=_total([day.here for day in days]),
        outside=_total([day.outside for day in days]) if is_watched else word(Unread.UNKNOWN.value),
    )


def _total(counts: list[int | None]) -> str:
    is_known = None not in counts
    total = Tally(known=sum(filter(None, counts)), unread=None if is_known else Unread.UNKNOWN)
    return total.words


def _word(count: int | None) -> str:
    return word(Unread.UNKNOWN.value) if count is None else str(count)


def _bar(day: Day, place: int, scale: float, is_watched: bool) -> Bar:
    here, outside = (round((count or 0) * scale) for count in (day.here, day.outside))
    here, outside = max(here, 2 * bool(day.here)), max(outside, 2 * bool(day.outside))
    return Bar(
        day=day,
        here=_word(day.here),
        outside=_word(day.outside if is_watched or day.outside else None),
        x=place * STEP,
        here_y=HEIGHT - here,
        here_height=here,
        outside_y=max(HEIGHT - here - outside, 0),
        outside_height=outside,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task in the background: when it ran last, and how that went."""

    label: str
    command: str
    at: datetime | None
    state: str  # ok, late, failed, never
    word: str


TASKS = (
    (heartbeat.RECONCILE, _("Reconciliation"), "work"),
    (heartbeat.WATCH, _("Watch"), "work"),
    (heartbeat.VERIFY, _("Audit log verification"), "verify_audit_log"),
    (heartbeat.PLANS, _("Plans"), "work"),
    (heartbeat.PURGE, _("Purge of the recycle bin"), "work"),
    (heartbeat.NOTIFY, _("Notifications"), "work"),
)
OPTIONAL = {heartbeat.PLANS, heartbeat.PURGE, heartbeat.NOTIFY}


def tasks() -> list[Task]:
    """The tasks that should run, and the others that did."""
    runs = {run.name: run for run in heartbeat.all_tasks()}
    return [
        _task(key, label, f"manage.py {command}", runs.get(key))
        for key, label, command in TASKS
        if key in runs or key not in OPTIONAL
    ]


def _task(key: str, label: "StrOrPromise", command: str, run: "TaskRun | None") -> Task:
    if run is None:
        never = gettext("Never ran")
        return Task(label=str(label), command=command, at=None, state="never", word=never)
    state, text = "ok", gettext("Intact") if key == heartbeat.VERIFY else gettext("Ran")
    if not run.ok:
        state, text = "failed", gettext("Failed")
    elif key == heartbeat.RECONCILE and timezone.now() - run.at > LATE:
        state, text = "late", gettext("Late")
    return Task(label=str(label), command=command, at=run.at, state=state, word=text)
