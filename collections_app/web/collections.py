"""Looking: clusters, databases, collections, one collection."""

import heapq
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from .. import clusters
from ..access.policy import (
    Action,
    Place,
    databases_named,
    decide,
    locked_by,
    matches,
    may,
    may_somewhere,
    visible,
)
from ..access.principals import actor_of
from ..audit.events import intent_of
from ..audit.queries import recent_operations
from ..milvus.errors import Denied, MilvusError
from ..milvus.types import (
    CollectionSummary,
    Kind,
    Load,
    Partition,
    Partitions,
    Table,
    Target,
    Unread,
)
from ..operations.claims import claims_in
from ..operations.kinds.drop_partition import undroppable
from ..operations.strict import operation_of
from ..rehearsal.record import standing
from .errors import Problem, come_back, looks_again, of_milvus
from .http import look_into, named, open_cluster, page_or_part

PAGE = 50
SORTED_FROM = 0.1  # a page further back than this share of all costs less by sorting them
SORTS = ("name", "-name", "created", "-created", "state", "-state")


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The clusters this person may see. With a single one, straight to its databases."""
    actor = actor_of(request)
    if not may_somewhere(actor, Action.VIEW):
        return redirect("audit" if may_somewhere(actor, Action.READ_AUDIT) else "access")
    known = [c for c in clusters.all_clusters() if may(actor, Action.VIEW, Place(cluster=c.key))]
    if len(known) == 1:
        return redirect("databases", cluster=known[0].key)
    return render(request, "collections_app/home.html", {"clusters": known, "title": "Clusters"})


@require_safe
def databases(request: HttpRequest, cluster: str) -> HttpResponse:
    """The databases of one cluster; those that may not be listed are said to be so."""
    milvus = open_cluster(request, cluster)
    context: dict[str, Any] = {
        "cluster": milvus.cluster,
        "title": milvus.cluster.label,
        "rehearsal": standing(milvus.cluster),
        "is_server": "://" in milvus.cluster.uri,  # one process at a time opens a Milvus Lite file
    }
    problem: Problem | None = None
    try:
        found = milvus.gateway.databases()
        context |= {"server": milvus.gateway.server(), "databases": _seen(request, cluster, found)}
    except Denied as exc:
        named = dict.fromkeys(["default", *databases_named(actor_of(request), cluster)])
        context |= {"problem": of_milvus(exc), "databases": _seen(request, cluster, list(named))}
        context["may_name"] = True
    except MilvusError as exc:
        problem = of_milvus(exc)
        context |= {"problem": problem, "looks_again": looks_again(request)}
    else:
        context["standby"] = milvus.gateway.is_standby("default")
    response = page_or_part(
        request,
        "collections_app/databases.html",
        "collections_app/_databases.html",
        context,
        problem.status if problem else 200,
    )
    return come_back(request, response, problem) if problem else response


def _seen(request: HttpRequest, cluster: str, names: list[str]) -> list[str]:
    """Those of the databases that this person may see."""
    places = ((name, Place(cluster=cluster, database=name)) for name in names)
    return [name for name, place in places if may(actor_of(request), Action.VIEW, place)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListView:
    """What the address says about a list: search, order, page."""

    q: str
    sort: str
    page: int

    @classmethod
    def of(cls, request: HttpRequest) -> "ListView":
        sort, page = request.GET.get("sort", "name"), request.GET.get("page", "1")
        return cls(
            q=request.GET.get("q", "")[:255],
            sort=sort if sort in SORTS else "name",
            page=int(page) if page.isdecimal() and len(page) < 9 else 1,
        )

    def pages(self, table: Table, places: Sequence[int]) -> "Pages":
        """Those of the places in a table that are searched for, in the order asked for."""
        wanted, names = self.q.casefold(), table.names
        found = [at for at in places if wanted in names[at].casefold()] if wanted else places
        keys: dict[str, Callable[[int], Any]] = {
            "name": names.__getitem__,
            "created": lambda at: (table.age(at), names[at]),
            "state": lambda at: (_loadedness(table.load(at)), names[at]),
        }
        return Pages(found, keys[self.sort.lstrip("-")], descending=self.sort.startswith("-"))


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


@require_safe
def listing(request: HttpRequest, cluster: str) -> HttpResponse:
    """The collections of a database. `details=1` adds what has to be read row by row."""
    milvus, database = open_cluster(request, cluster), named(request, "database", "default")
    look_into(request, cluster, database)
    view, seen = ListView.of(request), visible(actor_of(request), cluster, database)
    found = milvus.gateway.collections(database)
    places: Sequence[int] = range(len(found))
    if "*" not in seen:
        places = [at for at in places if matches(seen, found.names[at])]
    page = view.pages(found, places).get_page(view.page)
    rows = [found.row(at) for at in page]
    detailed = request.GET.get("details") == "1"
    summaries: dict[str, CollectionSummary] = {}
    if detailed:
        summaries = milvus.gateway.summaries(database, [row.name for row in rows])
    under_way = _under_way(cluster, database)
    lite, standby = milvus.gateway.lite(database), milvus.gateway.is_standby(database)
    context = {
        "cluster": milvus.cluster,
        "database": database,
        "lite": lite,
        "view": view,
        "page": page,
        "rows": [
            (
                row,
                summaries.get(row.name),
                _drop(request, cluster, database, row.name) | {"claim": under_way(row.name)},
            )
            for row in rows
        ],
        "detailed": detailed,
        "total": len(places),
        "partial": "*" not in seen,
        # Also asked when all is hidden by rules: the answer must not tell that there is more.
        "lists_everything": bool(places) or milvus.gateway.lists_everything(database),
        "columns": _columns(view),
        "standby": standby,
        "may_drop": not standby and may_somewhere(actor_of(request), Action.DROP_COLLECTION),
        "title": f"Collections in {database}",
        "section": "collections",
    }
    return page_or_part(
        request,
        "collections_app/collection_list.html",
        "collections_app/_collection_table.html",
        context,
    )


def _under_way(cluster: str, database: str) -> Callable[..., object]:
    """Whose operation holds a collection, or one of its partitions, if there is one."""
    claim = claims_in(cluster)

    def on(collection: str, partition: str = "") -> object:
        kind = Kind.PARTITION if partition else Kind.COLLECTION
        names = {"collection": collection, "name": partition or collection}
        return claim(Target(cluster=cluster, database=database, kind=kind, **names))

    return on


def _drop(request: HttpRequest, cluster: str, database: str, name: str) -> dict[str, Any]:
    """Whether this person may drop it, or what keeps everybody from it."""
    place = Place(cluster=cluster, database=database, collection=name)
    decision = decide(actor_of(request), Action.DROP_COLLECTION, place)
    return {"may": decision.allowed, "lock": locked_by(place)}


def _columns(view: ListView) -> list[dict[str, Any]]:
    """The sortable columns: how each is sorted now, and what a click asks for."""
    return [
        {
            "key": key,
            "label": label,
            "next": f"-{key}" if view.sort == key else key,
            "direction": {key: "ascending", f"-{key}": "descending"}.get(view.sort, ""),
        }
        for key, label in (("name", "Name"), ("state", "State"), ("created", "Created"))
    ]


@require_safe
def detail(request: HttpRequest, cluster: str) -> HttpResponse:
    """One collection in full."""
    milvus, database = open_cluster(request, cluster), named(request, "database", "default")
    name = named(request, "name")
    look_into(request, cluster, database, name)
    found = milvus.gateway.collection(database, name)
    known = Partitions(() if isinstance(found.partitions, Unread) else found.partitions)
    view = ListView.of(request)
    page = view.pages(known, range(len(known.rows))).get_page(view.page)
    shown = [known.rows[at] for at in page]
    rows = milvus.gateway.partition_rows(database, name, [p.name for p in shown])
    under_way = _under_way(cluster, database)
    lite, standby = milvus.gateway.lite(database), milvus.gateway.is_standby(database)
    actor, place = actor_of(request), Place(cluster=cluster, database=database, collection=name)
    context = {
        "cluster": milvus.cluster,
        "database": database,
        "lite": lite,
        "collection": found,
        "view": view,
        "page": page,
        "total": len(known.rows),
        "columns": _columns(view),
        "partitions": [
            _partition_row(found, p, rows.get(p.name)) | {"claim": under_way(name, p.name)}
            for p in shown
        ],
        "claim": under_way(name),
        "left_by": _left_by(name),
        "standby": standby,
        "may_drop_collection": not standby and may(actor, Action.DROP_COLLECTION, place),
        "may_drop_partition": not standby and may(actor, Action.DROP_PARTITION, place),
        "lock": locked_by(place),
        "may_release": isinstance(found.load, Load) and found.load.held,
        "history": recent_operations(cluster, database, name),
        "title": name,
    }
    return render(request, "collections_app/collection.html", context)


def _left_by(name: str) -> uuid.UUID | None:
    """The operation of strict mode that left it under its private name."""
    operation = operation_of(name)
    intent = intent_of(operation) if operation else None
    return operation if intent and name == intent.private_name else None


def _partition_row(found: Any, partition: Partition, rows: int | Unread | None) -> dict[str, Any]:
    blocked = undroppable(found, partition.name)
    return {"partition": partition, "rows": rows, "kept": blocked[0].text if blocked else ""}
