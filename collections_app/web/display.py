"""Showing names, numbers and times so that nothing about them is hidden."""

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django import template
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.timesince import timesince

from ..access.policy import Action
from ..audit.queries import Event
from ..milvus.types import INSIDE, Cluster, Kind, Load, Target, Unread
from ..names import pieces, readable, typable
from ..operations.kinds.acts import ACTS
from ..recycle_bin.pause import pause_of
from . import links

if TYPE_CHECKING:
    from ..models import AuditEvent, PurgePause

register = template.Library()

# From where on, in which unit: 999,999 is "1.0 M" and not "1000 k".
UNITS = ((999_500_000, 1e9, "B"), (999_500, 1e6, "M"), (10_000, 1e3, "k"))


# The actions of the log in words.
WORDS = {f"{act.action}": f"{act.label}{act.tail}" for act in ACTS.values()} | {
    "view": "See",
    "bin.pause": "Pause purging",
    "bin.resume": "Resume purging",
    "protection.ended": "Protection ended",
    "audit.read": "Read the audit log",
    "audit.seal": "Segment sealed",
    "audit.remove": "Segment removed",
    "audit.protect": "Protection put back",
    "audit.note": "Note",
    "audit.withheld": "More of the same",
    "session.sign_in": "Signed in",
    "session.sign_out": "Signed out",
    "session.ended": "Session ended",
    "session.refused": "Sign-in refused",
    "session.groups": "Groups changed",
    "session.step_up": "Signed in again",
    "collection.appeared": "Appeared",
    "collection.gone": "Gone",
    "collection.replaced": "Replaced",
    "collection.renamed": "Renamed",
    "database.gone": "Database gone",
    "watch.began": "Watch began",
    "plan.create": "Plan created",
    "plan.take_out": "Items taken out of a plan",
    "plan.confirm": "Plan confirmed",
    "plan.pause": "Plan paused",
    "plan.resume": "Plan resumed",
    "plan.cancel": "Plan cancelled",
    "plan.done": "Plan done",
    "plan.expire": "Plan expired",
    "plan.request": "Approval requested",
    "plan.approve": "Plan approved",
    "plan.reject": "Approval rejected",
    "plan.lapse": "Approval lapsed",
    "plan.run": "Approved plan started",
    "approve": "Approve",
    "approvals.rule": "Rule of approvals changed",
    "rehearsal.began": "Rehearsal began",
    "rehearsal.ended": "Rehearsal ended",
    "rehearsal.cleaned": "Rehearsal cleaned up",
}
GROUPS = {
    "audit": "Audit log",
    "session": "Sign-in",
    "plan": "Plans",
    "approvals": "Plans",
    "bin": "Recycle bin",
    "protection": "Protection",
    "rehearsal": "Rehearsal",
}


def action_choices() -> list[tuple[str, list[tuple[str, str]]]]:
    """The actions for a select, in groups: operations first."""
    groups: dict[str, list[tuple[str, str]]] = {"Operations": []}
    for action, label in WORDS.items():
        kind = GROUPS.get(action.partition(".")[0], "Drift detection")
        groups.setdefault("Operations" if action in ACTS else kind, []).append((action, label))
    return list(groups.items())


HTMX = {
    "includeIndicatorStyles": False,
    "allowEval": False,
    "allowScriptTags": False,
    "historyCacheSize": 0,
    "historyRestoreAsHxRequest": False,
    "refreshOnHistoryMiss": True,
    "timeout": 30000,
    "responseHandling": [
        {"code": "204", "swap": False},
        {"code": "[23]..", "swap": True},
        {"code": "403|404|409|422|503", "swap": True, "error": False},
        {"code": "[45]..", "swap": False, "error": True},
    ],
}
METHODS = {
    "oidc": "company sign-in",
    "proxy": "sign-in proxy",
    "local": "local account",
}


@register.filter
def sign_in_words(method: str) -> str:
    """How somebody signed in."""
    return METHODS.get(method, method)


