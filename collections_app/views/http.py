"""The small things all views share: parts or pages, and what a request is about."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django_htmx.http import HttpResponseClientRedirect

from .. import clusters
from ..access import Action, may
from ..actors import actor_of

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
    """Open a view to those who may do one of the actions."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            actor = actor_of(request)
            if not any(may(actor, action) for action in actions):
                raise PermissionDenied(actions[0])
            return view(request, *args, **kwargs)

        return guarded

    return decorate


def named(request: HttpRequest, parameter: str, default: str | None = None) -> str:
    """A name from the query string, exactly as sent. Http404 if it can be no name at all."""
    value = request.GET.get(parameter, default)
    if not value or len(value) > 255 or "\0" in value:
        raise Http404(f"The address has no usable {parameter}")
    return value


def open_cluster(key: str) -> clusters.Milvus:
    """The cluster of that key, or Http404."""
    try:
        return clusters.get(key)
    except clusters.UnknownCluster as exc:
        raise Http404(f"No cluster {key} is configured here") from exc
