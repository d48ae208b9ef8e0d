"""Dialogs that destroy, and the page of an operation. Deciding is operations/protocol.py's."""

import json
import uuid
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from .. import clusters
from ..access.policy import Action, Place, place_of, sign_in_needed
from ..access.principals import caller_of
from ..audit import queries
from ..audit.events import Intent
from ..audit.log import Outcome
from ..milvus.errors import MilvusError, Unreachable
from ..milvus.types import Cluster, Kind, Target
from ..names import is_server_name
from ..operations import claims, confirmation, protocol
from ..operations.confirmation import Confirmation
from ..operations.kinds import OPERATIONS
from ..operations.kinds.base import TargetState
from ..operations.reconcile import can_be_asked, settle
from . import draft, links
from . import snippets as web_snippets
from .errors import Problem, show
from .facts import dialog_facts, snapshot_facts
from .forms import ConfirmForm
from .http import go_to, is_htmx_part, named, open_cluster, page_or_part
from .request import SignedInRequest
from .timeline import timeline
from .view_policy import policy

# What an act clears the way for.
NEXT = {
    Action.RELEASE_PARTITION: Action.DROP_PARTITION,
    Action.DROP_ALIAS: Action.DROP_COLLECTION,
}


VERIFYING = "Unknown – verifying"
ANOTHER = Problem(
    status=409,
    title="It changed since you opened this dialog",
    text="It changed while you signed in, or something else has its name now. Nothing was sent to "
    "Milvus. Open the dialog again to see the current state.",
    retry=True,
)


@policy(reauthenticate=True, resumable=True)
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: SignedInRequest, cluster: str, action: Action) -> HttpResponse:
    """GET shows what would be lost and asks for the name; POST does it."""
    target = _target(request, cluster, action)
    asked = request.method == "POST" and can_exist(target)
    protocol.authorize(action, target, caller_of(request), asked=asked)
    open_cluster(request, cluster)
    if request.method != "POST":
        return _dialog(request, action, target, left=draft.pop(request))
    return _carry_out(request, action, target)


def can_exist(target: Target) -> bool:
    """Whether there can be such a thing at all. What can't be needs no record of who asked."""
    cluster = settings.CLUSTERS.get(target.cluster)
    if cluster is None:
        return False
    is_lite = "://" not in cluster.uri
    return is_lite or all(map(is_server_name, (target.database, target.collection, target.name)))


def _target(request: SignedInRequest, cluster: str, action: Action) -> Target:
    kind = OPERATIONS[action].kind
    collection = named(request, "collection")
    name = collection if kind is Kind.COLLECTION else named(request, "name")
    database = named(request, "database", "default")
    return Target(cluster=cluster, database=database, kind=kind, collection=collection, name=name)


def _dialog(
    request: SignedInRequest,
    action: Action,
    target: Target,
    *,
    bound: ConfirmForm | None = None,
    left: draft.SavedConfirmation | None = None,
    notice: str = "",
    status: int = 200,
) -> HttpResponse:
    """The dialog for a target as it is now. `bound` keeps what was typed, and its token.

    `left` is a dialog that was left for signing in: what it showed still has to be there.
    """
    milvus, operation = open_cluster(request, target.cluster), OPERATIONS[action]
    look = operation.read_state(milvus.gateway, target)
    consent, reason = _consent(request, action, target, look, left)
    if consent.identity != look.identity:
        return show(request, ANOTHER)
    initial = {"token": confirmation.sign(consent), "reason": reason}
    form = bound or ConfirmForm(expected=target.name, initial=initial)
    again = sign_in_needed(request.actor, target.cluster) and not look.blockers
    if again:
        draft.save(request, str(form["token"].value() or ""), str(form["reason"].value() or ""))
    context = {
        "again": _sign_in_again(request) if again else "",
        "sign_in_age": request.actor.sign_in_age,
        "cluster": milvus.cluster,
        "database": target.database,
        "operation": operation,
        "target": target,
        "look": look,
        "facts": list(dialog_facts(target, look)),
        "blockers": [(b, _remedy_url(b)) for b in look.blockers],
        "form": form,
        "notice": notice,
        "claim": claims.claim_on(target),
        "snippets": snippets(action, target, milvus.cluster.endpoint, look.server.version),
        "history": queries.recent_operations(target.cluster, target.database, target.collection)[
            :1
        ],
        "back": _page_of(target),
        "act_url": links.act(action, target, request.GET.get("then", "")),
        "title": f"{operation.verb} {target.kind} {target.name}",
    }
    page, part = "collections_app/confirm.html", "collections_app/_confirm.html"
    return page_or_part(request, page, part, context, status)


