"""Sessions that the identity provider vouches for: begun, confirmed again and again, ended."""

import logging
import time
from datetime import timedelta
from typing import Any

from django.contrib.auth import login
from django.contrib.auth.models import AnonymousUser
from django.contrib.messages import get_messages
from django.http import HttpRequest
from django.utils import timezone

from collections_app.access.principals import Actor, caller_of
from collections_app.audit.log import LogUnwritable
from collections_app.web.request import AppRequest

from .. import crypto, events
from ..backends import user_of
from ..models import SignIn, forget_old
from . import client, exchange, logout
from .client import Person

logger = logging.getLogger(__name__)

BACKEND = "milvusadmin.sso.backends.OidcBackend"
PAUSE = 15.0  # seconds for which reading does not try again to reach a silent provider
LOOKS, BETWEEN_LOOKS = 10, 0.2  # while another request of the session asks, for a drop
CALLS = 4  # discovery, keys, tokens, userinfo: what confirming may take, each with its deadline


def begin(request: HttpRequest, person: Person, kept: dict[str, Any], purpose: str) -> None:
    """Sign the person in. Raises SignInRejected for a user switched off here, and LogUnwritable.

    The session gets a new key, so that nobody who knew the old one comes along.
    """
    user = user_of(client.config().issuer, person.subject, person.display)
    if not user.is_active:
        raise client.SignInRejected("this user is disabled in Milvus Admin")
    before = SignIn.objects.filter(session_key=request.session.session_key or "").first()
    if before is None or before.subject != person.subject:
        list(get_messages(request))  # what was said to somebody else
    login(request, user, backend=BACKEND)
    request.session.cycle_key()  # login() leaves it as it is for the same person
    row = _row(request, person, kept)
    if before and purpose == "silent" and before.subject == row.subject:
        row.started_at = before.started_at
    try:
        _record_begin(request, row, before, purpose)
    except LogUnwritable:
        request.session.flush()
        raise
    if before:
        before.delete()
    row.save(force_insert=True)
    forget_old()


def _record_begin(request: HttpRequest, row: SignIn, before: SignIn | None, purpose: str) -> None:
    """A session renewed in silence is no sign-in: nobody did anything, unless groups changed."""
    if purpose == "silent" and before and before.subject == row.subject:
        events.record_groups(request, actor_from(row), before.groups)
        return
    action = events.STEP_UP if purpose == "again" else events.SIGN_IN
    message = f"Signed in; groups: {', '.join(row.groups) or 'none'}"
    events.record(action, caller_of(request, actor_from(row)), message)


def _row(request: HttpRequest, person: Person, kept: dict[str, Any]) -> SignIn:
    return SignIn(
        session_key=request.session.session_key or "",
        issuer=client.config().issuer,
        subject=person.subject,
        sid=person.sid,
        display=person.display,
        groups=list(person.groups),
        authenticated_at=person.authenticated_at,
        tokens=crypto.encrypt_tokens(kept),
    )


def actor_from(row: SignIn, *, stale: bool = False) -> Actor:
    """The person of a session, with the groups that were confirmed last."""
    moment = row.authenticated_at
    return Actor(
        issuer=row.issuer,
        subject=row.subject,
        display=row.display,
        groups=tuple(row.groups),
        method="oidc",
        authenticated_at=moment.isoformat() if moment else "",
        stale=stale,
    )


# --- on every request -----------------------------------------------------------------------------


def identify(request: AppRequest, *, fresh: bool) -> Actor | None:
    """Who this session's person is, confirmed by the provider within the time configured.

    `fresh` asks for a confirmation now: something is about to be destroyed. None if the session
    is over; then it is gone, or waits to be renewed in silence (`request.renew`).
    """
    if not request.user.is_authenticated:
        return None
    key = request.session.session_key or ""
    row = SignIn.objects.filter(session_key=key, issuer=client.config().issuer).first()
    if row is None or row.too_old:
        return _over(request, row, "The session reached its maximum age")
    age = (timezone.now() - row.checked_at).total_seconds()
    due = age > client.config().recheck
    if request.leaving or (not due and not fresh):
        return actor_from(row)
    if "refresh_token" in crypto.decrypt_tokens(row.tokens):
        return _confirmed(request, row, fresh=fresh, due=due)
    return _renewed(request) if due else actor_from(row)


def _renewed(request: AppRequest) -> Actor | None:
    """There is no refresh token: the browser has to go to the provider, in silence."""
    request.renew = True
    request.user = AnonymousUser()
    return None


def _over(request: HttpRequest, row: SignIn | None, why: str) -> Actor | None:
    """End the session, and then record it. The answer is nobody."""
    caller = caller_of(request, actor_from(row)) if row else None  # the session is in it
    if row is not None:
        SignIn.objects.filter(session_key=row.session_key).delete()
    request.session.flush()
    request.user = AnonymousUser()
    if caller is not None:
        events.record(events.ENDED, caller, why)
    return None


