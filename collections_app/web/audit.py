"""The audit log: read, verify, export."""

from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from ..access.policy import Action
from ..access.principals import caller_of
from ..audit import export as audit_export
from ..audit import integrity, listing, queries
from ..audit import verify as audit_verify
from ..audit.long_reads import AlreadyRunning, LongRead
from ..audit.quotas import EXPORTS_A_MINUTE
from . import log_filters
from .errors import Problem, show
from .forms import AuditFilterForm
from .http import is_htmx_part, page_or_part, refuse
from .person import table_view
from .request import SignedInRequest
from .tables import Pager, audit_row
from .view_policy import policy

UNUSABLE_FILTERS = Problem(
    status=422,
    title=_("Invalid filters"),
    text=_(
        "Nothing was exported, to keep the whole log out of the file. Correct the filters first."
    ),
)
ALREADY_RUNNING = Problem(
    status=429,
    title=_("The audit log is being read already"),
    text=_(
        "An export or a verification reads the whole log. One person can run one at a time, and "
        "few people can at the same time. Nothing was exported or verified. Wait until the other "
        "one has finished, then try again."
    ),
    again_in=10,
)


def _too_many_exports(wait: int) -> Problem:
    text = gettext(
        "One person can export the audit log %(limit)s times a minute, because each export is "
        "recorded for ever. This export was refused, and nothing was exported. The audit log will "
        "contain one event with the number of refused exports. Try again in %(wait)s seconds."
    ) % {"limit": EXPORTS_A_MINUTE, "wait": wait}
    return Problem(status=429, title=gettext("Too many exports"), text=text, again_in=wait)


@require_safe
@policy(Action.READ_AUDIT)
def log(request: SignedInRequest) -> HttpResponse:
    """The log by operation, newest first, filtered and paged by the address."""
    part = is_htmx_part(request)
    places = () if part else queries.places(request.actor)
    form, filters = _filters(request.GET, places)
    page = listing.log_page(filters, request.actor, **_where(request))
    shown = log_filters.shown(filters)
    context = {
        "form": form,
        **table_view(request, "audit", _address(request, "audit", shown)),
        "rows": [audit_row(row) for row in page.rows],
        "pager": _pager(page, shown),
        "filters": shown,
        "presets": log_filters.presets(shown),
        "chips": log_filters.chips(form, shown),
        "is_filtered": bool(shown or any(_where(request).values())),
        "removed": queries.removed_until(),
        "may_verify": request.permissions.may_everywhere(Action.READ_AUDIT),
        "title": gettext("Audit log"),
        "section": "audit",
    }
    return page_or_part(
        request, "collections_app/audit_log.html", "collections_app/_audit_table.html", context
    )


@require_safe
@policy(Action.VIEW)
def own(request: SignedInRequest) -> HttpResponse:
    """A person's own operations, for those who may not read the log, too."""
    page = listing.own_page(request.actor, **_where(request))
    context = {
        **table_view(request, "audit", _address(request, "own-operations", {})),
        "rows": [audit_row(row) for row in page.rows],
        "pager": _pager(page, {}),
        "is_filtered": any(_where(request).values()),
        "removed": queries.removed_until(),
        "title": gettext("My operations"),
        "section": "own",
    }
    return render(request, "collections_app/own_operations.html", context)


def _address(request: SignedInRequest, page: str, filters: dict[str, str]) -> str:
    """The page with its filters, where in the log it is now."""
    where = {key: f"{number}" for key, number in _where(request).items() if number}
    return reverse(page) + log_filters.address({**filters, **where})


def _where(request: SignedInRequest) -> dict[str, int]:
    """Where in the log the page begins."""
    return {key: _number(request.GET.get(key)) for key in ("before", "after")}


def _pager(page: listing.LogPage, filters: dict[str, str]) -> Pager:
    """Events are numbered, so their numbers lead on: to newer ones, and to older ones."""

    def url(key: str, number: int) -> str:
        return log_filters.address({**filters, key: f"{number}"}) if number else ""

    numbers = [row.key for row in page.rows] or [0]
    return Pager(
        text=gettext("%(first)s to %(last)s") % {"first": numbers[0], "last": numbers[-1]},
        previous=url("after", page.newer),
        next=url("before", page.older),
        previous_label=gettext("Newer"),
        next_label=gettext("Older"),
    )


def _filters(
    data: Any, places: Sequence[tuple[str, str]] = ()
) -> tuple[AuditFilterForm, dict[str, Any]]:
    form = AuditFilterForm(data, places=places)
    form.is_valid()
    return form, {name: form.cleaned_data.get(name) for name in form.fields}


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 19 else 0


@require_POST
@policy(Action.READ_AUDIT)
def verify(request: SignedInRequest) -> HttpResponse:
    """Check the chain from its first event to its last. For those who may read all of it."""
    if not request.permissions.may_everywhere(Action.READ_AUDIT):
        refuse(request, Action.READ_AUDIT)
    try:
        with closing(LongRead(request.actor)):
            verdict = audit_verify.verify()
    except AlreadyRunning:
        return show(request, ALREADY_RUNNING)
    context = {
        "verdict": verdict,
        "problems": [] if verdict.broken else integrity.problems(),
        "removed": queries.removed_until(),
        "title": gettext("Audit log"),
        "section": "audit",
    }
    part = "collections_app/_verdict.html"
    return page_or_part(request, "collections_app/verdict.html", part, context)


@require_POST
@policy(Action.READ_AUDIT)
def export(request: SignedInRequest) -> HttpResponseBase:
    """The filtered log as a file, streamed. That it was exported is recorded first."""
    filter_form, filters = _filters(request.POST)
    if not filter_form.is_valid():
        return show(request, UNUSABLE_FILTERS)
    form = "csv" if request.POST.get("form") == "csv" else "jsonl"
    shown = log_filters.shown(filters)
    lines, kind = audit_export.FORMS[form]
    events = queries.filtered(filters, request.actor).order_by("sequence")
    try:
        with ExitStack() as until_recorded:
            reading = until_recorded.enter_context(closing(LongRead(request.actor, lines(events))))
            audit_export.record_within_limit(form, shown, caller_of(request))
            until_recorded.pop_all()  # the answer closes it
    except AlreadyRunning:
        return show(request, ALREADY_RUNNING)
    except audit_export.TooManyExports as exc:
        return show(request, _too_many_exports(exc.wait))
    response = StreamingHttpResponse(reading, content_type=f"{kind}; charset=utf-8")
    stamp = f"{timezone.now():%Y%m%dT%H%M%SZ}"
    response["Content-Disposition"] = f'attachment; filename="audit-{stamp}.{form}"'
    return response
