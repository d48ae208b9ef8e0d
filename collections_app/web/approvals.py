"""Two people: the requests that wait for somebody, and what they decide about one."""

from typing import TYPE_CHECKING, Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from .. import clusters
from ..access.policy import Action
from ..access.principals import caller_of
from ..plans import approving, delivery, finding, tasks
from ..plans.deciding import WrongSentence
from ..plans.progress import progress_of
from ..plans.rows import Plan, PlanRejected, PlanState, requester_of
from . import links
from .forms import ApprovalForm, RejectForm
from .http import go_to, is_htmx_part
from .plan_page import find_plan, not_started, show_plan
from .plan_rows import title_of
from .request import SignedInRequest
from .shown import shown, word
from .view_policy import policy

if TYPE_CHECKING:
    from ..models import Notification


@require_safe
@policy(Action.VIEW)
def listing(request: SignedInRequest) -> HttpResponse:
    """What waits for this person's approval, and what they asked for."""
    context = {
        "waiting": [_row(plan) for plan in approving.for_approval(request.actor)],
        "requests": [_row(plan) for plan in approving.asked_by(request.actor)],
        "undelivered": [one for one in delivery.problems() if _may_see(request, one)],
        "attempts": delivery.ATTEMPTS,
        "title": gettext("Approvals"),
        "section": "approvals",
    }
    return render(request, "collections_app/approvals.html", context)


def _may_see(request: SignedInRequest, notification: "Notification") -> bool:
    """Of a plan that is hidden, nothing is told here either."""
    if notification.plan is None:
        return request.permissions.may_somewhere(Action.APPROVE)
    return finding.find(notification.plan, request.actor) is not None


def _row(plan: Plan) -> dict[str, Any]:
    return {
        "plan": plan,
        "what": title_of(plan, progress_of(plan).todo),
        "label": word(PlanState(plan.state).label),
        "requester": requester_of(plan),
        "cluster_label": clusters.label(plan.cluster),
    }


@policy(reauthenticate=True)
@require_POST
def approve(request: SignedInRequest, number: int) -> HttpResponse:
    """Approve what the page showed; else its page, which says why not."""
    return _with_sentence(request, number, "approve")


@policy(reauthenticate=True)
@require_POST
def run(request: SignedInRequest, number: int) -> HttpResponse:
    """Start what was approved; else its page, which says why not."""
    return _with_sentence(request, number, "run")


def _with_sentence(request: SignedInRequest, number: int, decision: str) -> HttpResponse:
    plan, form = find_plan(request, number), ApprovalForm(request.POST)
    if not form.is_valid():
        return show_plan(request, plan, form, status=_wrong(request))
    typed, digest = form.cleaned_data["typed"], form.cleaned_data["digest"]
    try:
        getattr(approving, decision)(plan, typed, digest, caller_of(request))
    except WrongSentence as exc:
        form.add_error("typed", not_started(exc))
        return show_plan(request, plan, form, status=_wrong(request))
    except PlanRejected as exc:
        plan.refresh_from_db()
        return show_plan(request, plan, notice=not_started(exc), status=409)
    if plan.state == PlanState.RUNNING:
        tasks.ring(plan)
    return go_to(request, links.plan(plan.pk))


def _wrong(request: SignedInRequest) -> int:
    return 200 if is_htmx_part(request) else 422  # htmx swaps it; the console stays clean


@policy(reauthenticate=True)
@require_POST
def reject(request: SignedInRequest, number: int) -> HttpResponse:
    """Reject a request, with a reason."""
    plan, form = find_plan(request, number), RejectForm(request.POST)
    if not form.is_valid():
        return show_plan(request, plan, status=_wrong(request), reject_form=form)
    try:
        approving.reject(plan, form.cleaned_data["why"], caller_of(request))
    except PlanRejected as exc:
        plan.refresh_from_db()
        notice = gettext("%(why)s. Nothing was rejected.") % {"why": shown(exc)}
        return show_plan(request, plan, notice=notice, status=409)
    return redirect(links.plan(plan.pk))
