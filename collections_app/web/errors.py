"""Honest pages for what went wrong: what happened, what it means, what to do next."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..audit.log import LogUnwritable, Outcome
from ..milvus import proxied
from ..milvus.errors import (
    BUSY,
    PAUSED,
    Contradiction,
    Denied,
    MilvusError,
    MilvusRejected,
    NotFound,
    Unreachable,
)
from ..milvus.tls_errors import NO_CONNECTION
from ..milvus.types import Cluster
from ..operations.protocol import Busy, OperationRejected
from ..operations.sending import OutcomeUnrecorded
from . import links
from .http import is_htmx_part, page_or_part
from .request import AppRequest
from .shown import shown

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as StrOrPromise

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A problem in an operator's words. `detail` is what the machine said.

    `again_in` are seconds after which a page that was only looked at looks again by itself.
    """

    status: int
    title: "StrOrPromise"
    text: "StrOrPromise"
    detail: str = ""
    retry: bool = False
    again_in: int = 0
    link: str = ""
    link_text: "StrOrPromise" = ""


def show(request: AppRequest, problem: Problem) -> HttpResponse:
    context = {
        "problem": problem,
        "title": problem.title,
        "looks_again": looks_again(request),
        "cluster": getattr(request, "cluster", None),  # a page of one says which, whatever happens
    }
    response = page_or_part(request, "problem.html", "_problem.html", context, problem.status)
    return set_retry_headers(request, response, problem)


def set_retry_headers(
    request: AppRequest, response: HttpResponse, problem: Problem
) -> HttpResponse:
    """Tell the browser when to ask again. Nothing that was sent by a form is sent again."""
    if problem.again_in:
        response.headers["Retry-After"] = str(problem.again_in)
        if looks_again(request):
            response.headers["Refresh"] = str(problem.again_in)  # works without JavaScript
    return response


def looks_again(request: AppRequest) -> bool:
    """Whether this page asks again by itself: what htmx swaps in can't, and a form must not."""
    return request.method == "GET" and not getattr(request, "htmx", False)


def of_milvus(exc: MilvusError, cluster: Cluster | None = None) -> Problem:
    """The page for a read that failed. Nothing was changed by it.

    With the cluster, its text names a proxy on the way to it.
    """
    problem = next(page for kind, page in PAGES if isinstance(exc, kind))(exc)
    remedy = proxied.remedy(cluster.uri) if cluster and isinstance(exc, Unreachable) else ""
    return replace(problem, text=f"{problem.text} {shown(remedy)}") if remedy else problem


def _said(exc: MilvusError) -> str:
    """What was answered, or why Milvus was not even asked."""
    if exc.code in {PAUSED, BUSY, NO_CONNECTION}:
        return shown(f"{exc}.")
    return (
        gettext("%(who)s answered: %(text)s") % {"who": exc.speaker, "text": exc}
        if str(exc)
        else ""
    )


def _not_found(_: MilvusError) -> Problem:
    text = gettext("It does not exist, or it was dropped or renamed. Nothing was changed.")
    return Problem(status=404, title=gettext("Not found"), text=text)


def _denied(exc: MilvusError) -> Problem:
    text = gettext(
        "The Milvus account of Milvus Admin lacks a privilege, or its token is wrong. What it "
        "can't read is unknown, not empty. Ask an administrator of Milvus for the grant."
    )
    title = gettext("Milvus denied access")
    return Problem(status=403, title=title, text=text, detail=_said(exc))


def _unreachable(exc: Unreachable) -> Problem:
    text = gettext("Its contents are unknown until it answers. No change was sent to Milvus.")
    is_cut = exc.code == NO_CONNECTION
    return Problem(
        status=503,
        title=gettext("No connection to Milvus") if is_cut else gettext("Milvus does not answer"),
        text=text,
        detail=_said(exc),
        retry=True,
        again_in=math.ceil(exc.again_in),
    )


def _contradiction(exc: MilvusError) -> Problem:
    text = gettext(
        "Two answers of Milvus contradict each other, so the state is unknown. This can last a "
        "moment during a change, or longer if a Milvus proxy answers from a stale cache. "
        "Nothing was changed. Try again in a moment."
    )
    title = gettext("Contradictory answers from Milvus")
    return Problem(status=503, title=title, text=text, detail=shown(f"{exc}."), retry=True)


