"""Signing out: the provider's page that ends its session, and its logout tokens."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import requests
from joserfc import jwt
from joserfc.errors import JoseError

from .client import LEEWAY, MALFORMED, SignInRejected, Unavailable, client, config, decode

LOGOUT_AGE = 300  # seconds for which a logout token counts
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


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
    """What a back-channel logout token says. Raises SignInRejected if any part is wrong."""
    app = client()
    try:
        decoded = decode(app, token)
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
        raise SignInRejected(f"the logout token can't be used: {exc}") from exc


def _ending(claims: dict[str, Any]) -> Ending:
    events = claims.get("events")
    if not isinstance(events, dict) or LOGOUT_EVENT not in events or "nonce" in claims:
        raise ValueError("it is not a logout token")
    if claims["aud"] not in (config().client_id, [config().client_id]):
        raise ValueError("its audience is a different client")
    if time.time() - float(claims["iat"]) > LOGOUT_AGE:
        raise ValueError(f"it is older than {LOGOUT_AGE} s")
    sid, subject = claims.get("sid") or "", claims.get("sub") or ""
    if not isinstance(sid, str) or not isinstance(subject, str) or not (sid or subject):
        raise ValueError("it names neither a session nor a person")
    issued_at = datetime.fromtimestamp(float(claims["iat"]), UTC)
    return Ending(sid=sid, subject=subject, issued_at=issued_at)
