"""Jump: find a cluster, a database, a collection or an operation by its name, and go there."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from ..access.policy import Action, Place, databases_named, matches, place_of, visible
from ..audit import queries
from ..audit.search import holds
from ..clusters import Milvus
from ..milvus.errors import Denied, MilvusError
from ..milvus.types import Target
from ..operations.kinds.acts import ACTS
from . import links
from .errors import of_milvus
from .http import open_cluster, page_or_part, visible_clusters
from .my_places import places_of
from .request import SignedInRequest
from .view_policy import policy

JUMP = "collections_app/_jump.html"
MOST = 20  # results of a cluster
DATABASES = 20  # whose collections are read for one answer


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
        "hits": [*_operation(request, q), *hits],
        "clusters": seen if q else [],
        "places": None if q else places_of(request),
        "title": "Jump",
        "section": "jump",
    }
    part = "collections_app/_jump_palette.html" if is_palette else JUMP
    return page_or_part(request, "collections_app/jump.html", part, context)


@require_safe
@policy(Action.VIEW)
def names(request: SignedInRequest, cluster: str) -> HttpResponse:
    """The databases and collections of one cluster, read from it now."""
    milvus, q = open_cluster(request, cluster), _wanted(request)
    context = {"q": q, "found_in": milvus.cluster, "title": "Jump", "section": "jump"}
    try:
        hits = list(islice(_names(request, milvus, q), MOST + 1)) if q else []
        context |= {"hits": hits[:MOST], "has_more": len(hits) > MOST}
    except MilvusError as exc:
        context |= {"hits": [], "problem": of_milvus(exc)}
    part = "collections_app/_jump_names.html"
    return page_or_part(request, "collections_app/jump_names.html", part, context)


def _wanted(request: SignedInRequest) -> str:
    return request.GET.get("q", "")[:255].strip()


def _operation(request: SignedInRequest, q: str) -> Iterator[Hit]:
    """The operation of that id, if this person may open its page."""
    try:
        found = queries.story(uuid.UUID(q))
    except ValueError:
        return
    if found is None:
        return
    target, may = Target.of(found.first.record["target"]), request.permissions.may
    place = place_of(target)
    if may(Action.VIEW, place) or may(Action.READ_AUDIT, place):
        title = ACTS[Action(found.first.row.action)].title(target)
        yield Hit(kind="operation", name=title, url=links.operation(q))


def _names(request: SignedInRequest, milvus: Milvus, q: str) -> Iterator[Hit]:
    """Databases first, then collections, database by database."""
    key = milvus.cluster.key
    seen = _databases(request, milvus)
    for database in seen:
        if holds(database, q):
            yield Hit(kind="database", name=database, url=links.collections(key, database))
    for database in seen[:DATABASES]:
        patterns = visible(request.actor, key, database)
        for name in sorted(milvus.gateway.collections(database).names):
            if holds(name, q) and matches(patterns, name):
                url = links.collection(key, database, name)
                yield Hit(kind="collection", name=name, url=url, where=database)


def _databases(request: SignedInRequest, milvus: Milvus) -> list[str]:
    """Those that this person may see; those that rules name, if Milvus lists none to us."""
    key = milvus.cluster.key
    try:
        found = milvus.gateway.databases()
    except Denied:
        found = list(dict.fromkeys(["default", *databases_named(request.actor, key)]))
    may = request.permissions.may
    return [name for name in found if may(Action.VIEW, Place(cluster=key, database=name))]