@register.filter
def span(seconds: float | None) -> str:
    """A length of time in its largest unit."""
    if seconds is None:
        return ""
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size or size == 1:
            count = int(seconds // size)
            return f"{count} {unit}" + ("" if count == 1 else "s")
    return ""


def duration(passed: timedelta) -> str:
    """How long something took; empty if a clock was set back meanwhile."""
    if passed < timedelta(0):
        return ""
    seconds = passed.total_seconds()
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{round(seconds)} s"
    return span(seconds)


@register.filter
def name(value: str) -> SafeString:
    """A name in monospace, with spaces at its ends and unprintable characters made visible."""
    parts = format_html_join("", '<span class="{}">{}</span>', pieces(value))
    return format_html('<span class="name">{}</span>', parts)


@register.filter
def theirs(value: str) -> SafeString:
    """Text that a person chose, in an element of its own: no part of what Milvus Admin says."""
    return format_html('<q class="user-text">{}</q>', readable(value))


@register.filter
def words(action: str) -> str:
    """An action of the log in words: `collection.drop` is "Drop collection"."""
    if action in WORDS:
        return WORDS[action]
    noun, _, verb = action.partition(".")
    return f"{verb.capitalize()} {noun}"


@register.filter
def deed(event: Event) -> SafeString | str:
    """What was done to a collection, or to something in it."""
    row = event.row
    if row.kind not in INSIDE:
        return words(row.action)
    return format_html("{} {}", words(row.action), name(row.name))


@register.filter
def object_name(row: "AuditEvent") -> str:
    """The name of what an event is about, as people know it."""
    return row.collection if row.kind in {Kind.BINNED, Kind.NEW} else row.name


@register.filter
def is_odd(value: str) -> bool:
    """Whether a name has something in it that can't be typed as it is."""
    return typable(value) != value


register.filter("typable", typable)
register.filter("readable", readable)


@register.filter
def measure(value: int | Unread | None, exact: bool = False) -> str:
    """A count for a table: short, marked as approximate unless it is exact; unknown is a word."""
    if value is None:
        return Unread.UNKNOWN.value
    if isinstance(value, Unread):
        return value.value
    for start, size, unit in UNITS:
        if value >= start:
            number = value / size
            return f"≈ {number:.1f} {unit}" if number < 100 else f"≈ {number:.0f} {unit}"
    return f"{value:,}" if exact else f"≈ {value:,}"


@register.filter
def in_full(value: int | Unread | None, exact: bool = False) -> str:
    """A count for a decision: every digit."""
    if value is None or isinstance(value, Unread):
        return (value or Unread.UNKNOWN).value
    return f"{value:,}" if exact else f"about {value:,}"


@register.filter
def measured(value: int | Unread | None, exact: bool = False) -> SafeString | str:
    """`measure` for a cell: a word instead of a count is quieter than a count."""
    return _cell(value, measure(value, exact))


@register.filter
def known(value: int | Unread) -> SafeString | str:
    """A small count for a cell, in full."""
    return _cell(value, unread(value) or str(value))


def _cell(value: Any, text: str) -> SafeString | str:
    if isinstance(value, Unread):
        return format_html('<span class="quiet">{}</span>', text)
    return text


@register.filter
def unread(value: Any) -> str:
    """Why a value is missing, or an empty string if it is there."""
    return value.value if isinstance(value, Unread) else ""


@register.filter
def state(load: Load | Unread) -> SafeString | str:
    """The load state of a collection or a partition, with a dot in front that shows it, too."""
    if isinstance(load, Unread):
        return format_html('<span class="quiet">{}</span>', load.value)
    return format_html('<span class="state {}">{}</span>', _progress(load), load.word)


def _progress(load: Load) -> str:
    if not load.held:
        return "not-loaded"
    return "loaded" if load.percent is not None and load.percent >= 100 else "loading"


@register.filter
def ago(moment: datetime | None) -> str:
    """How long ago, in its largest unit."""
    if moment is None:
        return ""
    if abs((timezone.now() - moment).total_seconds()) < 60:
        return "just now"
    return f"{timesince(moment, depth=1)} ago"


@register.simple_tag
def when(moment: datetime | None) -> SafeString | str:
    """How long ago; the full time with its zone on hover and for machines."""
    if moment is None:
        return ""
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', moment.isoformat(), at(moment), ago(moment)
    )


@register.simple_tag
def created(moment: datetime | None) -> SafeString | str:
    """`when`, for a table: on a phone an unknown time is left out."""
    return when(moment) or mark_safe('<span class="hidden-on-phones">unknown</span>')


@register.filter
def at(moment: datetime | None) -> str:
    """The full time, with its zone."""
    return f"{timezone.localtime(moment):%-d %b %Y %H:%M:%S %Z}" if moment else ""


@register.filter
def clock(moment: datetime) -> str:
    """The time of day to the millisecond, for a story."""
    local = timezone.localtime(moment)
    return f"{local:%H:%M:%S}.{local.microsecond // 1000:03d}"


@register.simple_tag
def current(section: str, link: str) -> SafeString | str:
    """Marks the link to the section that the page belongs to."""
    return mark_safe('aria-current="page"') if section == link else ""


@register.simple_tag
def htmx_config() -> str:
    """What htmx may do, and which answers it shows: problem pages are parts, too."""
    return json.dumps(HTMX)


@register.simple_tag
def collections_url(cluster: str, database: str, **view: str | int) -> str:
    return links.collections(cluster, database, **view)


@register.simple_tag
def recycle_bin_url(cluster: str, database: str) -> str:
    return links.recycle_bin(cluster, database)


@register.simple_tag
def switch_url(kind: str, *cluster: str, **view: str) -> str:
    return links.switch(kind, *cluster, **view)


@register.simple_tag
def collection_url(cluster: str, database: str, collection: str, **view: str | int) -> str:
    return links.collection(cluster, database, collection, **view)


@register.simple_tag
def act_url(action: str, cluster: str, database: str, collection: str, name: str = "") -> str:
    """The dialog of an act on a collection, or on its partition or alias of that name."""
    kind = Kind(action.partition(".")[0])
    target = Target(
        cluster=cluster,
        database=database,
        kind=kind,
        collection=collection,
        name=collection if kind is Kind.COLLECTION else name,
    )
    return links.act(Action(action), target)


@register.filter
def share(part: int | Unread | None, whole: int | Unread) -> int:
    """A part in percent of the whole, 0 to 100, for a bar."""
    if not isinstance(part, int) or not isinstance(whole, int) or whole <= 0:
        return 0
    return min(100, round(100 * part / whole))


@register.simple_tag
def purge_pause(cluster: Cluster | None) -> "PurgePause | None":
    """Who paused the purges of a cluster, for a banner on each of its pages."""
    has_bin = isinstance(cluster, Cluster) and cluster.recycle_bin is not None
    return pause_of(cluster.key) if has_bin and cluster else None
