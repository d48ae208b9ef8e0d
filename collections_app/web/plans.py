"""Pages of plans: make one from a list, read it, confirm it, watch it."""

from dataclasses import dataclass

from django.http import Http404, HttpResponse, QueryDict, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from .. import clusters
from ..access.policy import Action, Place, matches, visible
from ..access.principals import caller_of
from ..milvus.types import Partitions, Table
from ..plans import building, deciding, finding, tasks
from ..plans.choosing import action_for, moved_by
from ..plans.progress import progress_of
from ..plans.rows import PlanRejected, PlanState, author_of
from ..recycle_bin.items import names_by_private_name
from . import links
from .errors import Problem, show
from .forms import PlanForm
from .http import go_to, is_htmx_part, open_cluster, require_visible
from .plan_page import find_plan, not_started, show_plan
from .plan_rows import what_of
from .protections import Standing
from .request import SignedInRequest
from .shown import shown, word
from .tables import IsProtected, ListView
from .view_policy import policy


@require_POST
@policy(Action.DROP_COLLECTION, Action.DROP_PARTITION, Action.MOVE_TO_BIN)
def create(request: SignedInRequest, cluster: str) -> HttpResponse:
    """A plan of what was selected in a list, or of all that the list's filters match."""
    milvus, database = open_cluster(request, cluster), _posted(request, "database")
    collection = request.POST.get("collection", "")
    require_visible(
        request, Place(cluster=cluster, database=database, collection=collection or None)
    )
    chosen = _chosen(request, milvus, database, collection)
    try:
        plan = building.create(
            action_for(
                milvus.cluster,
                partitions=bool(collection),
                permanently=bool(request.POST.get("permanently")),
            ),
            cluster,
            database,
            [(collection or name, name) for name in chosen.names],
            caller_of(request),
            selection=chosen.words,
        )
    except PlanRejected as exc:
        return show(request, _rejected(exc))
    tasks.ring(plan)
    return go_to(request, links.plan(plan.pk))


