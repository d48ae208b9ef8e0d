"""Signing in and out, in whichever mode is configured."""

import functools
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.messages import get_messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from collections_app.access.principals import caller_of
from collections_app.web.links import is_ours
from collections_app.web.request import AppRequest, SignedInRequest
from collections_app.web.view_policy import policy

from . import events, flows, local
from .flows import Flow
from .models import SignIn
from .oidc import client, exchange, logout, session

logger = logging.getLogger(__name__)

NOT_SILENTLY = {"login_required", "interaction_required", "consent_required"} | {
    "account_selection_required"
}


def only_in(mode: str) -> Callable[..., Any]:
    """A page that the other modes don't have."""

    def decorate(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @functools.wraps(view)
        def guarded(request: HttpRequest) -> HttpResponseBase:
            if mode != settings.SIGN_IN:
                raise Http404(gettext("There is no such page with this kind of sign-in"))
            return view(request)

        return guarded

    return decorate


def next_of(request: HttpRequest) -> str:
    """Where sign-in leads: an address of ours, or the start page."""
    asked = request.POST.get("next", request.GET.get("next", ""))
    return asked if is_ours(asked) else resolve_url(settings.LOGIN_REDIRECT_URL)


@policy(public=True)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponseBase:
    """The door. `fresh=1` asks for the person again, `silent=1` for a sign of life."""
    if settings.SIGN_IN == "local":
        return local.LocalLoginView.as_view()(request)
    if settings.SIGN_IN == "proxy" or (request.user.is_authenticated and not _fresh(request)):
        return redirect(next_of(request))
    purpose = "again" if _fresh(request) else "silent" if "silent" in request.GET else "sign-in"
    try:
        return _to_the_provider(request, purpose)
    except client.Unavailable as exc:
        return unavailable(request, exc)


def _fresh(request: HttpRequest) -> bool:
    return "fresh" in request.GET and request.user.is_authenticated


def _to_the_provider(request: HttpRequest, purpose: str) -> HttpResponse:
    extra = {"sign-in": {}, "silent": {"prompt": "none"}, "again": _again()}[purpose]
    flow = flows.begin(purpose, next_of(request), resolve_url(settings.LOGIN_REDIRECT_URL))
    response = redirect(exchange.authorization(flow, _callback_of(request), **extra))
    flows.remember(request, response, flow)
    return response


def _callback_of(request: HttpRequest) -> str:
    return request.build_absolute_uri(reverse("oidc-callback"))


def _again() -> dict[str, Any]:
    """`prompt` makes most providers ask; `max_age` makes them say when they did."""
    return {"prompt": "login", "max_age": int(oldest_sign_in())}


def oldest_sign_in() -> float:
    """The strictest `reauth` of all clusters, in seconds."""
    return min([c.reauth for c in settings.CLUSTERS.values() if c.reauth] or [300.0])


# --- back from the provider -----------------------------------------------------------------------


@policy(public=True)
@never_cache
@only_in("oidc")
@require_safe
def callback(request: AppRequest) -> HttpResponse:
    """The provider sent the browser back: with a code, or with a reason why not."""
    flow, signed_in = flows.found(request), request.actor is not None
    if flow is None:
        if signed_in:  # an old tab, or a link of somebody who wants a refusal in her name
            return redirect(settings.LOGIN_REDIRECT_URL)
        return reject_sign_in(
            request, "this browser did not start this sign-in, or has already used it"
        )
    if signed_in and flow.purpose != "again":  # by another tab, meanwhile
        response: HttpResponse = redirect(flow.next)
    else:
        response = _came_back(request, flow)
    flows.forget(response, flow)
    return response


def _came_back(request: AppRequest, flow: Flow) -> HttpResponse:
    if flow.purpose == "silent" and request.GET.get("error") in NOT_SILENTLY:
        return redirect(f"{reverse('sign-in')}?{urlencode({'next': flow.next})}")
    try:
        person, kept = exchange.exchange(request, flow, _callback_of(request))
        if flow.purpose == "again":
            _check_again(request, person)
        session.begin(request, person, kept, flow.purpose)
    except client.SignInRejected as exc:
        return reject_sign_in(request, str(exc), flow.next)
    except client.Unavailable as exc:
        return unavailable(request, exc, flow.next)
    return redirect(flow.next)


def _check_again(request: HttpRequest, person: client.Person) -> None:
    """The same person, and asked just now. Raises SignInRejected."""
    row = SignIn.objects.filter(session_key=request.session.session_key or "").first()
    if row is None or row.subject != person.subject:
        raise client.SignInRejected("a different person signed in than the one who was asked")
    if person.authenticated_at is None:
        raise client.SignInRejected(
            "the ID token has no auth_time, so the time of the sign-in is unknown"
        )
    age = (timezone.now() - person.authenticated_at).total_seconds()
    if not -client.LEEWAY <= age <= oldest_sign_in() + client.LEEWAY:
        raise client.SignInRejected(
            "the provider did not ask for a new sign-in: auth_time is too old"
        )


def reject_sign_in(request: AppRequest, why: str, again: str = "") -> HttpResponse:
    """Turned away, on the record, with a way to try again."""
    issuer = client.config().issuer
    caller = caller_of(request, request.actor or events.stranger("oidc", issuer))
    events.record_rejected_sign_in(caller, f"Sign-in refused: {why}")
    context = {"why": why, "title": gettext("Sign-in refused"), "again": again}
    return render(request, "sso/refused.html", context, status=403)


def unavailable(request: HttpRequest, exc: Exception, again: str = "") -> HttpResponse:
    """The provider does not answer. What it said goes to the log, not to the page."""
    logger.warning("the identity provider can't be used: %s", exc)
    context = {"title": gettext("Sign-in does not answer"), "again": again or next_of(request)}
    response = render(request, "sso/unavailable.html", context, status=503)
    response["Retry-After"] = "15"
    return response


# --- out ------------------------------------------------------------------------------------------


@policy(ends_session=True)
@require_POST
def sign_out(request: SignedInRequest) -> HttpResponse:
    """End the session here, and then where it came from."""
    caller, address = caller_of(request), _elsewhere(request)
    SignIn.objects.filter(session_key=request.session.session_key).delete()
    list(get_messages(request))  # what was said to this person is not for the next
    request.session.flush()  # first: who wants out gets out, also without a log
    events.record(events.SIGN_OUT, caller, "Signed out")
    if not address:
        return redirect("signed-out")
    # A page that leads on: the content security policy lets no form lead to another site.
    context = {"address": address, "title": gettext("Signing out")}
    return render(request, "sso/signing_out.html", context)


def _elsewhere(request: HttpRequest) -> str:
    """Where the session came from, to be ended there too; empty if it came from us."""
    if settings.SIGN_IN == "proxy":
        return str(settings.PROXY.sign_out_url) if settings.PROXY else ""
    if settings.SIGN_IN == "local":
        return ""
    back = request.build_absolute_uri(reverse("signed-out"))
    return logout.sign_out_address(back, session.id_token_of(request))


@policy(public=True)
@require_safe
def signed_out(request: HttpRequest) -> HttpResponse:
    """A quiet page; the door itself would sign in again at once."""
    return render(request, "sso/signed_out.html", {"title": gettext("Signed out")})


@csrf_exempt
@policy(public=True)
@never_cache
@only_in("oidc")
@require_POST
def backchannel_logout(request: HttpRequest) -> HttpResponse:
    """The provider ends sessions: OpenID Connect Back-Channel Logout 1.0."""
    try:
        ending = logout.read_logout_token(request.POST.get("logout_token", ""))
    except client.SignInRejected as exc:
        stranger = events.stranger("oidc", client.config().issuer)
        events.record_rejected_sign_in(caller_of(request, stranger), str(exc))
        return JsonResponse({"error": "invalid_request"}, status=400)
    except client.Unavailable:
        return JsonResponse({"error": "temporarily_unavailable"}, status=503)
    session.end_all(request, ending)
    return HttpResponse()
