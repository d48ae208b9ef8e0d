"""Who does something, and from where: as the audit log keeps it."""

import getpass
import hashlib
import socket
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from django.http import HttpRequest
from django.utils import timezone


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A person or a program. `issuer` + `subject` is the key; `display` and `groups` may change.

    `authenticated_at` is when the person last proved who they are (ISO 8601, empty if that is not
    known). `stale` means that the groups could not be confirmed lately.
    """

    issuer: str
    subject: str
    display: str
    groups: tuple[str, ...] = ()
    method: str = "local"
    authenticated_at: str = ""
    stale: bool = False

    @property
    def key(self) -> str:
        return f"{self.issuer}|{self.subject}"

    @property
    def sign_in_age(self) -> float | None:
        """Seconds since the person proved who they are; None if that is not known."""
        if not self.authenticated_at:
            return None
        since = timezone.now() - datetime.fromisoformat(self.authenticated_at)
        return max(since.total_seconds(), 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a request came from. `session` is a digest; the session's own key is never kept."""

    interface: str
    ip: str = ""
    user_agent: str = ""
    request_id: str = ""
    session: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks for something, and from where."""

    actor: Actor
    origin: Origin

    @classmethod
    def shell(cls) -> Self:
        """The user who runs a management command. They hold the keys, so they hold every right."""
        return cls(_process("shell"), Origin(interface="cli", request_id=uuid.uuid4().hex))

    @classmethod
    def watch(cls) -> Self:
        """The drift detection. It records what it saw and did not do; it has no rights."""
        actor = _process("watch", display="the watch")
        return cls(actor, Origin(interface="watch", request_id=uuid.uuid4().hex))

    @classmethod
    def recycle_bin(cls) -> Self:
        """The recycle bin, when a retention period has ended. It may purge, and nothing else."""
        actor = _process("bin", display="the recycle bin")
        return cls(actor, Origin(interface="bin", request_id=uuid.uuid4().hex))

    @classmethod
    def configuration(cls) -> Self:
        """The configuration, when it changed at a start. It has no rights."""
        actor = _process("configuration", display="the configuration")
        return cls(actor, Origin(interface="configuration", request_id=uuid.uuid4().hex))


def _process(method: str, display: str = "") -> Actor:
    """The operating system's user who runs this process."""
    user = getpass.getuser()
    issuer = f"{method}:{socket.gethostname()}"
    return Actor(issuer=issuer, subject=user, display=display or user, method=method)


def actor_of(request: HttpRequest) -> Actor:
    """The signed-in person, as the sign-in middleware found them for this request."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    return actor


def caller_of(request: HttpRequest, actor: Actor | None = None) -> Caller:
    """Who sends this request: the signed-in person, unless `actor` names another."""
    return Caller(actor or actor_of(request), origin_of(request))


def origin_of(request: HttpRequest) -> Origin:
    session = getattr(request, "session", None)
    key = session.session_key or "" if session else ""
    return Origin(
        interface="web",
        ip=client_address(request),
        user_agent=request.headers.get("User-Agent", "")[:300],
        request_id=getattr(request, "request_id", ""),
        session=session_digest(key),
    )


def session_digest(key: str) -> str:
    """Tells sessions apart in the log without giving one away."""
    return hashlib.sha256(key.encode()).hexdigest()[:16] if key else ""


def client_address(request: HttpRequest) -> str:
    """The client's address: from the trusted proxy in front, if there is one, else the peer's.

    The header is there only if a trusted proxy sent it: ForwardedMiddleware drops all others.
    """
    return str(request.META.get("HTTP_X_FORWARDED_FOR") or request.META.get("REMOTE_ADDR", ""))[:64]
