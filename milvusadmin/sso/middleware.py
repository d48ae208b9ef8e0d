"""Who is asking: found out anew for each request, by the mode of sign-in that is configured."""

from collections.abc import Callable
from typing import Protocol

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import Resolver404, resolve, reverse
from django.utils.translation import gettext
from django_htmx.http import HttpResponseClientRedirect

from collections_app.access.policy import Permissions
from collections_app.access.principals import Actor
from collections_app.web.links import is_ours
from collections_app.web.request import AppRequest, SignedInRequest
from collections_app.web.view_policy import policy_of

from . import local, proxy
from .oidc import session


class Identify(Protocol):
    def __call__(self, request: AppRequest, *, fresh: bool) -> Actor | None: ...


MODES: dict[str, Identify] = {
    "oidc": session.identify,
    "proxy": proxy.identify,
    "local": local.identify,
}


class SignInMiddleware:
    """Sets `request.actor` and their permissions, unless nobody is signed in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: SignedInRequest) -> HttpResponseBase:
        marks = policy_of(_view(request))
        request.renew, request.leaving = False, marks.ends_session
        if settings.SIGN_IN == "proxy" and marks.public:
            proxy.take_headers(request)
            return self.get_response(request)  # a page for nobody: it must not begin a session
        fresh = request.method == "POST" and marks.reauthenticate
        try:
            actor = MODES[settings.SIGN_IN](request, fresh=fresh)
        except proxy.NotFromTheProxy:
            return _through_the_proxy(request)
        if actor:
            request.actor, request.permissions = actor, Permissions(actor)
        return self.get_response(request)


def _view(request: HttpRequest) -> object:
    """The view that will answer; None if there is none."""
    try:
        return resolve(request.path_info).func
    except Resolver404:
        return None


def _through_the_proxy(request: AppRequest) -> HttpResponse:
    """Not into a part of a page: there the proxy's own sign-in could not be seen."""
    if request.htmx:
        back, home = request.htmx.current_url_abs_path or "", reverse("home")
        return HttpResponseClientRedirect(back if is_ours(back) else home)
    context = {"title": gettext("Direct access not allowed")}
    return render(request, "sso/not_from_the_proxy.html", context, status=403)
