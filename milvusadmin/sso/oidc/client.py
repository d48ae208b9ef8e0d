"""Talking to the identity provider. Every call has a deadline; nothing here knows our pages."""

import logging
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import requests
from authlib.integrations.django_client import DjangoOAuth2App, OAuth
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from milvusadmin.config.sign_in import Oidc, safe_address

logger = logging.getLogger(__name__)

DISCOVERY_AGE = 3600  # seconds for which the discovery document and the keys count
KEYS_AGE = 60  # an unknown key makes us ask for the keys again, but not more often
LEEWAY = 60  # seconds by which clocks may differ
# Signatures only the provider can make: no `none`, and no secret shared with us.
ALGORITHMS = [f"{kind}{bits}" for kind in ("RS", "PS", "ES") for bits in (256, 384, 512)]
MALFORMED = (ValueError, TypeError, KeyError, AttributeError, OverflowError)


class Unavailable(Exception):
    """The provider does not answer, or not as a provider should.

    `tokens` are new ones that it gave before it fell silent: the old ones may be worth nothing now.
    """

    tokens: dict[str, Any] | None = None


class SignInRejected(Exception):
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
        raise Unavailable(f"the discovery document can't be used: {exc}") from exc
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
        raise ValueError(f"its issuer is {metadata.get('issuer')!r}")
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
def waiting() -> Iterator[None]:
    """At most so many threads of a process wait for the provider on behalf of strangers."""
    if not _seats.acquire(blocking=False):
        raise Unavailable("too many requests are waiting for the provider")
    try:
        yield
    finally:
        _seats.release()


_seats = threading.BoundedSemaphore(4)


def decode(app: DjangoOAuth2App, token: str) -> jwt.Token:
    """A token with a signature of the provider's. Its claims are not checked yet."""
    algorithms = app.server_metadata["id_token_signing_alg_values_supported"]
    try:
        return jwt.decode(token, KeySet.import_key_set(app.fetch_jwk_set()), algorithms)
    except InvalidKeyIdError:
        # Strangers can name keys too: they must not make us ask each time.
        if time.monotonic() - getattr(app, "keys_asked", -KEYS_AGE) < KEYS_AGE:
            raise
        app.keys_asked = time.monotonic()
        return jwt.decode(token, KeySet.import_key_set(app.fetch_jwk_set(force=True)), algorithms)
