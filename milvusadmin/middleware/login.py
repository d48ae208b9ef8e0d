"""Login is the default: where somebody without a session is sent, and comes back to."""

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.views import redirect_to_login
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, resolve_url
from django_htmx.http import HttpResponseClientRedirect

from collections_app.web import draft
from collections_app.web.request import AppRequest
from collections_app.web.view_policy import policy_of


class HtmxLoginRequiredMiddleware(LoginRequiredMiddleware):
    """Login is the default. htmx is sent to the sign-in page as a whole page.

    A background request would follow the redirect silently and put the sign-in form where a
    table or a dialog was; HX-Redirect makes the browser itself go there. Signing in leads back
    to the page that was open, or to the dialog (`@policy(resumable=True)`) as its own page.
    """

    def handle_no_permission(  # type: ignore[override]  # a client redirect is no 302
        self, request: AppRequest, view_func: Callable[..., HttpResponseBase]
    ) -> HttpResponseBase:
        if policy_of(view_func).ends_session:
            return redirect("signed-out")
        back, login_url = _back(request, view_func), self.get_login_url(view_func)
        _save_confirmation(request, view_func)
        if request.renew:
            login_url = f"{resolve_url(login_url)}?silent=1"
        login = redirect_to_login(back, login_url, REDIRECT_FIELD_NAME)
        return HttpResponseClientRedirect(login.url) if request.htmx else login


def _save_confirmation(request: AppRequest, view_func: Callable[..., HttpResponseBase]) -> None:
    """A dialog that was sent after its session ended comes back, for the same thing only."""
    if request.method == "POST" and policy_of(view_func).resumable:
        draft.save(request, request.POST.get("token", ""), request.POST.get("reason", ""))


def _back(request: AppRequest, view_func: Callable[..., HttpResponseBase]) -> str:
    """Where signing in leads; never to an address that takes POST only."""
    if policy_of(view_func).resumable:
        return request.get_full_path()
    if request.htmx and request.htmx.current_url_abs_path:
        return str(request.htmx.current_url_abs_path)
    if request.method in {"GET", "HEAD"}:
        return request.get_full_path()
    return resolve_url(settings.LOGIN_REDIRECT_URL)
