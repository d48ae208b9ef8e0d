"""Looking: clusters, databases, collections, one collection."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from django.core.paginator import Page
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from ..access.policy import (
    Action,
    Permissions,
    Place,
    databases_named,
    matches,
    removal_on,
    visible,
)
from ..audit.events import intent_of
from ..audit.queries import recent_operations
from ..milvus.errors import Denied, MilvusError
from ..milvus.types import Cluster, CollectionDetail, Listing, Load, Partitions, Target, Unread
from ..operations.claims import claims_in
from ..operations.private_names import DROP, operation_of
from ..recycle_bin.items import names_by_private_name
from ..rehearsal.record import standing
from . import links
from .bars import partition_bar
from .errors import Problem, looks_again, of_milvus, set_retry_headers
from .facts import stored_rows
from .http import named, open_cluster, page_or_part, require_visible
from .my_places import pin_of
from .person import note_visit, noting_if_gone, table_view
from .protections import Standing, panel
from .request import SignedInRequest
from .rows import Claims, collection_rows, collection_target, partition_rows
from .tables import PAGE, ListView
from .view_policy import policy

if TYPE_CHECKING:
    from ..milvus.gateway import Gateway

READ_BY_ROW = ("rows", "partitions", "aliases")  # columns of the list


@policy()
@require_safe
def databases(request: SignedInRequest, cluster: str) -> HttpResponse:
    """The databases of one cluster; those that may not be listed are said to be so."""
    milvus = open_cluster(request, cluster)
    context: dict[str, Any] = {
        "cluster": milvus.cluster,
        "title": milvus.cluster.label,
        "section": "databases",
        "rehearsal": standing(milvus.cluster),
        "pin": pin_of(request, Place(cluster=cluster)),
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
        problem = of_milvus(exc, milvus.cluster)
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
    return [name for name, place in places if request.permissions.may(Action.VIEW, place)]


@policy()
@require_safe
def listing(request: SignedInRequest, cluster: str) -> HttpResponse:
    """The collections of a database. `details=1` adds what has to be read row by row."""
    milvus, database = open_cluster(request, cluster), named(request, "database", "default")
    place = Place(cluster=cluster, database=database)
    require_visible(request, place)
    gateway = milvus.gateway
    with noting_if_gone(request, place):
        found = gateway.collections(database)
    seen, standby = _Seen.of(request, cluster, database, found), gateway.is_standby(database)
    context = {
        "cluster": milvus.cluster,
        "database": database,
        "lite": gateway.lite(database),
        "total": len(seen.at),
        "partial": seen.is_partial,
        # Also asked when all is hidden by rules: the answer must not tell that there is more.
        "lists_everything": bool(seen.at) or gateway.lists_everything(database),
        "in_bin": seen.in_bin,
        "recycle_bin_url": links.recycle_bin(cluster, database),
        "standby": standby,
        **_removal(request.permissions, place, is_standby=standby),
        **_page(request, gateway, place, found, seen.at),
        "title": gettext("Collections in %(database)s") % {"database": database},
        "section": "collections",
    }
    note_visit(request, place)
    return page_or_part(
        request,
        "collections_app/collection_list.html",
        "collections_app/_collection_table.html",
        context,
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    """Those of a database's collections that this person may see, without the recycle bin."""

    at: Sequence[int]  # their indexes
    is_partial: bool
    in_bin: int

    @classmethod
    def of(cls, request: SignedInRequest, cluster: str, database: str, found: Listing) -> "_Seen":
        patterns = visible(request.actor, cluster, database)
        binned = names_by_private_name(cluster, database)
        is_partial, names = "*" not in patterns, found.names
        at: Sequence[int] = _fitting(names, patterns) if is_partial else range(len(found))
        if binned:
            at = [one for one in at if names[one] not in binned]
        return cls(at, is_partial, sum(matches(patterns, name) for name in binned.values()))


def _page(
    request: SignedInRequest,
    gateway: "Gateway",
    place: Place,
    found: Listing,
    seen: Sequence[int],
) -> dict[str, Any]:
    """The page of the list that the address asks for."""
    view, standing, database = ListView.of(request), Standing(place), place.database or ""
    page = view.pages(found, seen, standing.is_protected).get_page(view.page)
    rows = [found.row(at) for at in page]
    url = partial(links.collections, place.cluster, database)
    here = view.here(page, url)
    columns = table_view(request, "collections", here)
    read_by_row = sum(columns["shown"][key] for key in READ_BY_ROW)
    detailed = request.GET.get("details") == "1" or not read_by_row
    wanted = [row.name for row in rows] if detailed and read_by_row else []
    summaries = gateway.summaries(database, wanted) if wanted else {}
    may, claims = request.permissions, claims_in(place.cluster)
    return {
        "view": view,
        "count": page.paginator.count,
        "rows": collection_rows(rows, place, summaries, may, claims, standing),
        "detailed": detailed,
        "detail_columns": read_by_row,
        "details_url": "" if detailed else _details_url(view, page, url),
        **columns,
        "columns": view.columns(url),
        "pager": view.pager(page, url),
        "pin": pin_of(request, place, here),
    }


