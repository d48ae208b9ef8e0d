"""Showing names, numbers and times so that nothing about them is hidden."""

import json
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django import template
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.timesince import timesince
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from ..access.policy import Action
from ..audit.queries import Event
from ..milvus.types import INSIDE, Cluster, Kind, Load, Target, Unread
from ..names import pieces, readable, typable
from ..operations.kinds.acts import ACTS, Act
from ..recycle_bin.pause import pause_of
from . import links
from .shown import listed, sentence, shown, shown_filters, word

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as StrOrPromise

    from ..models import AuditEvent, PurgePause

register = template.Library()

# From where on, in which unit: 999,999 is "1.0 M" and not "1000 k".
UNITS = ((999_500_000, 1e9, "B"), (999_500, 1e6, "M"), (10_000, 1e3, "k"))
UNITS_OF = {"zh-hans": ((99_995_000, 1e8, "亿"), (10_000, 1e4, "万"))}
# A moment, and a day, where they are not written as in English.
MOMENTS = {"zh-hans": "%Y-%m-%d %H:%M:%S %Z"}
DAYS = {"zh-hans": "%Y-%m-%d"}


# The actions of the log in words.
WORDS: dict[str, "StrOrPromise"] = {
    "collection.drop": _("Drop collection"),
    "partition.drop": _("Drop partition"),
    "alias.drop": _("Drop alias"),
    "collection.release": _("Release collection"),
    "partition.release": _("Release partition"),
    "collection.bin": _("Move collection to the recycle bin"),
    "collection.restore": _("Restore collection"),
    "collection.purge": _("Purge collection"),
    "alias.set": _("Set alias"),
    "collection.create": _("Re-create collection"),
    "collection.load": _("Load collection"),
    "collection.protect": _("Protect collection"),
    "collection.unprotect": _("Unprotect collection"),
    "collection.keep_protected": _("Keep collection protected"),
    "view": _("See"),
    "bin.pause": _("Pause purging"),
    "bin.resume": _("Resume purging"),
    "protection.ended": _("Protection ended"),
    "audit.read": _("Read the audit log"),
    "audit.seal": _("Segment sealed"),
    "audit.remove": _("Segment removed"),
    "audit.protect": _("Protection put back"),
    "audit.note": _("Note"),
    "audit.withheld": _("More of the same"),
    "session.sign_in": _("Signed in"),
    "session.sign_out": _("Signed out"),
    "session.ended": _("Session ended"),
    "session.refused": _("Sign-in refused"),
    "session.groups": _("Groups changed"),
    "session.step_up": _("Signed in again"),
    "collection.appeared": _("Appeared"),
    "collection.gone": _("Gone"),
    "collection.replaced": _("Replaced"),
    "collection.renamed": _("Renamed"),
    "database.gone": _("Database gone"),
    "watch.began": _("Watch began"),
    "plan.create": _("Plan created"),
    "plan.take_out": _("Items taken out of a plan"),
    "plan.confirm": _("Plan confirmed"),
    "plan.pause": _("Plan paused"),
    "plan.resume": _("Plan resumed"),
    "plan.cancel": _("Plan cancelled"),
    "plan.done": _("Plan done"),
    "plan.expire": _("Plan expired"),
    "plan.request": _("Approval requested"),
    "plan.approve": _("Plan approved"),
    "plan.reject": _("Approval rejected"),
    "plan.lapse": _("Approval lapsed"),
    "plan.run": _("Approved plan started"),
    "approve": _("Approve"),
    "approvals.rule": _("Rule of approvals changed"),
    "rehearsal.began": _("Rehearsal began"),
    "rehearsal.ended": _("Rehearsal ended"),
    "rehearsal.cleaned": _("Rehearsal cleaned up"),
}
GROUPS: dict[str, "StrOrPromise"] = {
    "": _("Operations"),
    "audit": _("Audit log"),
    "session": _("Sign-in"),
    "plan": _("Plans"),
    "approvals": _("Plans"),
    "bin": _("Recycle bin"),
    "protection": _("Protection"),
    "rehearsal": _("Rehearsal"),
}

DRIFT = _("Drift detection")


def action_choices() -> list[tuple["StrOrPromise", list[tuple[str, "StrOrPromise"]]]]:
    """The actions for a select, in groups: operations first."""
    groups: dict[StrOrPromise, list[tuple[str, StrOrPromise]]] = {GROUPS[""]: []}
    for action, label in WORDS.items():
        kind = GROUPS.get(action.partition(".")[0], DRIFT)
        groups.setdefault(GROUPS[""] if action in ACTS else kind, []).append((action, label))
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
        {"code": "403|404|409|422|429|503", "swap": True, "error": False},
        {"code": "[45]..", "swap": False, "error": True},
    ],
}
METHODS: dict[str, "StrOrPromise"] = {
    "oidc": _("company sign-in"),
    "proxy": _("sign-in proxy"),
    "local": _("local account"),
}


@register.filter
def sign_in_words(method: str) -> str:
    """How somebody signed in."""
    return str(METHODS.get(method, method))


