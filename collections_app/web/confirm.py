"""The view of the dialogs: it shows them, and carries out what was confirmed.

Deciding is operations/protocol.py's.
"""

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from .. import clusters
from ..access import approval
from ..access.policy import Action, place_of, sign_in_needed
from ..access.principals import caller_of
from ..audit.log import Outcome
from ..milvus.errors import MilvusError, NotFound
from ..milvus.types import Kind, Target
from ..names import is_server_name
from ..operations import confirmation, protocol
from ..operations.confirmation import Confirmation
from ..operations.kinds import OPERATIONS
from ..operations.kinds.acts import ACTS
from ..operations.kinds.base import other
from ..operations.kinds.create_collection import NO_SOURCE, source_of
from ..plans import approving
from ..plans.rows import PlanRejected
from . import draft, links
from .dialog import Dialog, Notice, TargetChanged, build_dialog, form_for, page_of
from .errors import Problem, show
from .forms import NameForm, ReasonForm
from .http import go_to, is_htmx_part, named, open_cluster, page_or_part, swap_in
from .request import SignedInRequest
from .shown import shown, word
from .view_policy import policy

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as StrOrPromise

# What an act clears the way for; `then` in the address says which.
NEXT = {
    Action.RELEASE_PARTITION: {Action.DROP_PARTITION},
    Action.DROP_ALIAS: {Action.DROP_COLLECTION, Action.MOVE_TO_BIN},
}
OFFERING = {Action.RESTORE, Action.CREATE}  # their pages offer what they do not bring back
ELSEWHERE = {Kind.BINNED, Kind.NEW}  # no collection of that name is in the list
BY_SLUG = {act.slug: action for action, act in ACTS.items()}

CHANGED = Problem(
    status=409,
    title=_("It changed since you opened this dialog"),
    text=_(
        "It changed while you signed in, or something else has its name now. Nothing was sent to "
        "Milvus. Open the dialog again to see the current state."
    ),
    retry=True,
)

EXPIRED = _("This dialog was open for too long. It shows the current state now. Nothing was sent.")
NOT_ASKED = _("No approval was requested")
SIGN_IN_TOO_OLD = _("Nothing was sent: this cluster requires a more recent sign-in.")


@policy(reauthenticate=True, resumable=True)
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: SignedInRequest, cluster: str, action: Action) -> HttpResponse:
    """GET shows what would be lost and asks for the name; POST does it."""
    target = _target(request, cluster, action)
    asked = request.method == "POST" and can_exist(target)
    protocol.authorize(action, target, caller_of(request), asked=asked)
    if target.kind is Kind.NEW:
        _require_visible_source(request, target)
    open_cluster(request, cluster)
    if request.method != "POST":
        return _show(request, action, target, saved=draft.pop(request))
    return _carry_out(request, action, target)


def _target(request: SignedInRequest, cluster: str, action: Action) -> Target:
    kind = ACTS[action].kind
    collection = named(request, "collection")
    name = collection if kind is Kind.COLLECTION else named(request, "name")
    database = named(request, "database", "default")
    return Target(cluster=cluster, database=database, kind=kind, collection=collection, name=name)


def _require_visible_source(request: SignedInRequest, target: Target) -> None:
    """Raises NotFound unless this person may see what is created again, under its own name."""
    place = place_of(source_of(target).target)
    if not request.permissions.may(Action.VIEW, place):
        raise NotFound(NO_SOURCE)


def can_exist(target: Target) -> bool:
    """Whether there can be such a thing at all. What can't be needs no record of who asked."""
    cluster = settings.CLUSTERS.get(target.cluster)
    if cluster is None:
        return False
    is_lite = cluster.is_embedded
    return is_lite or all(map(is_server_name, (target.database, target.collection, target.name)))


def _show(
    request: SignedInRequest, action: Action, target: Target, status: int = 200, **options: Any
) -> HttpResponse:
    """The dialog as it is now, with the `options` of `build_dialog`."""
    try:
        dialog = build_dialog(request, action, target, **options)
    except TargetChanged:
        return show(request, CHANGED)
    if dialog.sign_in_url:
        _save(request, dialog)
    context = {
        "dialog": dialog,
        "cluster": dialog.cluster,
        "database": target.database,
        "title": dialog.title,
        "collection_here": "" if target.kind in ELSEWHERE else target.collection,
    }
    page, part = "collections_app/confirm.html", "collections_app/_confirm.html"
    return page_or_part(request, page, part, context, status)