def _confirmed(request: HttpRequest, row: SignIn, *, fresh: bool, due: bool) -> Actor | None:
    """Ask the provider, one request of a session at a time: some revoke a token used twice."""
    if not _my_turn(row, fresh=fresh):
        return _as_somebody_found(request, row, fresh=fresh, due=due)
    # Whose turn it was before may have left a new refresh token, or ended the session.
    now = SignIn.objects.filter(session_key=row.session_key).first()
    if now is None:
        return _over(request, None, "")
    row = now
    try:
        person, kept = exchange.refresh(crypto.decrypt_tokens(row.tokens), row.subject)
    except client.SignInRejected as exc:
        return _over(request, row, f"The provider no longer confirms this session: {exc}")
    except client.Unavailable as exc:
        return _in_grace(request, row, exc, due=due, fresh=fresh)
    return _updated(request, row, person, kept)


def _my_turn(row: SignIn, *, fresh: bool) -> bool:
    """Take the right to ask, for as long as asking can take."""
    now = timezone.now()
    free = SignIn.objects.filter(session_key=row.session_key, asking_until__lte=now)
    if not fresh:
        free = free.filter(ask_after__lte=now)
    until = now + timedelta(seconds=CALLS * client.config().timeout)
    return bool(free.update(asking_until=until))


def _as_somebody_found(
    request: HttpRequest, row: SignIn, *, fresh: bool, due: bool
) -> Actor | None:
    """Another request of this session is asking, or the provider did not answer a moment ago."""
    before, asking = row.checked_at, row.asking_until > timezone.now()
    for rounds_left in reversed(range(LOOKS if fresh or asking else 1)):
        now = SignIn.objects.filter(session_key=row.session_key).first()
        if now is None:
            return _over(request, None, "")  # ended meanwhile
        if now.checked_at > before:
            return actor_from(now)
        time.sleep(BETWEEN_LOOKS if rounds_left else 0)
    return _unconfirmed(request, row, due=due, fresh=fresh)


def _unconfirmed(request: HttpRequest, row: SignIn, *, due: bool, fresh: bool) -> Actor | None:
    """Nobody could ask. Within the grace the session goes on, for reading at least."""
    config = client.config()
    if timezone.now() > row.checked_at + timedelta(seconds=config.recheck + config.grace):
        return _over(request, row, "The provider did not answer within the grace period")
    return actor_from(row, stale=(due or fresh) and not config.grace_for_drops)


def _in_grace(
    request: HttpRequest, row: SignIn, exc: client.Unavailable, *, due: bool, fresh: bool
) -> Actor | None:
    logger.warning("the identity provider does not answer: %s", exc)
    now = timezone.now()
    waiting: dict[str, Any] = {"asking_until": now, "ask_after": now + timedelta(seconds=PAUSE)}
    if exc.tokens:
        waiting["tokens"] = crypto.encrypt_tokens(exc.tokens)
    SignIn.objects.filter(session_key=row.session_key).update(**waiting)
    return _unconfirmed(request, row, due=due, fresh=fresh)


def _updated(
    request: HttpRequest, row: SignIn, person: Person, kept: dict[str, Any]
) -> Actor | None:
    """Keep what the provider said. Groups count at once; kept they are once they are recorded."""
    before, now = tuple(row.groups), timezone.now()
    row.groups, row.display = list(person.groups), person.display
    changes = {"display": row.display, "tokens": crypto.encrypt_tokens(kept), "asking_until": now}
    try:
        events.record_groups(request, actor_from(row), before)
        recorded, changes = True, {**changes, "groups": row.groups, "checked_at": now}
    except LogUnwritable as exc:
        recorded = False
        logger.error("a change of groups could not be recorded: %s", exc)
    if not SignIn.objects.filter(session_key=row.session_key).update(**changes):
        return _over(request, None, "")  # signed out while we asked
    return actor_from(row, stale=not recorded)


# --- the end --------------------------------------------------------------------------------------


def id_token_of(request: HttpRequest) -> str:
    """The ID token of this session: tells the provider which of its sessions to end."""
    row = SignIn.objects.filter(session_key=request.session.session_key or "").first()
    return crypto.decrypt_tokens(row.tokens).get("id_token", "") if row else ""


def end_all(request: HttpRequest, ending: logout.Ending) -> None:
    """End the sessions that a logout token names. Raises LogUnwritable after ending them."""
    rows = SignIn.objects.filter(issuer=client.config().issuer)
    rows = rows.filter(started_at__lte=ending.issued_at + timedelta(seconds=5))  # no replay
    if ending.sid:
        rows = rows.filter(sid__in=[ending.sid, ""] if ending.subject else [ending.sid])
    if ending.subject:
        rows = rows.filter(subject=ending.subject)
    ended = list(rows)
    for row in ended:
        row.end()
    for row in ended:
        message = "Ended by the identity provider"
        events.record(events.ENDED, caller_of(request, actor_from(row)), message)
