"""Looking: clusters, databases, collections, one collection."""

import uuid
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from .. import clusters
from ..access.policy import (
    Action,
    Place,
    databases_named,
    locked_by,
    matches,
    visible,
)
from ..audit.events import intent_of
from ..audit.queries import recent_operations
from ..milvus.errors import Denied, MilvusError
from ..milvus.types import (
    CollectionDetail,
    CollectionSummary,
    Kind,
    Load,
    Partition,
    Partitions,
    Target,
    Unread,
)
from ..operations.claims import claims_in
from ..operations.kinds.base import other
from ..operations.kinds.drop_partition import undroppable
from ..operations.private_names import DROP, operation_of
from ..rehearsal.record import standing
from . import links
from .errors import Problem, looks_again, of_milvus, set_retry_headers
from .facts import stored_rows
from .http import named, open_cluster, page_or_part, require_visible
from .request import SignedInRequest
from .tables import PAGE, CollectionRow, ListView, PartitionRow, RowAct
from .view_policy import policy

if TYPE_CHECKING:
    from ..models import Claim


@policy()
@require_safe
def home(request: SignedInRequest) -> HttpResponse:
    """The clusters this person may see. With a single one, straight to its databases."""
    rights = request.rights
    if not rights.may_somewhere(Action.VIEW):
        return redirect("audit" if rights.may_somewhere(Action.READ_AUDIT) else "access")
    known = [c for c in clusters.all_clusters() if rights.may(Action.VIEW, Place(cluster=c.key))]
    if len(known) == 1:
        return redirect("databases", cluster=known[0].key)
    return render(request, "collections_app/home.html", {"clusters": known, "title": "Clusters"})


@policy()
@require_safe
def databases(request: SignedInRequest, cluster: str) -> HttpResponse:
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
        named = dict.fromkeys(["default", *databases_named(request.actor, cluster)])
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
    return set_retry_headers(request, response, problem) if problem else response


def _seen(request: SignedInRequest, cluster: str, names: list[str]) -> list[str]:
    """Those of the databases that this person may see."""
    places = ((name, Place(cluster=cluster, database=name)) for name in names)
    return [name for name, place in places if request.rights.may(Action.VIEW, place)]


@policy()
@require_safe
def listing(request: SignedInRequest, cluster: str) -> HttpResponse:
    """The collections of a database. `details=1` adds what has to be read row by row."""
    milvus, database = open_cluster(request, cluster), named(request, "database", "default")
    require_visible(request, Place(cluster=cluster, database=database))
    view, seen = ListView.of(request), visible(request.actor, cluster, database)
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
    lite, standby = milvus.gateway.lite(database), milvus.gateway.is_standby(database)
    act = _collection_acts(request, cluster, database)
    url = partial(links.collections, cluster, database)
    context = {
        "cluster": milvus.cluster,
        "database": database,
        "lite": lite,
        "view": view,
        "count": page.paginator.count,
        "rows": [
            CollectionRow(
                name=row.name,
                url=links.collection(cluster, database, row.name),
                load=row.load,
                created=row.identity.created,
                summary=summaries.get(row.name),
                act=act(row.name),
            )
            for row in rows
        ],
        "detailed": detailed,
        "details_url": ""
        if detailed
        else url(q=view.q, sort=view.sort, page=page.number, details=1),
        "total": len(places),
        "partial": "*" not in seen,
        # Also asked when all is hidden by rules: the answer must not tell that there is more.
        "lists_everything": bool(places) or milvus.gateway.lists_everything(database),
        "columns": view.columns(url),
        "pager": view.pager(page, url),
        "standby": standby,
        "may_drop": not standby and request.rights.may_somewhere(Action.DROP_COLLECTION),
        "title": f"Collections in {database}",
        "section": "collections",
    }
    return page_or_part(
        request,
        "collections_app/collection_list.html",
        "collections_app/_collection_table.html",
        context,
    )


