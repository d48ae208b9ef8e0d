"""The menus of the breadcrumbs: from here to another cluster, database or collection."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from ..access.policy import Action, Place
from ..milvus.errors import MilvusError
from ..milvus.types import Cluster
from . import links
from .errors import of_milvus
from .http import find_cluster, named, page_or_part, require_visible, visible_clusters
from .places import collections_seen, databases_seen
from .request import SignedInRequest
from .shown import word
from .view_policy import policy

SHOWN = 50  # entries of a menu; who looks for another one types a part of its name
OTHERS = 8  # clusters whose databases are in the same menu


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A place in a menu."""

    name: str
    url: str
    is_current: bool
    is_label: bool = False  # of a cluster: no name of Milvus


@require_safe
@policy(Action.VIEW)
def clusters(request: SignedInRequest) -> HttpResponse:
    """The clusters that this person may see. None of them is asked."""
    current = request.GET.get("current", "")
    entries = [
        Entry(
            name=cluster.label,
            url=reverse("databases", args=[cluster.key]),
            is_current=cluster.key == current,
            is_label=True,
        )
        for cluster in visible_clusters(request)
    ]
    return _menu(request, "cluster", entries, reverse("switch-cluster"), {"current": current})


@policy()
@require_safe
def databases(request: SignedInRequest, cluster: str) -> HttpResponse:
    """The databases of a cluster. Those of other clusters load on their own below."""
    milvus = find_cluster(request, cluster)
    current = request.GET.get("current", "")
    more: dict[str, Any] = {"cluster": milvus.cluster, "others": _others(request, cluster)}
    entries: list[Entry] = []
    try:
        request.slots.acquire(milvus)
        seen = databases_seen(request, milvus)
        more["is_partial"] = not seen.is_complete
        entries = [
            Entry(name=name, url=links.collections(cluster, name), is_current=name == current)
            for name in seen.names
        ]
    except MilvusError as exc:
        more["problem_text"] = of_milvus(exc).title
    url = reverse("switch-database", args=[cluster])
    return _menu(request, "database", entries, url, {"current": current}, **more)


def _others(request: SignedInRequest, cluster: str) -> list[tuple[Cluster, str]]:
    """Other clusters, each with the address of its databases that match the search."""
    query = urlencode({"q": request.GET.get("q", "")[:255], "alone": "1"})
    if request.GET.get("alone"):
        return []
    others = [other for other in visible_clusters(request) if other.key != cluster]
    return [
        (other, f"{reverse('switch-database', args=[other.key])}?{query}")
        for other in others[:OTHERS]
    ]


@policy()
@require_safe
def collections(request: SignedInRequest, cluster: str) -> HttpResponse:
    """The collections of a database."""
    milvus = find_cluster(request, cluster)
    database, current = named(request, "database", "default"), request.GET.get("current", "")
    require_visible(request, Place(cluster=cluster, database=database))
    more: dict[str, Any] = {"cluster": milvus.cluster, "database": database}
    entries: list[Entry] = []
    try:
        request.slots.acquire(milvus)
        entries = [
            Entry(
                name=name,
                url=links.collection(cluster, database, name),
                is_current=name == current,
            )
            for name in collections_seen(request, milvus, database)
        ]
    except MilvusError as exc:
        more["problem_text"] = of_milvus(exc).title
    url = reverse("switch-collection", args=[cluster])
    return _menu(
        request, "collection", entries, url, {"database": database, "current": current}, **more
    )


def _menu(
    request: SignedInRequest,
    kind: str,
    entries: Iterable[Entry],
    url: str,
    fields: dict[str, str],
    **more: Any,
) -> HttpResponse:
    """A menu for htmx, or a page with the same list. `fields` are sent again with a search."""
    q = request.GET.get("q", "")[:255]
    matching = [entry for entry in entries if q.casefold() in entry.name.casefold()]
    context = {
        "kind": kind,
        "entries": matching[:SHOWN],
        "count": len(matching),
        "is_cut": len(matching) > SHOWN,
        "shown": SHOWN,
        "q": q,
        "menu_url": url,
        "fields": fields,
        "title": gettext("Switch %(kind)s") % {"kind": word(kind)},
        **more,
    }
    page, part = "collections_app/switcher.html", "collections_app/_switcher.html"
    return page_or_part(request, page, part, context)
