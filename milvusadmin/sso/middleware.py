"""Who is asking: found out anew for each request, by the mode of sign-in that is configured."""

from collections.abc import Callable
from typing import Any, Protocol, cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import Resolver404, resolve, reverse
from django_htmx.http import HttpResponseClientRedirect

from collections_app.access.principals import Actor
from collections_app.web.links import is_ours

from . import local, proxy
from .oidc import session


class Identify(Protocol):
    def __call__(self, request: HttpRequest, *, fresh: bool) -> Actor | None: ...


MODES: dict[str, Identify] = {
    "oidc": session.identify,
    "proxy": proxy.identify,
    "local": local.identify,
}


class SignInMiddleware:
    """Sets `request.actor`: the person, or None. What destroys asks for a fresh confirmation."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        found, view = cast(Any, request), _view(request)
        found.actor = None
        if settings.SIGN_IN == "proxy" and not getattr(view, "login_required", True):
            proxy.take_headers(request)
            return self.get_response(request)  # a page for nobody: it must not begin a session
        fresh = request.method == "POST" and getattr(view, "destroys", False)
        found.leaving = getattr(view, "leaves", False)
        try:
            found.actor = MODES[settings.SIGN_IN](request, fresh=fresh)
        except proxy.NotFromTheProxy:
            return _through_the_proxy(request)
        return self.get_response(request)


def _view(request: HttpRequest) -> Any:
    """The view that will answer; None if there is none."""
    try:
        return resolve(request.path_info).func
    except Resolver404:
        return None


def _through_the_proxy(request: HttpRequest) -> HttpResponse:
    """Not into a part of a page: there the proxy's own sign-in could not be seen."""
    htmx = getattr(request, "htmx", None)
    if htmx:
        back, home = htmx.current_url_abs_path or "", reverse("home")
        return HttpResponseClientRedirect(back if is_ours(back) else home)
    context = {"title": "Direct access not allowed"}
    return render(request, "sso/not_from_the_proxy.html", context, status=403)