def _consent(
    request: SignedInRequest,
    action: Action,
    target: Target,
    look: TargetState,
    left: draft.SavedConfirmation | None,
) -> tuple[Confirmation, str]:
    """The confirmation of the dialog that was left, if it was for this; else a new one."""
    actor = request.actor
    if left is not None:
        with suppress(confirmation.Expired, confirmation.Forged):
            found = confirmation.read(left.token, action=action, target=target, actor=actor)
            return found, left.reason
    return confirmation.confirm(action, target, look, actor), ""


def _sign_in_again(request: SignedInRequest) -> str:
    """The door, leading back to this dialog as a page of its own."""
    query = urlencode({"fresh": "1", "next": request.get_full_path()})
    return f"{reverse('sign-in')}?{query}"


def _remedy_url(blocker: Any) -> str:
    if blocker.remedy is None:
        return ""
    return links.act(blocker.remedy, blocker.remedy_target, then="drop")


def snippets(
    action: Action, target: Target, endpoint: str, version: str
) -> tuple[web_snippets.Snippet, ...]:
    """The six code forms of a drop; none for the smaller acts."""
    where: dict[str, str] = {
        "endpoint": endpoint,
        "database": target.database,
        "collection": target.collection,
        "server_version": version,
    }
    if action is Action.DROP_COLLECTION:
        return web_snippets.drop_collection(**where)
    if action is Action.DROP_PARTITION:
        return web_snippets.drop_partition(partition=target.name, **where)
    return ()


def _page_of(target: Target) -> str:
    """Where to go when the dialog is left: the list for a collection, else the collection."""
    if target.kind is Kind.COLLECTION:
        return links.collections(target.cluster, target.database)
    return links.collection(target.cluster, target.database, target.collection)


def _carry_out(request: SignedInRequest, action: Action, target: Target) -> HttpResponse:
    form = ConfirmForm(request.POST, expected=target.name)
    caller = caller_of(request)
    try:
        consent = confirmation.read(
            request.POST.get("token", ""), action=action, target=target, actor=caller.actor
        )
    except confirmation.Expired:
        notice = (
            "This dialog was open for too long. It shows the current state now. Nothing was sent."
        )
        return _dialog(request, action, target, notice=notice, status=409)
    except confirmation.Forged as exc:
        protocol.record_forgery(action, target, caller, f"Invalid confirmation: {exc}")
        notice = f"Invalid confirmation: {exc}. Nothing was sent."
        return _dialog(request, action, target, notice=notice, status=403)
    if sign_in_needed(caller.actor, target.cluster):
        notice = "Nothing was sent: this cluster requires a more recent sign-in."
        return _dialog(request, action, target, bound=form, notice=notice, status=403)
    if not form.is_valid():
        status = 200 if is_htmx_part(request) else 422  # htmx swaps it; the console stays clean
        return _dialog(request, action, target, bound=form, status=status)
    try:
        outcome = protocol.perform(consent, caller, reason=form.cleaned_data["reason"])
    except protocol.AlreadyUsed:
        return go_to(request, links.operation(str(consent.operation_id)))
    return _after(request, action, target, consent.operation_id, outcome)