def _details_url(view: ListView, page: Page[int], url: Callable[..., str]) -> str:
    return url(**view.filters, sort=view.sort, page=page.number, details=1)


def _removal(permissions: Permissions, place: Place, *, is_standby: bool) -> dict[str, bool]:
    """How collections of a database are removed, and whether this person may do that somewhere."""
    action = removal_on(place.cluster)
    return {
        "may_drop": not is_standby and permissions.may_somewhere(action),
        "to_bin": action is Action.MOVE_TO_BIN,
        "may_drop_permanently": permissions.may(Action.DROP_COLLECTION, place),
    }


def _fitting(names: Sequence[str], patterns: tuple[str, ...]) -> list[int]:
    """The indexes of the names that a pattern fits."""
    return [at for at, name in enumerate(names) if matches(patterns, name)]


@policy()
@require_safe
def detail(request: SignedInRequest, cluster: str) -> HttpResponse:
    """One collection in full."""
    milvus, database = open_cluster(request, cluster), named(request, "database", "default")
    name = named(request, "name")
    place = Place(cluster=cluster, database=database, collection=name)
    require_visible(request, place)
    if name in names_by_private_name(cluster, database):
        return redirect(links.recycle_bin(cluster, database))
    gateway = milvus.gateway
    with noting_if_gone(request, place):
        found = gateway.collection(database, name)
    lite, standby = gateway.lite(database), gateway.is_standby(database)
    claims, target = claims_in(cluster), collection_target(place, name)
    protection = panel(target, found.identity.id, request.permissions, milvus.cluster.endpoint)
    may, is_loaded = request.permissions.may, isinstance(found.load, Load) and found.load.held
    may_drop_partition = not (standby or protection.lines) and may(Action.DROP_PARTITION, place)
    partitions = _partitions(request, gateway, found, target, claims)
    context = {
        "cluster": milvus.cluster,
        "database": database,
        "lite": lite,
        "collection": found,
        "stored_rows": stored_rows(found.rows, is_exact=lite, detail=found),
        **partitions,
        "claim": claims(target),
        "left_by": _left_by(name),
        "standby": standby,
        **({} if standby else _removals(milvus.cluster, may, place)),
        "may_drop_partition": may_drop_partition,
        "may_pick": may_drop_partition and any(row.act.url for row in partitions["partitions"]),
        "protection": protection,
        "may_remove_now": not protection.is_protected,
        "may_release": is_loaded and may(Action.RELEASE_COLLECTION, place),
        "history": recent_operations(cluster, database, name),
        "pin": pin_of(request, place),
        "title": name,
        "section": "collection",
        "collection_here": name,
    }
    note_visit(request, place)
    return render(request, "collections_app/collection.html", context)


def _removals(
    cluster: Cluster, may: Callable[[Action, Place], bool], place: Place
) -> dict[str, Any]:
    """Which ways of removing a collection this person has there, and what the last is called."""
    to_bin = cluster.recycle_bin is not None and may(Action.MOVE_TO_BIN, place)
    for_good = may(Action.DROP_COLLECTION, place)
    return {
        "may_move_to_bin": to_bin,
        "may_drop_collection": for_good,
        "may_remove": to_bin or for_good,
        "may_drop_alias": may(Action.DROP_ALIAS, place),
        "drop_label": gettext("Drop permanently…")
        if cluster.recycle_bin
        else gettext("Drop collection…"),
    }


def _partitions(
    request: SignedInRequest,
    gateway: "Gateway",
    found: CollectionDetail,
    target: Target,
    claims: Claims,
) -> dict[str, Any]:
    """The page of its partitions that the address asks for."""
    known = Partitions(() if isinstance(found.partitions, Unread) else found.partitions)
    view = ListView.of(request)
    page = view.pages(known, range(len(known.rows))).get_page(view.page)
    shown = [known.rows[at] for at in page]
    counts = gateway.partition_rows(target.database, target.name, [p.name for p in shown])
    url = partial(links.collection, target.cluster, target.database, target.name)
    rows = partition_rows(found, target, shown, counts, claims)
    return {
        "bar": None if view.q else partition_bar(rows, len(known.rows), found.rows),
        **table_view(request, "partitions", view.here(page, url)),
        "view": view,
        "count": page.paginator.count,
        "total": len(known.rows),
        "has_search": len(known.rows) > PAGE or bool(view.q and known.rows),
        "partitions_denied": found.partitions is Unread.NOT_PERMITTED,
        "columns": view.columns(url),
        "pager": view.pager(page, url),
        "partitions": rows,
    }


def _left_by(name: str) -> uuid.UUID | None:
    """The operation of strict mode that left it under its private name."""
    operation = operation_of(name, DROP)
    intent = intent_of(operation) if operation else None
    return operation if intent and name == intent.private_name else None
