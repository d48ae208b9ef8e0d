"""Jump: find a place by its name, an operation by its id or a plan by its number, and go there."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from django.conf import settings
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from ..access.policy import Action, place_of
from ..audit import queries
from ..audit.search import holds
from ..clusters import Milvus
from ..milvus.errors import MilvusError
from ..milvus.types import Target, Unread
from ..operations.kinds.acts import ACTS
from ..plans import finding
from ..plans.progress import progress_of
from . import links
from .errors import of_milvus
from .http import find_cluster, page_or_part, visible_clusters
from .my_places import places_of
from .places import collections_seen, databases_seen
from .plan_rows import title_of
from .request import SignedInRequest
from .shown import shown
from .view_policy import policy

JUMP = "collections_app/_jump.html"
MOST = 20  # results of a cluster
DATABASES = 20  # whose collections are read for one answer
FEW = 5  # collections whose partitions are read for one answer; operations that are shown
PLAN = re.compile(r"(?:plan *)?#? *([0-9]{1,9})", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A place to go to. `kind` says what it is."""

    kind: str
    name: str
    url: str
    where: str = ""


@require_safe
@policy(Action.VIEW, Action.READ_AUDIT)
def jump(request: SignedInRequest) -> HttpResponse:
    """Clusters and operations at once; each cluster's own names come in a part of their own.

    `palette=1` asks for the form and its results as the content of the dialog.
    """
    q = _wanted(request)
    seen = visible_clusters(request)
    hits = [
        Hit(kind="cluster", name=cluster.label, url=reverse("databases", args=[cluster.key]))
        for cluster in seen
        if holds(cluster.label, q) or holds(cluster.key, q)
    ]
    is_palette = request.GET.get("palette") == "1"
    context = {
        "q": q,
        "is_palette": is_palette,
        "hits": [*_plan(request, q), *islice(_operations(request, q), FEW), *hits],
        "clusters": seen if q else [],
        "places": None if q else places_of(request),
        "title": gettext("Jump"),
        "section": "jump",
    }
    part = "collections_app/_jump_palette.html" if is_palette else JUMP
    return page_or_part(request, "collections_app/jump.html", part, context)


@require_safe
@policy(Action.VIEW)
def names(request: SignedInRequest, cluster: str) -> HttpResponse:
    """The databases, collections and partitions of one cluster, read from it now."""
    milvus, q = find_cluster(request, cluster), _wanted(request)
    context = {"q": q, "found_in": milvus.cluster, "title": gettext("Jump"), "section": "jump"}
    try:
        request.slots.acquire(milvus)
        hits = list(islice(_names(request, milvus, q), MOST + 1)) if q else []
        context |= {"hits": hits[:MOST], "has_more": len(hits) > MOST}
    except MilvusError as exc:
        context |= {"hits": [], "problem": of_milvus(exc, milvus.cluster)}
    part = "collections_app/_jump_names.html"
    return page_or_part(request, "collections_app/jump_names.html", part, context)


def _wanted(request: SignedInRequest) -> str:
    return request.GET.get("q", "")[:255].strip()


def _operations(request: SignedInRequest, q: str) -> Iterator[Hit]:
    """Those whose id begins so, as far as this person may open their pages."""
    may = request.permissions.may
    for row in queries.begun_with(q, 4 * FEW):
        target = Target.of(json.loads(row.record)["target"])
        place = place_of(target)
        if may(Action.VIEW, place) or may(Action.READ_AUDIT, place):
            title, url = (
                shown(ACTS[Action(row.action)].title(target)),
                links.operation(f"{row.operation_id}"),
            )
            yield Hit(kind="operation", name=title, url=url, where=f"{row.operation_id}"[:8])


def _plan(request: SignedInRequest, q: str) -> Iterator[Hit]:
    """The plan of that number: 12, #12 or plan 12."""
    number = PLAN.fullmatch(q)
    plan = finding.find(int(number[1]), request.actor) if number else None
    if plan and plan.cluster in settings.CLUSTERS:
        title = f"{plan.pk}: {title_of(plan, progress_of(plan).listed)}"
        yield Hit(kind="plan", name=title, url=links.plan(plan.pk))


def _names(request: SignedInRequest, milvus: Milvus, q: str) -> Iterator[Hit]:
    """Databases first, then collections, then partitions of a collection named before a slash."""
    key, seen = milvus.cluster.key, databases_seen(request, milvus).names
    for database in seen:
        if holds(database, q):
            yield Hit(kind="database", name=database, url=links.collections(key, database))
    *inside, wanted = q.split("/")
    of_partitions: list[tuple[str, str]] = []
    for database in seen[:DATABASES]:
        for name in collections_seen(request, milvus, database):
            if _is_there([database, name], inside, wanted):
                url = links.collection(key, database, name)
                yield Hit(kind="collection", name=name, url=url, where=database)
            if inside and _is_there([database, name], inside[:-1], inside[-1]):
                of_partitions.append((database, name))
    yield from _partitions(milvus, of_partitions, inside, wanted)


def _is_there(path: list[str], inside: list[str], wanted: str) -> bool:
    """Whether the last name of a path holds what is wanted, and those before it what is before it.

    `book` is wanted anywhere; `default/book` only where the name before holds `default`.
    """
    *parents, name = path
    if len(inside) > len(parents) or not holds(name, wanted):
        return False
    before = parents[len(parents) - len(inside) :]
    return all(holds(parent, part) for parent, part in zip(before, inside, strict=True))


def _partitions(
    milvus: Milvus, collections: list[tuple[str, str]], inside: list[str], wanted: str
) -> Iterator[Hit]:
    """The partitions of a few collections, those first whose name is just what was typed."""
    exact = inside[-1:]
    few = sorted(collections, key=lambda place: [place[1]] != exact)[:FEW]
    read = milvus.gateway.each(lambda place: milvus.gateway.partitions(*place), few)
    for (database, name), partitions in zip(few, read, strict=True):
        for partition in () if isinstance(partitions, Unread) else partitions:
            if holds(partition.name, wanted):
                url = links.collection(milvus.cluster.key, database, name, q=partition.name)
                where = f"{database} / {name}"
                yield Hit(kind="partition", name=partition.name, url=url, where=where)
