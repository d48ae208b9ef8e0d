"""Honest pages for what went wrong: what happened, what it means, what to do next."""

import logging
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.exceptions import DisallowedHost
from django.db import DatabaseError, InterfaceError
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.middleware import csrf
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .. import clusters
from ..audit.log import LogUnwritable, Outcome
from ..audit.sqlite_queue import is_busy
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
from ..names import readable
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


def of_milvus(exc: MilvusError) -> Problem:
    """The page for a read that failed. Nothing was changed by it."""
    return next(page for kind, page in PAGES if isinstance(exc, kind))(exc)


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
    on_the_way = {proxied.remedy(cluster.uri) for cluster in clusters.all_clusters()} - {""}
    return Problem(
        status=503,
        title=gettext("No connection to Milvus") if is_cut else gettext("Milvus does not answer"),
        text=" ".join([text, *sorted(on_the_way)]),
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
            return show(request, of_milvus(exc))
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


# --- Django's handlers ----------------------------------------------------------------------------


def bad_request(request: AppRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, DisallowedHost):
        return bare(request, UNKNOWN_HOST)
    text = gettext("The address or the form could not be understood. Nothing was changed.")
    return bare(request, Problem(status=400, title=gettext("Bad request"), text=text))


UNKNOWN_HOST = Problem(
    status=400,
    title=_("Milvus Admin does not answer to this host name"),
    text=_(
        "Nothing was changed. Check the address. If it is right, an administrator must add its "
        "host name to ALLOWED_HOSTS, or configure the proxy in front to pass on the Host header. "
        "The name that arrived is in the log."
    ),
)


def forbidden(request: AppRequest, exception: Exception) -> HttpResponse:
    text = gettext("Your role does not include this. Nothing was changed.")
    return show(request, Problem(status=403, title=gettext("Permission denied"), text=text))


def csrf_failure(request: AppRequest, reason: str = "") -> HttpResponse:
    """The page says whose it is to mend: the browser's, or the proxy's in front."""
    if reason.startswith(WRONG_ORIGIN):
        return show(request, _other_origin(request))
    if reason == csrf.REASON_NO_CSRF_COOKIE:
        text = gettext(
            "The browser did not send the cookie that belongs to this form. Nothing was changed. "
            "Reload the page and try again. If that does not help, the browser blocks the cookies "
            "of this site, or a proxy removes them."
        )
        title = gettext("The cookie for this form is missing")
        return show(request, Problem(status=403, title=title, text=text))
    if request.actor and request.path == reverse("sign-in"):
        return redirect(_after_sign_in(request))  # another tab signed in, and changed the secret
    text = gettext(
        "The form does not belong to your session: it was open for too long, you signed in "
        "again in another tab, or another site sent it. Nothing was changed. Reload the page and "
        "try again."
    )
    return show(request, Problem(status=403, title=gettext("This form has expired"), text=text))


# How Django's reasons begin when what the browser says of its origin is not what arrived here.
WRONG_ORIGIN = ("Origin checking failed", "Referer checking failed")


def _other_origin(request: AppRequest) -> Problem:
    here = f"{request.scheme}://{request.get_host()}"
    said = request.headers.get("Origin") or request.headers.get("Referer") or "nothing"
    text = gettext(
        "The browser sent the form from %(origin)s, but Milvus Admin received it as %(here)s. "
        "Nothing was changed. Another site may have sent it. If this happens with every form, the "
        "proxy in front is misconfigured: it must pass on Host with its port, or "
        "X-Forwarded-Host, and X-Forwarded-Proto. TRUST_PROXY must name its address. Neither the "
        "proxy nor the browser may suppress the headers Origin and Referer."
    ) % {"origin": readable(said)[:200], "here": here}
    return Problem(status=403, title=gettext("This form came from another address"), text=text)


def _after_sign_in(request: AppRequest) -> str:
    back = request.POST.get("next", "")
    return back if links.is_ours(back) else reverse("home")


def not_found(request: AppRequest, exception: Exception) -> HttpResponse:
    text = gettext(
        "There is no page at this address, or its subject no longer exists. Nothing was changed."
    )
    detail = str(exception.args[0]) if exception.args and isinstance(exception.args[0], str) else ""
    detail = shown(detail)
    return show(
        request, Problem(status=404, title=gettext("Page not found"), text=text, detail=detail)
    )


def server_error(request: AppRequest) -> HttpResponse:
    """The last resort. A database that does not answer is told apart from a bug."""
    exc = sys.exc_info()[1]
    if isinstance(exc, LogUnwritable):
        return bare(request, LOG_UNWRITABLE)
    if is_busy(exc):
        return set_retry_headers(request, bare(request, DATABASE_BUSY), DATABASE_BUSY)
    if isinstance(exc, DatabaseError | InterfaceError):
        return bare(request, DATABASE_DOWN)
    text = gettext(
        "This is a bug in Milvus Admin. If you were dropping something, check its outcome in the "
        "audit log before you try again."
    )
    return bare(request, Problem(status=500, title=gettext("Internal error"), text=text))