def _after(
    request: SignedInRequest,
    action: Action,
    target: Target,
    operation_id: uuid.UUID,
    outcome: Outcome,
) -> HttpResponse:
    """Success leads back to where one was, or to the next step; all else to the operation."""
    if outcome is not Outcome.SUCCEEDED:
        return go_to(request, links.operation(str(operation_id)))
    operation = OPERATIONS[action]
    text = f"{target.kind.capitalize()} {target.name} was {operation.done_word}. {operation.proof}"
    if request.GET.get("then") and action in NEXT:
        with suppress(MilvusError):  # this act is done, whatever the next look meets
            return _dialog(request, NEXT[action], _next_target(action, target), notice=text)
    messages.success(request, text, extra_tags=str(operation_id))
    return go_to(request, _page_of(target))


def _next_target(action: Action, target: Target) -> Target:
    if action is Action.RELEASE_PARTITION:
        return target
    return Target(
        cluster=target.cluster,
        database=target.database,
        kind=Kind.COLLECTION,
        collection=target.collection,
        name=target.collection,
    )


# --- the operation's page -------------------------------------------------------------------------


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
        settle(operation_id, caller_of(request))
    if not is_htmx_part(request):
        return go_to(request, links.operation(str(operation_id)))
    return _show(request, operation_id)


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
        "can_be_asked": bool(found.intent) and can_be_asked(Intent.of(row)),
        "cluster": _linkable(request, row.cluster),
        "database": row.database,
        "target": target,
        "operation": OPERATIONS[action],
        "details": details,
        "status": VERIFYING if found.is_open else found.outcome,
        "timeline": timeline(found.events),
        "facts": snapshot_facts(target, details),
        "snapshot": _pretty(details.get("snapshot")),
        "section": "audit",
        "snippets": snippets(
            action, target, details.get("endpoint", ""), details.get("server_version", "")
        ),
        "title": f"{OPERATIONS[action].verb} {target.kind} {target.name}",
    }
    page, part = "collections_app/operation.html", "collections_app/_operation.html"
    return page_or_part(request, page, part, context)


def _linkable(request: SignedInRequest, key: str) -> Cluster | None:
    """The cluster, if it is still configured and this person may open its pages."""
    place = Place(cluster=key)
    return settings.CLUSTERS.get(key) if request.rights.may(Action.VIEW, place) else None


def _story(request: SignedInRequest, operation_id: uuid.UUID) -> queries.Story:
    """The operation. Http404 if there is none, or if this person may not know of it."""
    found = queries.story(operation_id)
    if found is None or not _readable(request, found):
        raise Http404(_no_such_operation())
    return found


def _no_such_operation() -> str:
    """The same for all that is not shown, whatever the reason."""
    if not (last := queries.removed_until()):
        return "No such operation"
    return (
        f"No such operation. Events 1 to {last} were removed from this log. Sealed files hold "
        "them: ask the person who keeps those."
    )


def _readable(request: SignedInRequest, found: queries.Story) -> bool:
    """What one may see, and what one may read in the log."""
    place = place_of(Target.of(found.first.record["target"]))
    return any(request.rights.may(action, place) for action in (Action.VIEW, Action.READ_AUDIT))


@require_safe
@policy(Action.VIEW, Action.READ_AUDIT)
def snapshot(request: SignedInRequest, operation_id: uuid.UUID) -> HttpResponse:
    """The snapshot of an intent as a file: enough to re-create the collection, empty."""
    intent = _story(request, operation_id).intent
    if intent is None:
        raise Http404("This operation sent nothing, so it has no snapshot")
    body = _pretty(intent.details["snapshot"])
    response = HttpResponse(body, content_type="application/json; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="snapshot-{operation_id}.json"'
    return response


def _pretty(snapshot: Any) -> str:
    return json.dumps(snapshot, indent=2, ensure_ascii=False)
