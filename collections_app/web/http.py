"""The small things all views share: parts or pages, and what a request is about."""

import json
import logging
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, NoReturn
from urllib.parse import parse_qs

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext
from django_htmx.http import HttpResponseClientRedirect

from .. import clusters
from ..access.policy import Action, Place
from ..access.principals import caller_of
from ..audit import log, quotas
from ..milvus.errors import NotFound
from ..milvus.types import Cluster
from .request import AppRequest, SignedInRequest, Slots

logger = logging.getLogger(__name__)


def is_htmx_part(request: AppRequest) -> bool:
    """Whether htmx asks for a part of a page, and not for a page to swap in (`swap_in`).

    False for an error before any middleware ran.
    """
    htmx = getattr(request, "htmx", None)
    return bool(htmx and not htmx.boosted)


def page_or_part(
    request: AppRequest, page: str, part: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    """The same content as a part for htmx, or inside its page."""
    template = part if is_htmx_part(request) else page
    response = render(request, template, {**context, "part": part}, status=status)
    patch_vary_headers(response, ["HX-Request", "HX-Boosted"])
    return response


def go_to(request: AppRequest, url: str) -> HttpResponse:
    """Leave for another page, whether htmx or the browser is asking."""
    return HttpResponseClientRedirect(url) if is_htmx_part(request) else redirect(url)


SWAP_IN = {
    "target": "#main",
    "select": "#main",
    "selectOOB": "#site-header",
    "swap": "outerHTML show:window:top settle:0s",
    "headers": {"HX-Boosted": "true"},
}


def swap_in(request: AppRequest, url: str) -> HttpResponse:
    """Leave for another page of the same cluster. htmx gets that page and swaps it in, because
    style and scripts are here already; app.js closes the dialog and sets the focus. If that page
    is open, it is shown again as the person has it.
    """
    if not is_htmx_part(request):
        return redirect(url)
    here = (request.htmx.current_url_abs_path or "").partition("#")[0]
    url = here if _is_view_of(here, url) else url  # its filters, order and page stay
    is_here = here == url  # a browser makes no second entry of it
    history = {"push": "false", "replace": "true"} if is_here else {"push": "true"}
    spec = json.dumps({"path": url, **SWAP_IN, **history})
    return HttpResponse(headers={"HX-Location": spec})


def _is_view_of(address: str, url: str) -> bool:
    """Whether an address is the page of a URL, with more in its query than the URL asks for."""
    (page, _, more), (wanted, _, least) = address.partition("?"), url.partition("?")
    return page == wanted and parse_qs(least).items() <= parse_qs(more).items()


def named(request: HttpRequest, parameter: str, default: str | None = None) -> str:
    """A name from the query string, exactly as sent. Http404 if it can be no name at all."""
    value = request.GET.get(parameter, default)
    if not value or len(value) > 255 or "\0" in value:
        raise Http404(gettext("The address has no valid %(name)s") % {"name": parameter})
    return value


def refuse(request: SignedInRequest, action: Action) -> NoReturn:
    """Raise PermissionDenied, and record it if it was a button and not just an address."""
    if request.method != "POST":
        raise PermissionDenied(action)
    entry = log.Entry(
        phase=log.Phase.REJECTED,
        action=action,
        caller=caller_of(request),
        outcome=log.Outcome.DENIED,
        message=f"No rule grants this to these groups. Requested: {request.path}"[:300],
    )
    try:
        quotas.write(entry)
    except log.LogUnwritable as exc:  # refused all the same; reading goes on without a log
        logger.error("a refusal could not be recorded: %s", exc)
    raise PermissionDenied(action)


def open_cluster(request: SignedInRequest, key: str) -> clusters.Milvus:
    """The cluster of that key, with a slot at it. Raises Http404 as `find_cluster`, Unreachable."""
    found = find_cluster(request, key)
    request.slots.acquire(found)
    return found


def find_cluster(request: SignedInRequest, key: str) -> clusters.Milvus:
    """The cluster of that key. Http404 if there is none, or none that this person may see."""
    try:
        found = clusters.get(key)
    except clusters.UnknownCluster:
        found = None
    if found is None or not request.permissions.may(Action.VIEW, Place(cluster=key)):
        raise Http404(gettext("No cluster %(key)s is configured") % {"key": key})
    request.cluster = found.cluster
    return found


class SlotsMiddleware:
    """Gives the slots at clusters back when the request is over, however it ends."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: SignedInRequest) -> HttpResponseBase:
        with ExitStack() as stack:
            request.slots = Slots(stack)
            return self.get_response(request)


def visible_clusters(request: SignedInRequest) -> list[Cluster]:
    """The configured clusters that this person may see."""
    permissions = request.permissions
    places = ((c, Place(cluster=c.key)) for c in clusters.all_clusters())
    return [cluster for cluster, place in places if permissions.may(Action.VIEW, place)]


def require_visible(request: SignedInRequest, place: Place) -> None:
    """Raises NotFound, as if it was not there, if this person may not see it."""
    if not request.permissions.may(Action.VIEW, place):
        raise NotFound("")
