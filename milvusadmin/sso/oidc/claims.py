"""What the provider says about a person: the ID token and the userinfo, put together."""

import time
from datetime import UTC, datetime
from typing import Any

from authlib.integrations.django_client import DjangoOAuth2App

from .client import LEEWAY, Person, SignInRejected, config, decode, logger


def person_from(
    app: DjangoOAuth2App, tokens: dict[str, Any], claims: Any, subject: str = ""
) -> Person:
    """Put the ID token and the userinfo together; they have to be about one and the same."""
    if claims is None and not subject:
        raise SignInRejected("the response has no ID token")
    if claims is not None and claims.get("aud") not in (config().client_id, [config().client_id]):
        raise SignInRejected("the ID token has another audience")
    known = dict(claims or {})
    if app.server_metadata.get("userinfo_endpoint"):
        known |= _userinfo(app, tokens, known.get("sub", subject))
    if subject and known.get("sub", subject) != subject:
        raise SignInRejected("the response is about a different person")
    return _from_claims({"sub": subject, **known}, signed=dict(claims or {}))


def _userinfo(app: DjangoOAuth2App, tokens: dict[str, Any], subject: str) -> dict[str, Any]:
    # Without the refresh token: Authlib would use it up by itself for an access token that is old.
    token = {name: tokens[name] for name in ("access_token", "token_type") if name in tokens}
    answer = app.get(app.server_metadata["userinfo_endpoint"], token=token)
    answer.raise_for_status()
    signed = answer.headers.get("Content-Type", "").startswith("application/jwt")
    found = _signed_userinfo(app, answer.text) if signed else dict(answer.json())
    if found.get("sub") != subject:
        raise SignInRejected("the userinfo is about a different person")
    return found


def _signed_userinfo(app: DjangoOAuth2App, token: str) -> dict[str, Any]:
    """Some providers sign what they say of a person (OpenID Connect Core, 5.3.2)."""
    claims = dict(decode(app, token.strip()).claims)
    if claims.get("iss") != config().issuer:
        raise SignInRejected("the userinfo is from a different issuer")
    if claims.get("aud") not in (config().client_id, [config().client_id]):
        raise SignInRejected("the userinfo has a different audience")
    return claims


def _from_claims(claims: dict[str, Any], signed: dict[str, Any]) -> Person:
    """`signed` are those of the ID token: only they say which session it is, and since when."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255 or subject != _text(subject):
        raise SignInRejected("the ID token has no usable sub")
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


def _are_elsewhere(claims: dict[str, Any], path: str) -> bool:
    """Whether the claim only says where the groups could be had: Entra ID, from 200 on."""
    names = claims.get("_claim_names")
    return bool(claims.get("hasgroups")) or (isinstance(names, dict) and path in names)


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
