"""Home: what each cluster is like now, and what happened on it lately."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from ..access.policy import Action
from ..audit import activity
from ..drift.inventory import last_listed
from ..milvus.types import Cluster
from ..plans.finding import open_plans
from ..rehearsal.record import standing
from .http import find_cluster, page_or_part, visible_clusters
from .my_places import places_of
from .overview import chart, contact, open_operations, recycle_bins, tasks
from .request import SignedInRequest
from .view_policy import policy


@policy()
@require_safe
def home(request: SignedInRequest) -> HttpResponse:
    """A card for each cluster that this person may see. No cluster is asked for this page."""
    permissions = request.permissions
    if not permissions.may_somewhere(Action.VIEW):
        return redirect("audit" if permissions.may_somewhere(Action.READ_AUDIT) else "access")
    context = {
        "clusters": visible_clusters(request),
        "places": places_of(request),
        "tasks": tasks(),
        "title": gettext("Clusters"),
        "section": "home",
    }
    return render(request, "collections_app/home.html", context)


@policy()
@require_safe
def overview(request: SignedInRequest, cluster: str) -> HttpResponse:
    """The card of one cluster: it comes by itself, so no other cluster waits for this one."""
    milvus = find_cluster(request, cluster)
    context = {
        "cluster": milvus.cluster,
        "contact": contact(request, milvus),
        "title": milvus.cluster.label,
        **_recorded(request, milvus.cluster),
    }
    return page_or_part(
        request, "collections_app/overview.html", "collections_app/_overview.html", context
    )


def _recorded(request: SignedInRequest, cluster: Cluster) -> dict[str, Any]:
    """What the database of Milvus Admin knows of a cluster, whether it answers or not."""
    listed = last_listed(cluster.key)
    bins = recycle_bins(cluster.key, request.permissions)
    return {
        "chart": chart(
            activity.drops_by_day(cluster.key, request.actor), is_watched=listed is not None
        ),
        "recent": activity.recent(cluster.key, request.actor),
        "listed": listed,
        "open": open_operations(cluster.key, request.permissions),
        "bins": bins,
        "has_bin": cluster.recycle_bin is not None or bool(bins),
        "plans": open_plans(request.actor, cluster.key),
        "rehearsal": standing(cluster),
        "is_server": "://" in cluster.uri,
    }