@require_POST
@policy(Action.RESTORE)
def restore(request: SignedInRequest, number: int) -> HttpResponse:
    """A plan that restores what another one moved to the recycle bin."""
    moved = find_plan(request, number)
    try:
        plan = building.create(
            Action.RESTORE,
            moved.cluster,
            moved.database,
            moved_by(moved),
            caller_of(request),
            selection=f"what plan {moved.pk} moved to the recycle bin",
        )
    except PlanRejected as exc:
        notice = gettext("No plan was made. %(why)s.") % {"why": shown(exc)}
        return show_plan(request, moved, notice=notice, status=409)
    tasks.ring(plan)
    return redirect(links.plan(plan.pk))


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The names that a plan is made of, and how they were chosen."""

    names: list[str]
    words: str


def _chosen(
    request: SignedInRequest, milvus: clusters.Milvus, database: str, collection: str
) -> Chosen:
    if not request.POST.get("all"):
        names = [name for name in request.POST.getlist("name") if 0 < len(name) <= 255]
        return Chosen(names=names, words="selected one by one")
    view = ListView.read(request.POST)
    table: Table
    seen: tuple[str, ...]
    is_protected: IsProtected | None = None
    if collection:
        table, seen = Partitions(milvus.gateway.partitions(database, collection)), ("*",)
    else:
        table = milvus.gateway.collections(database)
        seen = visible(request.actor, milvus.cluster.key, database)
        place = Place(cluster=milvus.cluster.key, database=database)
        is_protected = Standing(place).is_protected
    hidden = names_by_private_name(milvus.cluster.key, database)  # what is in the recycle bin
    names_seen = ((at, name) for at, name in enumerate(table.names) if name not in hidden)
    at_all = [at for at, name in names_seen if matches(seen, name)]
    names = sorted(table.names[at] for at in view.matching(table, at_all, is_protected))
    return Chosen(names=names, words=f"all that matched: {view.words or 'no filter'}")


def _posted(request: SignedInRequest, key: str) -> str:
    value = request.POST.get(key, "")
    if not 0 < len(value) <= 255 or "\0" in value:
        raise Http404(gettext("The form has no valid %(key)s") % {"key": key})
    return value


def _rejected(exc: PlanRejected) -> Problem:
    text = gettext("%(why)s. Nothing was sent to Milvus.") % {"why": shown(exc)}
    return Problem(status=409, title=gettext("No plan was made"), text=text)


@require_safe
@policy(Action.VIEW)
def listing(request: SignedInRequest) -> HttpResponse:
    """The plans that this person may see, those that are not over first."""
    plans = finding.recent(request.actor)
    rows = [(plan, word(PlanState(plan.state).label), progress_of(plan)) for plan in plans]
    context = {
        "plans": [
            {
                "plan": plan,
                "label": label,
                "progress": known,
                "author": author_of(plan),
                "what": what_of(plan, known.listed),
                "cluster_label": clusters.label(plan.cluster),
            }
            for plan, label, known in rows
        ],
        "title": gettext("Plans"),
        "section": "plans",
    }
    return render(request, "collections_app/plans.html", context)


@policy()
@require_safe
def detail(request: SignedInRequest, number: int) -> HttpResponse:
    """One plan: what it would do, what it does, or what it did."""
    return show_plan(request, find_plan(request, number))


# --- decisions ----------------------------------------------------------------------------------


@policy(reauthenticate=True)
@require_POST
def confirm(request: SignedInRequest, number: int) -> HttpResponse:
    """Start the plan if the sentence is right; else its page, which says why not."""
    plan, form = find_plan(request, number), PlanForm(request.POST)
    wrong = 200 if is_htmx_part(request) else 422  # htmx swaps it; the console stays clean
    if not form.is_valid():
        return show_plan(request, plan, form, status=wrong)
    data = form.cleaned_data
    try:
        deciding.confirm(
            plan, data["typed"], data["digest"], caller_of(request), reason=data["reason"]
        )
    except deciding.WrongSentence as exc:
        form.add_error("typed", not_started(exc))
        return show_plan(request, plan, form, status=wrong)
    except PlanRejected as exc:
        plan.refresh_from_db()
        return show_plan(request, plan, notice=not_started(exc), status=409)
    if plan.state == PlanState.RUNNING:  # else it awaits an approval
        tasks.ring(plan)
    return go_to(request, links.plan(plan.pk))


@policy()
@require_POST
def decide(request: SignedInRequest, number: int, decision: str) -> HttpResponse:
    """Pause, resume or cancel."""
    plan = find_plan(request, number)
    try:
        getattr(deciding, decision)(plan, caller_of(request))
    except PlanRejected as exc:
        plan.refresh_from_db()
        return show_plan(request, plan, notice=f"{exc}.", status=409)
    if plan.state == PlanState.RUNNING:
        tasks.ring(plan)
    return redirect(links.plan(plan.pk))


@policy()
@require_POST
def take_out(request: SignedInRequest, number: int) -> HttpResponse:
    """Take the selected items out of a plan that is not confirmed."""
    plan = find_plan(request, number)
    positions = [int(at) for at in _items(request.POST) if at.isdecimal() and len(at) < 9]
    try:
        deciding.take_out(plan, positions, caller_of(request))
    except PlanRejected as exc:
        plan.refresh_from_db()
        return show_plan(request, plan, notice=f"{exc}.", status=409)
    return redirect(links.plan(plan.pk))


def _items(data: QueryDict) -> list[str]:
    return data.getlist("item")


@policy()
@require_safe
def export(request: SignedInRequest, number: int) -> HttpResponseBase:
    """The items and what became of them, as CSV."""
    plan = find_plan(request, number)
    lines = finding.csv_lines(plan, request.actor)
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="plan-{plan.pk}.csv"'
    return response
