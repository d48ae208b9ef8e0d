"""Signing in at the provider, and asking it again about a session: codes for tokens."""

from dataclasses import dataclass
from typing import Any

import requests
from authlib.integrations.django_client import DjangoOAuth2App, OAuthError
from django.http import HttpRequest
from joserfc.errors import JoseError

from ..flows import Flow
from .claims import person_from
from .client import (
    LEEWAY,
    MALFORMED,
    Person,
    SignInRejected,
    Unavailable,
    client,
    config,
    waiting,
)

NO = {400, 401, 403}  # statuses that are an answer; the others are no answer


@dataclass(frozen=True, slots=True)
class AuthlibRequest:
    """What Authlib reads of a request: the query, and a session with what it began with.

    This session is made for one answer, and nobody shares it.
    """

    GET: Any
    session: dict[str, Any]
    method: str = "GET"

    @classmethod
    def of(cls, request: HttpRequest, flow: Flow, redirect_uri: str) -> "AuthlibRequest":
        session: dict[str, Any] = {}
        begun = {
            "redirect_uri": redirect_uri,
            "code_verifier": flow.verifier,
            "nonce": flow.nonce,
        }
        client().framework.set_state_data(session, request.GET["state"], begun)
        return cls(request.GET, session)


def authorization(flow: Flow, redirect_uri: str, **extra: Any) -> str:
    """The address to send the browser to. Raises Unavailable."""
    with waiting():
        app = client()
    made = app.create_authorization_url(
        redirect_uri, state=flow.state, nonce=flow.nonce, code_verifier=flow.verifier, **extra
    )
    return str(made["url"])


def exchange(request: HttpRequest, flow: Flow, redirect_uri: str) -> tuple[Person, dict[str, Any]]:
    """The person at the callback, and the tokens. Raises Unavailable, or SignInRejected."""
    if request.GET.get("iss", config().issuer) != config().issuer:
        raise SignInRejected("the response is from a different issuer")
    with waiting():
        return _exchanged(AuthlibRequest.of(request, flow, redirect_uri), client())


def _exchanged(answer: AuthlibRequest, app: DjangoOAuth2App) -> tuple[Person, dict[str, Any]]:
    try:
        tokens = app.authorize_access_token(answer, claims_options=_expected(), leeway=LEEWAY)
        return person_from(app, tokens, tokens.get("userinfo")), tokens
    except (requests.RequestException, OAuthError, JoseError, *MALFORMED) as exc:
        raise _translated(exc) from exc


def refresh(tokens: dict[str, str], subject: str) -> tuple[Person, dict[str, Any]]:
    """What the provider says about the same person now, and the tokens to go on with.

    Raises Unavailable, or SignInRejected if it does not vouch for them any more.
    """
    app, fresh = client(), dict[str, Any]()
    try:
        fresh = app.fetch_access_token(
            grant_type="refresh_token", refresh_token=tokens["refresh_token"]
        )
        claims = None
        if fresh.get("id_token"):
            claims = app.parse_id_token(fresh, None, claims_options=_expected(), leeway=LEEWAY)
        person = person_from(app, fresh, claims, subject)
        return person, {**tokens, **fresh}
    except (requests.RequestException, OAuthError, JoseError, *MALFORMED) as exc:
        problem = _translated(exc)
        if isinstance(problem, Unavailable):
            problem.tokens = {**tokens, **fresh}
        raise problem from exc


def _expected() -> dict[str, Any]:
    return {
        "iss": {"essential": True, "values": [config().issuer]},
        "aud": {"essential": True, "values": [config().client_id]},
    }


def _translated(exc: Exception) -> Exception:
    """An answer is a refusal; no answer, or half of one, is not."""
    if isinstance(exc, requests.HTTPError) and exc.response is not None:
        if exc.response.status_code in NO:
            return SignInRejected(
                f"the provider answered {exc.response.status_code}"
            )  # not its body
        return Unavailable(f"the provider answered {exc.response.status_code}")
    if isinstance(exc, requests.RequestException):
        return Unavailable(type(exc).__name__)
    if isinstance(exc, OAuthError) and exc.error in {"server_error", "temporarily_unavailable"}:
        return Unavailable(exc.error)
    if isinstance(exc, MALFORMED):
        return Unavailable(f"{type(exc).__name__}: {exc}"[:300])
    return SignInRejected(str(exc))
