"""Login is the default: where somebody without a session is sent, and comes back to."""

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, resolve_url
from django_htmx.http import HttpResponseClientRedirect

from collections_app.web.draft import keep


class HtmxLoginRequiredMiddleware(LoginRequiredMiddleware):
    """Login is the default. htmx is sent to the sign-in page as a whole page.

    A background request would follow the redirect silently and put the sign-in form where a
    table or a dialog was; HX-Redirect makes the browser itself go there. Signing in leads back
    to the page that was open, or to the dialog (a view marked `stands_alone`) as its own page.
    """

    def handle_no_permission(  # type: ignore[override]  # a client redirect is no 302
        self, request: HttpRequest, view_func: Callable[..., HttpResponseBase]
    ) -> HttpResponseBase:
        if getattr(view_func, "leaves", False):
            return redirect("signed-out")
        back, login_url = _back(request, view_func), self.get_login_url(view_func)
        _keep_consent(request, view_func)
        if getattr(request, "renew", False):
            login_url = f"{resolve_url(login_url)}?silent=1"
        login = redirect_to_login(back, login_url, REDIRECT_FIELD_NAME)
        return HttpResponseClientRedirect(login.url) if getattr(request, "htmx", None) else login


def _keep_consent(request: HttpRequest, view_func: Callable[..., HttpResponseBase]) -> None:
    """A dialog that was sent after its session ended comes back, for the same thing only."""
    if request.method == "POST" and getattr(view_func, "stands_alone", False):
        keep(request, request.POST.get("token", ""), request.POST.get("reason", ""))


def _back(request: HttpRequest, view_func: Callable[..., HttpResponseBase]) -> str:
    """Where signing in leads; never to an address that takes POST only."""
    if getattr(view_func, "stands_alone", False):
        return request.get_full_path()
    htmx = getattr(request, "htmx", None)
    if htmx and htmx.current_url_abs_path:
        return str(htmx.current_url_abs_path)
    if request.method in {"GET", "HEAD"}:
        return request.get_full_path()
    return resolve_url(settings.LOGIN_REDIRECT_URL)