@register.filter
def span(seconds: float | None) -> str:
    """A length of time in its largest unit."""
    if seconds is None:
        return ""
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size or size == 1:
            count = int(seconds // size)
            return shown(f"{count} {unit}" + ("" if count == 1 else "s"))
    return ""


def duration(passed: timedelta) -> str:
    """How long something took; empty if a clock was set back meanwhile."""
    if passed < timedelta(0):
        return ""
    seconds = passed.total_seconds()
    if seconds < 1:
        return gettext("%(number)s ms") % {"number": round(seconds * 1000)}
    if seconds < 60:
        number = f"{seconds:.1f}" if seconds < 10 else f"{round(seconds)}"
        return gettext("%(number)s s") % {"number": number}
    return span(seconds)


@register.filter
def name(value: str) -> SafeString:
    """A name in monospace, with spaces at its ends and unprintable characters made visible."""
    parts = pieces(value)
    if len(parts) == 1:  # nearly every name, fifty times on a page
        return format_html('<span class="name"><span class="{}">{}</span></span>', *parts[0])
    joined = format_html_join("", '<span class="{}">{}</span>', parts)
    return format_html('<span class="name">{}</span>', joined)


@register.filter
def theirs(value: str) -> SafeString:
    """Text that a person chose, in an element of its own: no part of what Milvus Admin says."""
    return format_html('<q class="user-text">{}</q>', readable(value))


@register.filter
def person(display: str) -> SafeString:
    """Somebody's name in a sentence: one in Hebrew does not turn what stands beside it around."""
    return format_html("<bdi>{}</bdi>", readable(display))


@register.filter
def words(action: str) -> str:
    """An action of the log in words: `collection.drop` is "Drop collection"."""
    if action in WORDS:
        return str(WORDS[action])
    noun, _, verb = action.partition(".")
    return f"{verb.capitalize()} {noun}"


@register.simple_tag
def act_title(act: Act, target: Target) -> SafeString:
    """The act with its target, as a heading."""
    before, _place, after = shown(f"{act.label} \0{act.tail}").partition("\0")
    return format_html("{}{}{}", before, name(target.shown_name), after)


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
register.filter("shown", shown)
register.filter("shown_filters", shown_filters)
register.filter("listed", listed)
register.filter("word", word)
register.filter("sentence", sentence, is_safe=True)


@register.filter
def measure(value: int | Unread | None, exact: bool = False) -> str:
    """A count for a table: short, marked as approximate unless it is exact; unknown is a word."""
    if value is None:
        return word(Unread.UNKNOWN.value)
    if isinstance(value, Unread):
        return word(value.value)
    for start, size, unit in UNITS_OF.get(get_language() or "", UNITS):
        if value >= start:
            number = value / size
            return f"≈ {number:.1f} {unit}" if number < 100 else f"≈ {number:.0f} {unit}"
    return f"{value:,}" if exact else f"≈ {value:,}"


@register.filter
def in_full(value: int | Unread | None, exact: bool = False) -> str:
    """A count for a decision: every digit."""
    if value is None or isinstance(value, Unread):
        return word((value or Unread.UNKNOWN).value)
    count = f"{value:,}"
    return count if exact else gettext("about %(count)s") % {"count": count}


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
    return word(value.value) if isinstance(value, Unread) else ""


@register.filter
def state(load: Load | Unread) -> SafeString | str:
    """The load state of a collection or a partition, with a dot in front that shows it, too."""
    return _state(load, get_language())


@lru_cache(maxsize=512)
def _state(load: Load | Unread, language: str | None) -> SafeString | str:
    """There are about a hundred of them in each language."""
    if isinstance(load, Unread):
        return format_html('<span class="quiet">{}</span>', word(load.value))
    return format_html('<span class="state {}">{}</span>', _progress(load), shown(load.word))


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
        return gettext("just now")
    return gettext("%(time)s ago") % {"time": timesince(moment, depth=1)}


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
    return when(moment) or format_html(
        '<span class="hidden-on-phones">{}</span>', word(Unread.UNKNOWN.value)
    )


@register.filter
def at(moment: datetime | None) -> str:
    """The full time, with its zone."""
    form = MOMENTS.get(get_language() or "", "%-d %b %Y %H:%M:%S %Z")
    return f"{timezone.localtime(moment):{form}}" if moment else ""


@register.filter
def day(value: date) -> str:
    """A day."""
    return f"{value:{DAYS.get(get_language() or '', '%-d %b %Y')}}"


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
def dialog_link(url: str, text: str, css: str = "", label: str = "", key: int = 0) -> SafeString:
    """A link that opens the dialog of an act; without JavaScript it leads to the page of it.

    `key` is the id of its row.
    """
    named = format_html(' aria-label="{}"', label) if label else ""
    own_id = format_html(' id="act-{}"', key) if key else ""
    return format_html(
        '<a class="{}" href="{}" hx-get="{}" hx-target="#dialog" hx-swap="innerHTML"'
        ' hx-sync="#dialog:replace"{}{}>{}</a>',
        css,
        url,
        url,
        named,
        own_id,
        text,
    )


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