def _claims(cluster: str, database: str) -> "Callable[..., Claim | None]":
    """Whose operation holds a collection, or one of its partitions, if there is one."""
    claim = claims_in(cluster)

    def on(collection: str, partition: str = "") -> "Claim | None":
        kind = Kind.PARTITION if partition else Kind.COLLECTION
        names = {"collection": collection, "name": partition or collection}
        return claim(Target(cluster=cluster, database=database, kind=kind, **names))

    return on


def _collection_acts(
    request: SignedInRequest, cluster: str, database: str
) -> Callable[[str], RowAct]:
    """What this person may do with each row of the list, or what keeps everybody from it."""
    claims = _claims(cluster, database)

    def act(name: str) -> RowAct:
        place = Place(cluster=cluster, database=database, collection=name)
        if claim := claims(name):
            return RowAct(claim=claim)
        if request.rights.decide(Action.DROP_COLLECTION, place).allowed:
            target = Target(
                cluster=cluster,
                database=database,
                kind=Kind.COLLECTION,
                collection=name,
                name=name,
            )
            url = links.act(Action.DROP_COLLECTION, target)
            return RowAct(url=url, label=f"Drop {name}…")
        lock = locked_by(place)
        return RowAct(badge="Locked", reason=f" by {lock}") if lock else RowAct()

    return act


@policy()
@require_safe
def detail(request: SignedInRequest, cluster: str) -> HttpResponse:
    """One collection in full."""
    milvus, database = open_cluster(request, cluster), named(request, "database", "default")
    name = named(request, "name")
    place = Place(cluster=cluster, database=database, collection=name)
    require_visible(request, place)
    found = milvus.gateway.collection(database, name)
    known = Partitions(() if isinstance(found.partitions, Unread) else found.partitions)
    view = ListView.of(request)
    page = view.pages(known, range(len(known.rows))).get_page(view.page)
    shown = [known.rows[at] for at in page]
    rows = milvus.gateway.partition_rows(database, name, [p.name for p in shown])
    claims = _claims(cluster, database)
    target = Target(
        cluster=cluster, database=database, kind=Kind.COLLECTION, collection=name, name=name
    )
    lite, standby = milvus.gateway.lite(database), milvus.gateway.is_standby(database)
    url = partial(links.collection, cluster, database, name)
    context = {
        "cluster": milvus.cluster,
        "database": database,
        "lite": lite,
        "collection": found,
        "stored_rows": stored_rows(found.rows, is_exact=lite, detail=found),
        "view": view,
        "count": page.paginator.count,
        "total": len(known.rows),
        "is_long": len(known.rows) > PAGE,
        "partitions_denied": found.partitions is Unread.NOT_PERMITTED,
        "columns": view.columns(url),
        "pager": view.pager(page, url),
        "partitions": [
            PartitionRow(
                partition=partition,
                rows=rows.get(partition.name),
                act=_partition_act(found, target, partition, claims(name, partition.name)),
            )
            for partition in shown
        ],
        "claim": claims(name),
        "left_by": _left_by(name),
        "standby": standby,
        "may_drop_collection": not standby and request.rights.may(Action.DROP_COLLECTION, place),
        "may_drop_partition": not standby and request.rights.may(Action.DROP_PARTITION, place),
        "lock": locked_by(place),
        "may_release": isinstance(found.load, Load) and found.load.held,
        "history": recent_operations(cluster, database, name),
        "title": name,
    }
    return render(request, "collections_app/collection.html", context)


def _left_by(name: str) -> uuid.UUID | None:
    """The operation of strict mode that left it under its private name."""
    operation = operation_of(name, DROP)
    intent = intent_of(operation) if operation else None
    return operation if intent and name == intent.private_name else None


def _partition_act(
    found: CollectionDetail, collection: Target, partition: Partition, claim: "Claim | None"
) -> RowAct:
    if claim:
        return RowAct(claim=claim)
    if blocked := undroppable(found, partition.name):
        return RowAct(badge="Can't be dropped", reason=f": {blocked[0].text}")
    target = other(collection, Kind.PARTITION, partition.name)
    url = links.act(Action.DROP_PARTITION, target)
    return RowAct(url=url, label=f"Drop partition {partition.name}…")
