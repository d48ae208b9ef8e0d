"""Talking to the identity provider. Every call has a deadline; nothing here knows our pages."""

import logging
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import requests
from authlib.integrations.django_client import DjangoOAuth2App, OAuth, OAuthError
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from milvusadmin.sign_in import Oidc, safe_address

from .flows import Flow

logger = logging.getLogger(__name__)

DISCOVERY_AGE = 3600  # seconds for which the discovery document and the keys count
KEYS_AGE = 60  # an unknown key makes us ask for the keys again, but not more often
LEEWAY = 60  # seconds by which clocks may differ
LOGOUT_AGE = 300  # seconds for which a logout token counts
# Signatures only the provider can make: no `none`, and no secret shared with us.
ALGORITHMS = [f"{kind}{bits}" for kind in ("RS", "PS", "ES") for bits in (256, 384, 512)]
MALFORMED = (ValueError, TypeError, KeyError, AttributeError, OverflowError)
NO = {400, 401, 403}  # statuses that are an answer; the others are no answer
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


class Unavailable(Exception):
    """The provider does not answer, or not as a provider should.

    `tokens` are new ones that it gave before it fell silent: the old ones may be worth nothing now.
    """

    tokens: dict[str, Any] | None = None


class Refused(Exception):
    """The provider said no, or what came in its name is not from it. Its text is one line."""

    def __init__(self, why: str) -> None:
        super().__init__(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", why)[:300])


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What the provider says about somebody. `authenticated_at` is None if it does not say."""

    subject: str
    display: str
    groups: tuple[str, ...]
    sid: str = ""
    authenticated_at: datetime | None = None


def client() -> DjangoOAuth2App:
    """The provider as an Authlib client, its discovery document checked and at most an hour old.

    Raises Unavailable.
    """
    app = _client(config(), int(time.time() // DISCOVERY_AGE))
    try:
        metadata = app.load_server_metadata()
        _check(metadata)
    except (requests.RequestException, *MALFORMED) as exc:
        app.server_metadata.clear()
        raise Unavailable(f"its discovery document can't be used: {exc}") from exc
    return app


def config() -> Oidc:
    """The settings of this mode. Raises ImproperlyConfigured in the others."""
    if settings.OIDC is None:
        raise ImproperlyConfigured("SIGN_IN is not oidc.")
    found: Oidc = settings.OIDC
    return found


class App(DjangoOAuth2App):  # type: ignore[misc]  # Authlib has no types
    """Authlib's client, for a provider whose key set has keys that can't be used, too."""

    def fetch_jwk_set(self, force: bool = False) -> dict[str, Any]:
        """The keys that can be used: "Implementations SHOULD ignore" the others (RFC 7517, 5)."""
        found = super().fetch_jwk_set(force=force)
        keys = found.get("keys") if isinstance(found, dict) else None
        if not isinstance(keys, list):
            return dict(found)  # Authlib says what is wrong
        return {**found, "keys": [key for key in keys if _is_usable(key)]}


def _is_usable(key: Any) -> bool:
    try:
        KeySet.import_key_set({"keys": [key]})
    except (JoseError, *MALFORMED) as exc:
        kind = key.get("kty") if isinstance(key, dict) else type(key).__name__
        logger.info("a key of the identity provider is ignored (%s): %s", kind, type(exc).__name__)
        return False
    return True


class _OAuth(OAuth):  # type: ignore[misc]
    oauth2_client_cls = App


@lru_cache(maxsize=2)
def _client(oidc: Oidc, hour: int) -> DjangoOAuth2App:
    app = _OAuth().register(
        "oidc",
        client_id=oidc.client_id,
        client_secret=oidc.client_secret,
        server_metadata_url=f"{oidc.issuer.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={
            "scope": oidc.scopes,
            "code_challenge_method": "S256",
            "default_timeout": oidc.timeout,
        },
    )
    found: DjangoOAuth2App = app
    return found


def _check(metadata: dict[str, Any]) -> None:
    """Raises ValueError if the document is another issuer's, or points at plain HTTP."""
    if metadata.get("issuer") != config().issuer:
        raise ValueError(f"it is the document of {metadata.get('issuer')!r}")
    needed = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    for name in (*needed, "userinfo_endpoint", "end_session_endpoint"):
        if (name in needed or metadata.get(name)) and not safe_address(str(metadata.get(name))):
            raise ValueError(f"{name} is not an https:// address")
    offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
    metadata["id_token_signing_alg_values_supported"] = [a for a in ALGORITHMS if a in offered]
    methods = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    basic = "client_secret_basic" in methods
    metadata["token_endpoint_auth_method"] = (
        "client_secret_basic" if basic else "client_secret_post"
    )


@contextmanager
def _waiting() -> Iterator[None]:
    """At most so many threads of a process wait for the provider on behalf of strangers."""
    if not _seats.acquire(blocking=False):
        raise Unavailable("too many wait for it already")
    try:
        yield
    finally:
        _seats.release()


_seats = threading.BoundedSemaphore(4)


# --- signing in -----------------------------------------------------------------------------------


def authorization(flow: Flow, redirect_uri: str, **extra: Any) -> str:
    """The address to send the browser to. Raises Unavailable."""
    with _waiting():
        app = client()
    made = app.create_authorization_url(
        redirect_uri, state=flow.state, nonce=flow.nonce, code_verifier=flow.verifier, **extra
    )
    return str(made["url"])


def exchange(request: HttpRequest, flow: Flow, redirect_uri: str) -> tuple[Person, dict[str, Any]]:
    """The person who came back to the callback, and the tokens. Raises Unavailable or Refused."""
    if request.GET.get("iss", config().issuer) != config().issuer:
        raise Refused("the answer is another issuer's")
    with _waiting():
        return _exchanged(_Answer.of(request, flow, redirect_uri), client())


@dataclass(frozen=True, slots=True)
class _Answer:
    """What Authlib reads of a request: the query, and a session with what it began with.

    Ours has neither a request nor a session in common with anybody.
    """

    GET: Any
    session: dict[str, Any]
    method: str = "GET"

    @classmethod
    def of(cls, request: HttpRequest, flow: Flow, redirect_uri: str) -> "_Answer":
        session: dict[str, Any] = {}
        begun = {
            "redirect_uri": redirect_uri,
            "code_verifier": flow.verifier,
            "nonce": flow.nonce,
        }
        client().framework.set_state_data(session, request.GET["state"], begun)
        return cls(request.GET, session)


def _exchanged(answer: _Answer, app: DjangoOAuth2App) -> tuple[Person, dict[str, Any]]:
    try:
        tokens = app.authorize_access_token(answer, claims_options=_expected(), leeway=LEEWAY)
        return _person(app, tokens, tokens.get("userinfo")), tokens
    except (requests.RequestException, OAuthError, JoseError, *MALFORMED) as exc:
        raise _translated(exc) from exc


def refresh(tokens: dict[str, str], subject: str) -> tuple[Person, dict[str, Any]]:
    """What the provider says about the same person now, and the tokens to go on with.

    Raises Unavailable, or Refused if it does not vouch for them any more.
    """
    app, fresh = client(), dict[str, Any]()
    try:
        fresh = app.fetch_access_token(
            grant_type="refresh_token", refresh_token=tokens["refresh_token"]
        )
        claims = None
        if fresh.get("id_token"):
            claims = app.parse_id_token(fresh, None, claims_options=_expected(), leeway=LEEWAY)
        person = _person(app, fresh, claims, subject)
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
            return Refused(f"it answered {exc.response.status_code}")  # not its body
        return Unavailable(f"it answered {exc.response.status_code}")
    if isinstance(exc, requests.RequestException):
        return Unavailable(type(exc).__name__)
    if isinstance(exc, OAuthError) and exc.error in {"server_error", "temporarily_unavailable"}:
        return Unavailable(exc.error)
    if isinstance(exc, MALFORMED):
        return Unavailable(f"{type(exc).__name__}: {exc}"[:300])
    return Refused(str(exc))


def _person(app: DjangoOAuth2App, tokens: dict[str, Any], claims: Any, subject: str = "") -> Person:
    """Put the ID token and the userinfo together; they have to be about one and the same."""
    if claims is None and not subject:
        raise Refused("there is no ID token in its answer")
    if claims is not None and claims.get("aud") not in (config().client_id, [config().client_id]):
        raise Refused("the ID token is for somebody else too")
    known = dict(claims or {})
    if app.server_metadata.get("userinfo_endpoint"):
        known |= _userinfo(app, tokens, known.get("sub", subject))
    if subject and known.get("sub", subject) != subject:
        raise Refused("the answer is about somebody else")
    return _from_claims({"sub": subject, **known}, signed=dict(claims or {}))


def _userinfo(app: DjangoOAuth2App, tokens: dict[str, Any], subject: str) -> dict[str, Any]:
    # Without the refresh token: Authlib would use it up by itself for an access token that is old.
    token = {name: tokens[name] for name in ("access_token", "token_type") if name in tokens}
    answer = app.get(app.server_metadata["userinfo_endpoint"], token=token)
    answer.raise_for_status()
    signed = answer.headers.get("Content-Type", "").startswith("application/jwt")
    found = _signed_userinfo(app, answer.text) if signed else dict(answer.json())
    if found.get("sub") != subject:
        raise Refused("the userinfo is about somebody else")
    return found


def _signed_userinfo(app: DjangoOAuth2App, token: str) -> dict[str, Any]:
    """Some providers sign what they say of a person (OpenID Connect Core, 5.3.2)."""
    claims = dict(_decode(app, token.strip()).claims)
    if claims.get("iss") != config().issuer:
        raise Refused("the userinfo is another issuer's")
    if claims.get("aud") not in (config().client_id, [config().client_id]):
        raise Refused("the userinfo is for somebody else")
    return claims


def _from_claims(claims: dict[str, Any], signed: dict[str, Any]) -> Person:
    """`signed` are those of the ID token: only they say which session it is, and since when."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255 or subject != _text(subject):
        raise Refused("the ID token names nobody")
    names = (claims.get(name) for name in ("name", "preferred_username", "email"))
    display = next((name for name in names if isinstance(name, str) and name.strip()), subject)
    if _are_elsewhere(claims, config().groups_claim):
        logger.warning(
            "the identity provider leaves the groups of %r out, because there are too many: that "
            "person has no rights. Send only the groups assigned to this application",
            subject,
        )
    return Person(
        subject=subject,
        display=_text(display)[:300],
        groups=tuple(_text(group) for group in groups_of(claims, config().groups_claim)),
        sid=_text(str(signed.get("sid") or ""))[:255],
        authenticated_at=_moment(signed.get("auth_time")),
    )


def _text(text: str) -> str:
    """What a database can keep of it: no half characters, no NUL."""
    return text.encode("utf-8", "replace").decode().replace("\0", "?")


def _moment(seconds: Any) -> datetime | None:
    """A time of the provider; None if it is no time, or is yet to come."""
    if not isinstance(seconds, int | float) or not 0 < seconds <= time.time() + LEEWAY:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def groups_of(claims: dict[str, Any], path: str) -> tuple[str, ...]:
    """The groups in a claim; a dot in its name goes into nested ones. Missing means none."""
    found: Any = claims.get(path)
    if found is None:
        found = claims
        for part in path.split("."):
            found = found.get(part) if isinstance(found, dict) else None
    if isinstance(found, str):
        found = [found]
    if not isinstance(found, list):
        return ()
    return tuple(sorted({group for group in found if isinstance(group, str) and group}))


def _are_elsewhere(claims: dict[str, Any], path: str) -> bool:
    """Whether the claim only says where the groups could be had: Entra ID, from 200 on."""
    names = claims.get("_claim_names")
    return bool(claims.get("hasgroups")) or (isinstance(names, dict) and path in names)


# --- signing out ----------------------------------------------------------------------------------


def sign_out_address(back: str, id_token: str) -> str:
    """Where the browser ends the provider's session too; empty if it has no such page."""
    try:
        made = client().create_logout_url(back, id_token or None, client_id=config().client_id)
    except (Unavailable, RuntimeError):
        return ""
    return str(made["url"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Whose sessions a logout token ends: one of the two is given, or both."""

    sid: str
    subject: str
    issued_at: datetime


def read_logout_token(token: str) -> Ending:
    """What a back-channel logout token says. Raises Refused if any part of it is not right."""
    app = client()
    try:
        decoded = _decode(app, token)
        registry = jwt.JWTClaimsRegistry(
            leeway=LEEWAY,
            iss={"essential": True, "value": config().issuer},
            aud={"essential": True},
            iat={"essential": True},
            jti={"essential": True},
        )
        registry.validate(decoded.claims)
        return _ending(decoded.claims)
    except requests.RequestException as exc:
        raise Unavailable(type(exc).__name__) from exc
    except (JoseError, *MALFORMED) as exc:
        raise Refused(f"the logout token can't be used: {exc}") from exc


def _decode(app: DjangoOAuth2App, token: str) -> jwt.Token:
    algorithms = app.server_metadata["id_token_signing_alg_values_supported"]
    try:
        return jwt.decode(token, KeySet.import_key_set(app.fetch_jwk_set()), algorithms)
    except InvalidKeyIdError:
        # Strangers can name keys too: they must not make us ask each time.
        if time.monotonic() - getattr(app, "keys_asked", -KEYS_AGE) < KEYS_AGE:
            raise
        app.keys_asked = time.monotonic()
        return jwt.decode(token, KeySet.import_key_set(app.fetch_jwk_set(force=True)), algorithms)


def _ending(claims: dict[str, Any]) -> Ending:
    events = claims.get("events")
    if not isinstance(events, dict) or LOGOUT_EVENT not in events or "nonce" in claims:
        raise ValueError("it is no logout token")
    if claims["aud"] not in (config().client_id, [config().client_id]):
        raise ValueError("it is for somebody else")
    if time.time() - float(claims["iat"]) > LOGOUT_AGE:
        raise ValueError("it is old")
    sid, subject = claims.get("sid") or "", claims.get("sub") or ""
    if not isinstance(sid, str) or not isinstance(subject, str) or not (sid or subject):
        raise ValueError("it names no session and nobody")
    issued_at = datetime.fromtimestamp(float(claims["iat"]), UTC)
    return Ending(sid=sid, subject=subject, issued_at=issued_at)
