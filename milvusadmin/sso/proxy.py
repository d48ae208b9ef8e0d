"""Sessions that a trusted proxy vouches for, by headers, on each request anew."""

import hmac
from dataclasses import replace

from django.conf import settings
from django.contrib.auth import login
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.utils import timezone

from collections_app.access.principals import Actor, caller_of
from collections_app.audit.log import LogUnwritable
from milvusadmin.config.sign_in import Proxy

from . import events
from .backends import user_of
from .models import SignIn, end_surplus, forget_old

BACKEND = "milvusadmin.sso.backends.ProxyBackend"
ISSUER = "proxy"


class NotFromTheProxy(Exception):
    """The request did not come through the proxy, or the proxy does not say who it is."""


def identify(request: HttpRequest, *, fresh: bool) -> Actor | None:
    """The person in the headers. Raises NotFromTheProxy; then the session is over too.

    `fresh` changes nothing: the headers are read on each request.
    """
    headers = take_headers(request)
    try:
        actor = _vouched_for(request, headers)
    except NotFromTheProxy:
        _end(request, "The proxy no longer confirms this session")
        raise
    return _with_session(request, actor)


def take_headers(request: HttpRequest) -> dict[str, str]:
    """Take the proxy's headers out of the request, in every spelling: nobody else may read them.

    X-User and X_User become the same key for WSGI; servers that let the second one pass join
    the two with a comma, which the checks refuse.
    """
    found = {}
    for name in ("secret", "user", "name", "groups"):
        key = "HTTP_" + getattr(_config(), f"{name}_header").upper().replace("-", "_")
        found[name] = request.META.pop(key, "")
    request.__dict__.pop("headers", None)  # a cached copy would still have them
    return found


def _text(value: str) -> str:
    """WSGI hands UTF-8 over as Latin-1. Raises NotFromTheProxy for anything else."""
    try:
        return value.encode("latin-1").decode("utf-8").strip(" \t")
    except UnicodeError as exc:
        raise NotFromTheProxy("a header is not UTF-8") from exc


def _name(value: str) -> str:
    """What is shown only may be Latin-1 too."""
    try:
        return _text(value)
    except NotFromTheProxy:
        return value.strip()


def _config() -> Proxy:
    if settings.PROXY is None:
        raise ImproperlyConfigured("SIGN_IN is not proxy.")
    found: Proxy = settings.PROXY
    return found


def _vouched_for(request: HttpRequest, headers: dict[str, str]) -> Actor:
    """The actor, if secret and peer are right. Raises NotFromTheProxy."""
    config = _config()
    right = hmac.compare_digest(headers["secret"].encode(), config.secret.encode())
    if not (right and config.trusts(str(request.META.get("REMOTE_ADDR", "")))):
        _reject_sign_in(request, headers)
    subject = _text(headers["user"])
    if not subject or "," in subject or len(subject) > 255 or not subject.isprintable():
        raise NotFromTheProxy("the proxy names no user")
    parts = _text(headers["groups"]).split(config.groups_separator)
    groups = {part.strip(" \t") for part in parts} - {""}
    return Actor(
        issuer=ISSUER,
        subject=subject,
        display=_name(headers["name"])[:300] or subject,
        groups=tuple(sorted(groups)),
        method="proxy",
    )


def _reject_sign_in(request: HttpRequest, headers: dict[str, str]) -> None:
    """Who sends such headers without being the proxy is on the record; a lost visitor is not."""
    if headers["user"] or headers["groups"] or headers["secret"]:
        # Not the address in a header: whoever comes past the proxy writes that too.
        caller = caller_of(request, events.stranger("proxy", ISSUER))
        origin = replace(caller.origin, ip=str(request.META.get("REMOTE_ADDR", "")))
        why = f"Proxy headers from an untrusted sender, for user {headers['user'][:255]!r}"
        events.record_rejected_sign_in(replace(caller, origin=origin), why)
    raise NotFromTheProxy("it did not come through the proxy")


# --- the session ----------------------------------------------------------------------------------


def _with_session(request: HttpRequest, actor: Actor) -> Actor:
    row = _row(request)
    if row is not None and row.subject != actor.subject:
        _end(request, "The proxy names a different user now")
        row = None
    if row is None:
        return _begin(request, actor)
    if tuple(row.groups) != actor.groups:
        _groups_changed(request, row, actor)
    return actor


def _row(request: HttpRequest) -> SignIn | None:
    if not request.user.is_authenticated:
        return None
    key = request.session.session_key or ""
    return SignIn.objects.filter(session_key=key, issuer=ISSUER).first()


def _begin(request: HttpRequest, actor: Actor) -> Actor:
    user = user_of(ISSUER, actor.subject, actor.display)
    if not user.is_active:
        events.record_rejected_sign_in(
            caller_of(request, actor), "This user is disabled in Milvus Admin"
        )
        raise NotFromTheProxy("this user is disabled in Milvus Admin")
    login(request, user, backend=BACKEND)
    request.session.cycle_key()
    message = f"Signed in through the proxy; groups: {', '.join(actor.groups) or 'none'}"
    try:
        events.record(events.SIGN_IN, caller_of(request, actor), message)
    except LogUnwritable:
        request.session.flush()
        raise
    _save(request, actor)
    end_surplus(ISSUER, actor.subject)
    forget_old()
    return actor


def _save(request: HttpRequest, actor: Actor) -> None:
    SignIn.objects.create(
        session_key=request.session.session_key or "",
        issuer=ISSUER,
        subject=actor.subject,
        display=actor.display,
        groups=list(actor.groups),
    )


def _groups_changed(request: HttpRequest, row: SignIn, actor: Actor) -> None:
    events.record_groups(request, actor, row.groups)
    now = {"groups": list(actor.groups), "checked_at": timezone.now()}
    SignIn.objects.filter(session_key=row.session_key).update(**now)


def _end(request: HttpRequest, why: str) -> None:
    row = _row(request)
    if row is not None:
        gone = Actor(issuer=ISSUER, subject=row.subject, display=row.display, method="proxy")
        caller = caller_of(request, replace(gone, groups=tuple(row.groups)))
        row.delete()
        request.session.flush()
        events.record(events.ENDED, caller, why)
    elif request.session.session_key:
        request.session.flush()
