"""The small things all views share: parts or pages, and what a request is about."""

import logging
from collections.abc import Callable
from contextlib import ExitStack
from functools import wraps
from typing import Any, NoReturn

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django_htmx.http import HttpResponseClientRedirect

from .. import clusters
from ..access.policy import Action, Place, may, may_somewhere
from ..access.principals import actor_of, caller_of
from ..audit import log, quotas
from ..milvus.errors import NotFound

logger = logging.getLogger(__name__)

View = Callable[..., HttpResponseBase]


def wants_part(request: HttpRequest) -> bool:
    """Whether htmx asks for a part of a page."""
    return bool(getattr(request, "htmx", False))


def page_or_part(
    request: HttpRequest, page: str, part: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    """The same content as a part for htmx, or inside its page."""
    template = part if wants_part(request) else page
    response = render(request, template, {**context, "part": part}, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def go_to(request: HttpRequest, url: str) -> HttpResponse:
    """Leave for another page, whether htmx or the browser is asking."""
    return HttpResponseClientRedirect(url) if wants_part(request) else redirect(url)


def needs(*actions: Action) -> Callable[[View], View]:
    """Open a view to those who may do one of the actions somewhere."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            actor = actor_of(request)
            if not any(may_somewhere(actor, action) for action in actions):
                refuse(request, actions[0])
            return view(request, *args, **kwargs)

        return guarded

    return decorate


def named(request: HttpRequest, parameter: str, default: str | None = None) -> str:
    """A name from the query string, exactly as sent. Http404 if it can be no name at all."""
    value = request.GET.get(parameter, default)
    if not value or len(value) > 255 or "\0" in value:
        raise Http404(f"The address has no valid {parameter}")
    return value


def refuse(request: HttpRequest, action: Action) -> NoReturn:
    """Raise PermissionDenied, and record it if it was a button and not just an address."""
    if request.method != "POST":
        raise PermissionDenied(action)
    entry = log.Entry(
        phase=log.Phase.REFUSED,
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


def open_cluster(request: HttpRequest, key: str) -> clusters.Milvus:
    """The cluster of that key. Http404 if there is none, or none that this person may see."""
    try:
        found = clusters.get(key)
    except clusters.UnknownCluster:
        found = None
    if found is None or not may(actor_of(request), Action.VIEW, Place(cluster=key)):
        raise Http404(f"No cluster {key} is configured")
    take_seat(request, found)
    return found


class SeatsMiddleware:
    """Gives the seats at clusters back when the request is over, however it ends."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with ExitStack() as stack:
            request.seats = stack, set()  # type: ignore[attr-defined]
            return self.get_response(request)


def take_seat(request: HttpRequest, milvus: clusters.Milvus) -> None:
    """One for each request and cluster. Raises Unreachable if too many wait there already."""
    stack, taken = request.seats  # type: ignore[attr-defined]
    if milvus.cluster.key not in taken:
        stack.enter_context(milvus.guard.seat())
        taken.add(milvus.cluster.key)


def look_into(request: HttpRequest, cluster: str, database: str, name: str | None = None) -> None:
    """Raises NotFound, as if it was not there, if this person may not see it."""
    place = Place(cluster=cluster, database=database, collection=name)
    if not may(actor_of(request), Action.VIEW, place):
        raise NotFound("")
