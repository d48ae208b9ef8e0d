"""The page of one plan: what it would do, who has to agree, what it does, and what it did."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self
from urllib.parse import urlencode

from django.conf import settings
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext

from .. import clusters
from ..access.policy import Action, Place, sign_in_needed, visible
from ..access.principals import Actor
from ..health import heartbeat
from ..milvus.errors import MilvusError
from ..plans import approving, deciding, finding, validity
from ..plans.choosing import moved_by
from ..plans.progress import progress_of
from ..plans.reading import Sheet
from ..plans.rows import (
    ItemState,
    Plan,
    PlanItem,
    PlanState,
    approver_of,
    author_of,
    digest_of,
    requester_of,
    to_do,
)
from . import links
from .forms import ApprovalForm, PlanForm, RejectForm
from .http import open_cluster, page_or_part
from .lately import Lately
from .plan_rows import (
    PlanRow,
    buttons,
    done_of,
    is_irreversible,
    parts,
    place_of,
    row_of,
    things,
    title_of,
    verb_of,
)
from .request import SignedInRequest
from .shown import shown, word
from .tables import PAGE, Pager, range_of

LIVE = {PlanState.READING, PlanState.RUNNING}
_sheets: Lately[tuple[int, str], Sheet] = Lately(seconds=60, at_most=4)
READ_AT_ONCE = PAGE  # items; the page waits for as many
SILENT_AFTER = 60  # seconds after which the background process is called silent


def find_plan(request: SignedInRequest, number: int) -> Plan:
    """The plan of that number. Http404 if there is none, or this person may see nothing of it."""
    plan = finding.find(number, request.actor)
    if plan is None or plan.cluster not in settings.CLUSTERS:
        raise Http404(gettext("There is no plan %(number)s") % {"number": number})
    return plan


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalPanel:
    """A plan that needs two people, for the one who looks at it."""

    requester: Actor
    approver: Actor | None
    may_approve: bool
    is_requester: bool
    sheet: Sheet
    is_unread: bool  # the sheet comes with the next request
    digest: str
    sentence: str
    what: str
    title: str  # what is asked for, as on the button of its dialog
    rows_total: int
    reject_form: RejectForm

    @classmethod
    def of(cls, request: SignedInRequest, plan: Plan, reject_form: RejectForm | None) -> Self:
        actor, is_awaiting = request.actor, plan.state == PlanState.AWAITING
        may_approve = is_awaiting and approving.may_approve(actor, plan).allowed
        items = list(to_do(plan))
        is_unread = may_approve and _is_read_later(request, plan, len(items))
        sheet = _sheet(request, plan) if may_approve and not is_unread else Sheet()
        items = sheet.to_do if may_approve and not is_unread else items
        return cls(
            requester=requester_of(plan),
            approver=approver_of(plan) if plan.approved_by else None,
            may_approve=may_approve,
            is_requester=approving.is_requester(actor, plan),
            sheet=sheet,
            is_unread=is_unread,
            digest=digest_of(plan, items),
            sentence=deciding.sentence_for(plan, len(items)),
            what=things(plan, len(items)),
            title=title_of(plan, len(items)),
            rows_total=finding.total_rows(items),
            reject_form=reject_form or RejectForm(),
        )

    @property
    def gone(self) -> int:
        """How many items can't be carried out any more."""
        return len(self.sheet.items) - len(self.sheet.to_do)


def not_started(exc: Exception) -> str:
    """Why a plan was not started, as a sentence for its page."""
    return gettext("%(why)s. Nothing was started.") % {"why": shown(exc)}


def _is_read_later(request: SignedInRequest, plan: Plan, count: int) -> bool:
    """Whether the page comes without the sheet, which it requests then: reading takes long."""
    is_asked_for = request.method == "POST" or "read" in request.GET
    return count > READ_AT_ONCE and not is_asked_for and _kept_sheet(request, plan) is None


def _kept_sheet(request: SignedInRequest, plan: Plan) -> Sheet | None:
    """For the other pages of items."""
    return _sheets.get((plan.pk, request.actor.key)) if request.GET.get("page") else None


def _sheet(request: SignedInRequest, plan: Plan) -> Sheet:
    """Read afresh when the plan is opened. Its other pages of items show the same sheet.

    An approval reads everything again, and compares that with the digest of this sheet.
    """
    if kept := _kept_sheet(request, plan):
        return kept
    try:
        open_cluster(request, plan.cluster)
        sheet = approving.sheet(plan)
    except MilvusError as exc:
        return Sheet(problem=str(exc))
    if not sheet.problem:
        _sheets.put((plan.pk, request.actor.key), sheet)
    return sheet


