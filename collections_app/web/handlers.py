"""Django's handlers: the pages for what no view answered."""

import sys

from django.core.exceptions import DisallowedHost
from django.db import DatabaseError, InterfaceError
from django.http import HttpResponse
from django.middleware import csrf
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..audit.log import LogUnwritable
from ..audit.sqlite_queue import is_busy
from ..names import readable
from . import links
from .errors import (
    DATABASE_BUSY,
    DATABASE_DOWN,
    LOG_UNWRITABLE,
    Problem,
    bare,
    set_retry_headers,
    show,
)
from .request import AppRequest
from .shown import shown


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
    text = gettext("No rule grants you this. Nothing was changed.")
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
