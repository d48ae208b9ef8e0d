"""Accounts of this dashboard: for the demo, and for the day on which the provider is broken."""

from ipaddress import ip_address, ip_network
from typing import Any, cast

from django.contrib.auth import get_user_model
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from collections_app.access.principals import Actor, caller_of, client_address
from collections_app.audit.log import LogUnwritable
from collections_app.web.links import is_ours
from collections_app.web.request import AppRequest

from . import events

ISSUER = "local"
WHEN = "authenticated_at"  # in the session


def identify(request: HttpRequest, *, fresh: bool) -> Actor | None:
    """The account's owner, with the groups as they are now in the database."""
    user: Any = request.user
    if not user.is_authenticated:
        return None
    return actor_from(user, request.session.get(WHEN, ""))


def actor_from(user: Any, authenticated_at: str = "") -> Actor:
    return Actor(
        issuer=ISSUER,
        subject=user.get_username(),
        display=user.get_full_name() or user.get_username(),
        groups=tuple(sorted(user.groups.values_list("name", flat=True))),
        method="local",
        authenticated_at=authenticated_at,
    )


class LocalLoginView(LoginView):
    """Name and password; every attempt is on the record, and too many lock the door."""

    template_name = "sign_in.html"
    extra_context = {"title": _("Sign in")}  # noqa: RUF012 (Django's own attribute)

    def get_redirect_url(self, request: HttpRequest | None = None) -> str:
        asked = super().get_redirect_url()
        return asked if is_ours(asked) else ""

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Without a record nobody gets in."""
        user, now = form.get_user(), timezone.now()
        actor = actor_from(user, now.isoformat())
        before = cast(AppRequest, self.request).actor
        again = before is not None and before.key == actor.key
        action = events.STEP_UP if again else events.SIGN_IN
        answer = super().form_valid(form)
        self.request.session.cycle_key()  # login() leaves it as it is for the same person
        try:
            message = "Signed in with a local account"
            events.record(action, caller_of(self.request, actor), message)
        except LogUnwritable:
            self.request.session.flush()
            raise
        self.request.session[WHEN] = now.isoformat()
        return answer

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        name = form.cleaned_data.get("username", "")
        locked = getattr(self.request, "axes_locked_out", False)
        why = "Locked after too many wrong passwords" if locked else "Wrong name or password"
        events.record_rejected_sign_in(caller_of(self.request, _attempted(name)), why)
        return super().form_invalid(form)


def counted_as(request: HttpRequest, credentials: dict[str, Any]) -> str:
    """Under what wrong passwords are counted: a digest, because the name may be a password."""
    name = (credentials or {}).get("username") or request.POST.get("username", "")
    return salted_hmac("milvusadmin.sso.local", name).hexdigest()


def counted_from(request: HttpRequest) -> str:
    """From where wrong passwords are counted: always an address, or the count would not hold.

    Of IPv6 it is the network of 64 bits: who has one address there has all of them. Whoever comes
    by a Unix socket without a word of the proxy is taken for this machine.
    """
    try:
        found = ip_address(client_address(request))
    except ValueError:
        return "127.0.0.1"
    if found.version == 4:
        return str(found)
    return str(ip_network((found.packed, 64), strict=False).network_address)


def _attempted(name: str) -> Actor:
    """The account that was tried. A name that is none is not kept: it may be a password."""
    known = "\0" not in name and get_user_model().objects.filter(username=name).exists()
    return events.stranger("local", ISSUER, name if known else "")


def locked_out(request: HttpRequest, response: Any, credentials: Any) -> HttpResponse:
    """The page of somebody who tried too often."""
    context = {"locked": True, "title": _("Sign in")}
    return render(request, "sign_in.html", context, status=429)