def _refused(exc: MilvusError) -> Problem:
    if exc.speaker == "Milvus":
        text = gettext("Milvus refused to answer. Nothing was changed.")
        title = gettext("Milvus refused the request")
        return Problem(status=409, title=title, text=text, detail=_said(exc))
    text = gettext(
        "Milvus Admin could not send the request or read the answer, so the state is unknown. "
        "Nothing was changed. Run manage.py doctor to check the connection."
    )
    title = gettext("No usable answer from Milvus")
    return Problem(status=503, title=title, text=text, detail=_said(exc))


PAGES: tuple[tuple[type[MilvusError], Callable[[Any], Problem]], ...] = (
    (NotFound, _not_found),
    (Denied, _denied),
    (Unreachable, _unreachable),
    (Contradiction, _contradiction),
    (MilvusError, _refused),
)


NOT_DONE = {
    Outcome.DENIED: (403, _("Permission denied")),
    Outcome.NOT_FOUND: (404, _("It no longer exists")),
    Outcome.CHANGED: (409, _("It changed since you opened this dialog")),
    Outcome.BLOCKED: (409, _("Blocked")),
    Outcome.BUSY: (409, _("Another operation is in progress")),
}


def of_rejection(exc: OperationRejected) -> Problem:
    """The page for an act that was stopped before anything was sent; it is on the record."""
    status, title = NOT_DONE[exc.outcome]
    why = {"why": shown(exc)}
    if exc.recorded:
        text = gettext(
            "%(why)s. Nothing was sent to Milvus, and the attempt was recorded in the audit log."
        )
    else:
        text = gettext("%(why)s. Nothing was sent to Milvus.")
    text %= why
    if isinstance(exc, Busy):
        link = links.operation(str(exc.claim.operation_id))
        return Problem(
            status=status, title=title, text=text, link=link, link_text=gettext("View operation")
        )
    return Problem(status=status, title=title, text=text.replace("..", ".").replace("。。", "。"))


LOG_UNWRITABLE = Problem(
    status=503,
    title=_("The audit log can't be written"),
    text=_(
        "Without a record nothing is dropped, so nothing was sent to Milvus. Ask an administrator "
        "to check the database of Milvus Admin, and try again when it is available."
    ),
)
DATABASE_DOWN = Problem(
    status=503,
    title=_("The database of Milvus Admin does not answer"),
    text=_(
        "Sign-in and the audit log need it, so no page works without it. This request sent "
        "nothing to Milvus. Try again when the database is available."
    ),
)
DATABASE_BUSY = Problem(
    status=503,
    title=_("The database of Milvus Admin is busy"),
    text=_(
        "Another process is writing, and this request would have had to wait too long. Nothing "
        "was changed, and nothing was sent to Milvus. Try again in a moment. If this lasts, an "
        "administrator must find the process that keeps the database locked."
    ),
    again_in=5,
)


def _unrecorded(exc: OutcomeUnrecorded) -> Problem:
    return Problem(
        status=503,
        title=gettext("Sent, but the outcome could not be recorded"),
        text=gettext(
            "The request was sent to Milvus once and will not be sent again. Milvus Admin will "
            "check the result and record it when the audit log can be written again."
        ),
        detail=gettext("Operation %(id)s") % {"id": exc},
    )


class ProblemPagesMiddleware:
    """Turn the errors of the layers below into pages, wherever a view lets them through."""

    def __init__(self, get_response: Callable[[AppRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: AppRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: AppRequest, exc: Exception) -> HttpResponse | None:
        if isinstance(exc, MilvusError):
            if not isinstance(exc, NotFound | MilvusRejected):
                logger.warning("milvus %s code=%s: %s", exc.kind, exc.code, exc)
            return show(request, of_milvus(exc, getattr(request, "cluster", None)))
        if isinstance(exc, OperationRejected):
            return show(request, of_rejection(exc))
        if isinstance(exc, LogUnwritable):
            logger.error("audit log unwritable: %s", exc)
            return bare(request, LOG_UNWRITABLE)
        if isinstance(exc, OutcomeUnrecorded):
            logger.error("outcome unrecorded: operation %s", exc)
            return bare(request, _unrecorded(exc))
        return None


def bare(request: AppRequest, problem: Problem) -> HttpResponse:
    """A page (or a part, for htmx) that needs no database: no session, no navigation."""
    template = "_problem.html" if is_htmx_part(request) else "bare_problem.html"
    context = {"problem": problem, "title": problem.title, "request": request}
    html = render_to_string(template, context)  # without a request: its processors ask a database
    return HttpResponse(html, status=problem.status)
