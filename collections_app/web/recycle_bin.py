"""The pages of the recycle bin: what is in it, and the switch that pauses its purges."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from ..access.policy import Action, Permissions, Place, matches, place_of, visible
from ..access.principals import caller_of
from ..names import readable
from ..operations.claims import claims_in
from ..operations.kinds.binned import target_of
from ..recycle_bin import items
from ..recycle_bin.items import TimeLeft
from ..recycle_bin.pause import pause, pause_of, resume
from . import links
from .http import find_cluster, go_to, named, page_or_part, refuse, require_visible
from .person import table_view
from .request import SignedInRequest
from .rows import Claims
from .shown import shown
from .tables import PAGE, Column, Pager, RowAct, range_of
from .view_policy import policy

if TYPE_CHECKING:
    from ..models import BinItem

COLUMNS = (("name", _("Name")), ("rows", _("Rows")), ("moved", _("Moved")), ("purge", _("Purge")))


@dataclass(frozen=True, slots=True, kw_only=True)
class BinRow:
    """A collection in the recycle bin. The addresses are empty for who may not do that."""

    item: "BinItem"
    left: str
    claim: RowAct | None
    restore_url: str
    purge_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BinView:
    """What the address says: search, order, page."""

    q: str
    sort: str
    page: str

    @classmethod
    def of(cls, request: SignedInRequest) -> "BinView":
        sort = request.GET.get("sort", "")
        return cls(
            q=request.GET.get("q", "")[:255],
            sort=sort if sort in items.ORDERS else items.DEFAULT_ORDER,
            page=request.GET.get("page", "1"),
        )


@policy()
@require_safe
def listing(request: SignedInRequest, cluster: str) -> HttpResponse:
    """What is in the recycle bin of a database. Asks Milvus nothing."""
    milvus, database = find_cluster(request, cluster), named(request, "database", "default")
    place = Place(cluster=cluster, database=database)
    require_visible(request, place)
    view = BinView.of(request)
    page = Paginator(_found(request, view, place), PAGE).get_page(view.page)
    permissions, claims = request.permissions, claims_in(cluster)
    address = links.recycle_bin(cluster, database, q=view.q, sort=view.sort, page=page.number)
    context = {
        "cluster": milvus.cluster,
        "database": database,
        "view": view,
        "total": _total(request, place),
        "count": page.paginator.count,
        "rows": [_row(item, permissions, claims) for item in page],
        "columns": _columns(view, cluster, database),
        "pager": _pager(page, view, cluster, database),
        **table_view(request, "recycle-bin", address),
        "pause": pause_of(cluster),
        "may_pause": _may_pause(permissions, cluster),
        "may_resume": permissions.may(Action.PURGE, Place(cluster=cluster)),
        "title": gettext("Recycle bin of %(database)s") % {"database": database},
        "section": "recycle-bin",
    }
    page_, part = "collections_app/recycle_bin.html", "collections_app/_recycle_bin_table.html"
    return page_or_part(request, page_, part, context)


def _found(
    request: SignedInRequest, view: BinView, place: Place
) -> "QuerySet[BinItem] | Sequence[BinItem]":
    """What is searched for, and may be seen: rules go by the name from before."""
    database = place.database or "default"
    found = items.listed(place.cluster, database, view.q, view.sort)
    patterns = visible(request.actor, place.cluster, database)
    if "*" in patterns:
        return found
    return [item for item in found if matches(patterns, item.name)]


def _total(request: SignedInRequest, place: Place) -> int:
    """How much of the bin may be seen, whatever is searched for: hidden names are not counted."""
    database = place.database or "default"
    patterns = visible(request.actor, place.cluster, database)
    names = items.names_by_private_name(place.cluster, database).values()
    return sum(matches(patterns, name) for name in names)


def _row(item: "BinItem", permissions: Permissions, claims: Claims) -> BinRow:
    target = target_of(item)
    claim = claims(target)

    def url(action: Action) -> str:
        may = claim is None and permissions.may(action, place_of(target))
        return links.act(action, target) if may else ""

    return BinRow(
        item=item,
        left=shown(TimeLeft(item.purge_at).words),
        claim=RowAct(claim=claim) if claim else None,
        restore_url=url(Action.RESTORE),
        purge_url=url(Action.PURGE),
    )


def _columns(view: BinView, cluster: str, database: str) -> list[Column]:
    url = partial(links.recycle_bin, cluster, database)
    return [
        Column(
            key=key,
            label=str(label),
            direction={key: "ascending", f"-{key}": "descending"}.get(view.sort, ""),
            url=url(q=view.q, sort=f"-{key}" if view.sort == key else key),
        )
        for key, label in COLUMNS
    ]


def _pager(page: "Page[BinItem]", view: BinView, cluster: str, database: str) -> Pager:
    url = partial(links.recycle_bin, cluster, database, q=view.q, sort=view.sort)
    return Pager(
        text=range_of(page),
        previous=url(page=page.previous_page_number()) if page.has_previous() else "",
        next=url(page=page.next_page_number()) if page.has_next() else "",
    )


def _may_pause(permissions: Permissions, cluster: str) -> bool:
    """Whoever may move something there may stop the purges: that is the safe direction."""
    place = Place(cluster=cluster)
    return any(permissions.may(action, place) for action in (Action.MOVE_TO_BIN, Action.PURGE))


@policy(reauthenticate=True)
@require_POST
def pause_purging(request: SignedInRequest, cluster: str) -> HttpResponse:
    """Pause or resume: the form says which, so that a second click changes nothing."""
    find_cluster(request, cluster)  # not opened: purging is paused while Milvus hangs, too
    reason, caller = readable(request.POST.get("reason", "")[:500]), caller_of(request)
    if request.POST.get("switch") == "resume":
        if not request.permissions.may(Action.PURGE, Place(cluster=cluster)):
            refuse(request, Action.PURGE)
        resume(cluster, caller, reason)
    else:
        if not _may_pause(request.permissions, cluster):
            refuse(request, Action.MOVE_TO_BIN)
        pause(cluster, caller, reason)
    return go_to(request, links.recycle_bin(cluster, named(request, "database", "default")))