def show_plan(
    request: SignedInRequest,
    plan: Plan,
    form: PlanForm | None = None,
    notice: str = "",
    status: int = 200,
    *,
    reject_form: RejectForm | None = None,
) -> HttpResponse:
    """The page, or its part for htmx. `form` and `reject_form` keep what was typed."""
    panel = ApprovalPanel.of(request, plan, reject_form) if plan.requested_by else None
    known, items = progress_of(plan), _visible_items(request, plan)
    page = Paginator(items, PAGE).get_page(request.GET.get("page", "1"))
    able = buttons(plan, request.actor, known)
    digest = digest_of(plan, to_do(plan)) if able.confirm else ""
    context = {
        "cluster": clusters.get(plan.cluster).cluster,  # not opened: Milvus may be down
        "database": plan.database,
        "plan": plan,
        "collection": place_of(plan),
        "state": word(PlanState(plan.state).label),
        "author": author_of(plan),
        "progress": known,
        "parts": list(parts(plan, known)),
        "blocked": known.count(ItemState.BLOCKED),
        "what": things(plan, known.count(ItemState.TODO)),
        "done": word(done_of(plan)),
        "verb": word(verb_of(plan).lower()),
        "is_irreversible": is_irreversible(plan),
        "rows": _rows(plan, page, panel),
        "panel": panel,
        "hidden": known.listed - len(items) if not request.GET.get("state") else 0,
        "only": request.GET.get("state", ""),
        "pager": _pager(request, page),
        "has_pages": page.has_other_pages(),
        "able": able,
        "restorable": _restorable(request, plan),
        "rows_total": _rows_total(plan, panel) if able.confirm or panel else 0,
        "sentence": deciding.sentence(plan) if able.confirm else "",
        "form": form or _form(plan, panel, digest),
        "again": _sign_in_again(request, plan) if able.confirm or panel else "",
        "needs_approval": able.confirm and validity.is_needed(plan),
        "poll": _poll(plan, panel, known.count(ItemState.RUNNING)),
        "sign_in_age": request.actor.sign_in_age,
        "notice": notice,
        "is_live": plan.state in LIVE or known.count(ItemState.RUNNING) > 0,
        "silent": plan.state in LIVE and heartbeat.is_silent(heartbeat.PLANS, SILENT_AFTER),
        "url": _url(request, plan, panel),
        "title": gettext("Plan %(number)s") % {"number": plan.pk},
        "section": "plans",
    }
    return page_or_part(
        request, "collections_app/plan.html", "collections_app/_plan.html", context, status
    )


def _restorable(request: SignedInRequest, plan: Plan) -> int:
    """How many collections that it moved to the recycle bin this person may restore from there."""
    if plan.action != Action.MOVE_TO_BIN or not plan.confirmed_at:
        return 0
    place = Place(cluster=plan.cluster, database=plan.database)
    may = partial(request.permissions.may, Action.RESTORE)
    return sum(may(replace(place, collection=name)) for name, _ in moved_by(plan))


def _rows_total(plan: Plan, panel: ApprovalPanel | None) -> int:
    return panel.rows_total if panel else finding.total_rows(to_do(plan))


def _form(plan: Plan, panel: ApprovalPanel | None, digest: str) -> PlanForm:
    if panel:
        return ApprovalForm(initial={"digest": panel.digest})
    return PlanForm(initial={"digest": digest, "reason": plan.reason})


def _url(request: SignedInRequest, plan: Plan, panel: ApprovalPanel | None) -> str:
    """Where the page updates itself from."""
    if panel and panel.is_unread:
        return f"{request.path}?{urlencode({**request.GET.dict(), 'read': '1'})}"
    return request.get_full_path() if request.method != "POST" else links.plan(plan.pk)


def _poll(plan: Plan, panel: ApprovalPanel | None, running: int) -> str:
    """When the page updates itself; not while somebody may be typing into it."""
    if panel and panel.is_unread:
        return "load"
    if plan.state in LIVE or running:
        return "every 2s"
    is_waiting = panel and plan.state == PlanState.AWAITING and not panel.may_approve
    return "every 10s" if is_waiting else ""


def _rows(plan: Plan, page: Any, panel: ApprovalPanel | None) -> list[PlanRow]:
    """For who may approve it, as the items are now, with what changed since the request."""
    read = {one.item.position: one for one in panel.sheet.items} if panel else {}

    def row(item: PlanItem) -> PlanRow:
        one = read.get(item.position)
        if one is None:
            return row_of(plan, item)
        return row_of(plan, one.item, one.changes if one.is_to_do else ())

    return [row(item) for item in page]


def _visible_items(request: SignedInRequest, plan: Plan) -> Any:
    """Its items that this person may see: a query, where a rule covers all of them."""
    state = request.GET.get("state", "")
    items = finding.items_of(plan, state if state in ItemState.values else "")
    if "*" in visible(request.actor, plan.cluster, plan.database):
        return _Counted(items)
    return [item for item in items if deciding.may_see(request.actor, plan, item)]


class _Counted:
    """A query as a list: counted once."""

    def __init__(self, items: Any) -> None:
        self._items, self._count = items, items.count()

    def __len__(self) -> int:
        return int(self._count)

    def __getitem__(self, part: slice) -> list[PlanItem]:
        return list(self._items[part])


def _pager(request: SignedInRequest, page: Any) -> Pager:
    def at(number: int) -> str:
        query = {"state": request.GET.get("state", ""), "page": str(number)}
        return "?" + urlencode({key: value for key, value in query.items() if value})

    return Pager(
        text=range_of(page),
        previous=at(page.previous_page_number()) if page.has_previous() else "",
        next=at(page.next_page_number()) if page.has_next() else "",
    )


def _sign_in_again(request: SignedInRequest, plan: Plan) -> str:
    """The sign-in, leading back to the plan, where the cluster requires a more recent one."""
    if not sign_in_needed(request.actor, plan.cluster):
        return ""
    return f"{reverse('sign-in')}?{urlencode({'fresh': '1', 'next': links.plan(plan.pk)})}"
