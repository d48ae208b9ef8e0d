"""The page of an operation: what happened, and whether it is settled."""

import json
import logging
import uuid
from typing import Any

from django.conf import settings
from django.http import Http404, HttpResponse
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from .. import clusters
from ..access.policy import Action, Place, place_of
from ..access.principals import caller_of
from ..audit import log, queries
from ..milvus.errors import Unreachable
from ..milvus.types import Cluster, Kind, Target
from ..operations.kinds.acts import ACTS
from ..operations.reconcile import settle
from . import links, related, snippets
from .facts import made_facts, snapshot_facts
from .http import go_to, is_htmx_part, page_or_part
from .live import live
from .offers import made_by, offer_to_create, offers_of
from .request import SignedInRequest
from .shown import shown
from .steps import Step
from .timeline import timeline
from .view_policy import policy

logger = logging.getLogger(__name__)

IN_PROGRESS, VERIFYING = gettext_lazy("In progress"), gettext_lazy("Unknown – verifying")


@require_safe
@policy(Action.VIEW, Action.READ_AUDIT)
def story(request: SignedInRequest, operation_id: uuid.UUID) -> HttpResponse:
    """What happened, in time order."""
    return _show(request, operation_id)


@require_POST
@policy(Action.VIEW, Action.READ_AUDIT)
def look_again(request: SignedInRequest, operation_id: uuid.UUID) -> HttpResponse:
    """Look whether an open operation can be settled. Sends nothing that changes Milvus."""
    found = _story(request, operation_id)
    if found.is_open and found.intent and _acquired_slot(request, found.first.row.cluster):
        _settle(request, operation_id)
    if not is_htmx_part(request):
        return go_to(request, links.operation(str(operation_id)))
    response = _show(request, operation_id)
    if _story(request, operation_id).is_open:
        # Still open: what somebody reads or selects beside the timeline stays as it is.
        response["HX-Retarget"] = response["HX-Reselect"] = "#live"
    return response


def _settle(request: SignedInRequest, operation_id: uuid.UUID) -> None:
    """Without a log the operation stays open. The page for that says that nothing was sent."""
    try:
        settle(operation_id, caller_of(request))
    except log.LogUnwritable as exc:
        logger.error("operation %s can't be settled: %s", operation_id, exc)


def _acquired_slot(request: SignedInRequest, key: str) -> bool:
    """Whether there is room to wait for that cluster. Without it the next look will do."""
    try:
        request.slots.acquire(clusters.get(key))
    except clusters.UnknownCluster:
        return True  # settling says so
    except Unreachable:
        return False
    return True


def _show(request: SignedInRequest, operation_id: uuid.UUID) -> HttpResponse:
    found = _story(request, operation_id)
    row, record = found.first.row, found.first.record
    action, target = Action(row.action), Target.of(record["target"])
    details = record["details"]
    context = {
        "story": found,
        "live": live(found),
        "cluster": _linkable(request, row.cluster),
        "cluster_label": clusters.label(row.cluster),
        "database": row.database,
        "target": target,
        "act": ACTS[action],
        "details": details,
        "status": _status(found),
        "timeline": _timeline(request, found),
        "plan_links": related.plan_link(found),
        "facts": snapshot_facts(target, details),
        "snapshot": _pretty(details.get("snapshot")),
        "section": "audit",
        "snippets": snippets.of_act(
            action, target, details.get("endpoint", ""), details.get("server_version", "")
        ),
        "title": shown(ACTS[action].title(target)),
        "offers": offers_of(found, request.permissions),
        "offer_to_create": offer_to_create(found, request.permissions),
        "source": target.name if target.kind is Kind.NEW else "",
        "made": _made(found),
    }
    page, part = "collections_app/operation.html", "collections_app/_operation.html"
    return page_or_part(request, page, part, context)


def _status(found: queries.Story) -> str:
    if not found.is_open:
        return found.outcome
    return str(VERIFYING if found.events[-1].row.outcome else IN_PROGRESS)


def _timeline(request: SignedInRequest, found: queries.Story) -> list[Step]:
    """Its steps, between what came before it and after it as far as this person may know."""

    def is_readable(story: queries.Story) -> bool:
        return _readable(request, story)

    return [
        *related.before(found, is_readable),
        *timeline(found.events, found.progress),
        *related.after(found, is_readable),
    ]


def _made(found: queries.Story) -> dict[str, Any] | None:
    """What a creation made: for the page, and as the description of it."""
    made = made_by(found)
    return made and {"facts": made_facts(made), "snapshot": _pretty(made["snapshot"])}


def _linkable(request: SignedInRequest, key: str) -> Cluster | None:
    """The cluster, if it is still configured and this person may open its pages."""
    place = Place(cluster=key)
    return settings.CLUSTERS.get(key) if request.permissions.may(Action.VIEW, place) else None


def _story(request: SignedInRequest, operation_id: uuid.UUID) -> queries.Story:
    """The operation. Http404 if there is none, or if this person may not know of it."""
    found = queries.story(operation_id)
    if found is None or not _readable(request, found):
        raise Http404(_no_such_operation())
    return found


def _no_such_operation() -> str:
    """The same for all that is not shown, whatever the reason."""
    if not (last := queries.removed_until()):
        return gettext("No such operation")
    text = gettext(
        "No such operation. Events 1 to %(last)s were removed from this log. Sealed files hold "
        "them: ask the person who keeps those."
    )
    return text % {"last": last}


def _readable(request: SignedInRequest, found: queries.Story) -> bool:
    """What one may see, and what one may read in the log."""
    place = place_of(Target.of(found.first.record["target"]))
    may = request.permissions.may
    return may(Action.VIEW, place) or may(Action.READ_AUDIT, place)


@require_safe
@policy(Action.VIEW, Action.READ_AUDIT)
def snapshot(request: SignedInRequest, operation_id: uuid.UUID) -> HttpResponse:
    """The snapshot of an intent as a file: enough to re-create the collection, empty."""
    intent = _story(request, operation_id).intent
    if intent is None:
        raise Http404(gettext("This operation sent nothing, so it has no snapshot"))
    body = _pretty(intent.details["snapshot"])
    response = HttpResponse(body, content_type="application/json; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="snapshot-{operation_id}.json"'
    return response


def _pretty(snapshot: Any) -> str:
    return json.dumps(snapshot, indent=2, ensure_ascii=False)