def _save(request: SignedInRequest, dialog: Dialog) -> None:
    """Keep what was shown and typed for after the sign-in."""
    token, reason = (dialog.form[name].value() for name in ("token", "reason"))
    draft.save(request, str(token or ""), str(reason or ""))


def _carry_out(request: SignedInRequest, action: Action, target: Target) -> HttpResponse:
    form = form_for(action)(request.POST, expected=target.shown_name)
    caller = caller_of(request)
    token = request.POST.get("token", "")
    try:
        consent = confirmation.read(token, action=action, target=target, actor=caller.actor)
    except confirmation.Expired:
        return _show(request, action, target, notice=_refusal(EXPIRED), status=409)
    except confirmation.Forged as exc:
        protocol.record_forgery(action, target, caller, f"Invalid confirmation: {exc}")
        text = gettext("Invalid confirmation: %(why)s. Nothing was sent.") % {"why": shown(exc)}
        return _show(request, action, target, notice=_refusal(text), status=403)
    if sign_in_needed(caller.actor, target.cluster):
        notice = _refusal(SIGN_IN_TOO_OLD)
        return _show(request, action, target, form=form, notice=notice, status=403)
    if not form.is_valid() or _is_name_refused(action, target, form):
        status = 200 if is_htmx_part(request) else 422  # htmx swaps it; the console stays clean
        return _show(request, action, target, form=form, status=status)
    if approval.is_needed(action, place_of(target)):
        return _ask(request, consent, form.cleaned_data["reason"])
    consent = confirmation.under_name(consent, form.cleaned_data.get("new_name", ""))
    if until := form.cleaned_data.get("until"):
        consent = replace(consent, until=until.isoformat())
    return _perform(request, consent, form.cleaned_data["reason"])


def _refusal(text: "StrOrPromise") -> Notice:
    return Notice(str(text), is_refusal=True)


def _is_name_refused(action: Action, target: Target, form: ReasonForm) -> bool:
    """Whether the thing can't get the name that was typed, and the form says so."""
    if not isinstance(form, NameForm):
        return False
    named_so = replace(target, collection=form.cleaned_data["new_name"])
    gateway = clusters.get(target.cluster).gateway
    is_refused = OPERATIONS[action].refuses_name(gateway, named_so)
    if is_refused:
        form.refuse_taken_name()
    return is_refused


def _ask(request: SignedInRequest, consent: Confirmation, reason: str) -> HttpResponse:
    """Nothing is sent before a second person approved it: the act becomes a plan of one."""
    try:
        plan = approving.ask(consent, caller_of(request), reason=reason)
    except protocol.AlreadyUsed:
        return go_to(request, links.operation(str(consent.operation_id)))
    except PlanRejected as exc:
        text = gettext("%(why)s. No approval was requested, and nothing was sent to Milvus.") % {
            "why": shown(exc)
        }
        return show(request, Problem(status=409, title=NOT_ASKED, text=text))
    return go_to(request, links.plan(plan.pk))


def _perform(request: SignedInRequest, consent: Confirmation, reason: str) -> HttpResponse:
    """Success leads back to where one was, or to the next step; all else to the operation."""
    operation_url = links.operation(str(consent.operation_id))
    try:
        outcome = protocol.perform(consent, caller_of(request), reason=reason)
    except protocol.AlreadyUsed:
        return go_to(request, operation_url)
    if outcome is not Outcome.SUCCEEDED:
        return go_to(request, operation_url)
    return _after_success(request, consent)


def _after_success(request: SignedInRequest, consent: Confirmation) -> HttpResponse:
    action, target = consent.action, consent.target
    done, proof = ACTS[action].done, OPERATIONS[action].proof
    text = gettext("%(kind)s %(name)s was %(done)s. %(proof)s") % {
        "kind": capfirst(word(target.noun)),
        "name": target.shown_name,
        "done": word(done),
        "proof": shown(proof),
    }
    after = BY_SLUG.get(request.GET.get("then", ""))
    if after and after in NEXT.get(action, set()):
        # This act is done, whatever the next one meets: a rule without it, or an unread target.
        with suppress(MilvusError, protocol.OperationRejected):
            following = _next_target(action, target)
            protocol.authorize(after, following, caller_of(request), asked=False)
            return _show(request, after, following, notice=Notice(text))
    messages.success(request, text, extra_tags=str(consent.operation_id))
    if action in OFFERING:
        return swap_in(request, links.operation(str(consent.operation_id)))
    return swap_in(request, page_of(action, target))


def _next_target(action: Action, target: Target) -> Target:
    if action is Action.RELEASE_PARTITION:
        return target
    return other(target, Kind.COLLECTION, target.collection)
