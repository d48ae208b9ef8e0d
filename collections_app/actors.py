"""Who does something, and from where: as the audit log keeps it."""

import getpass
import hashlib
import socket
import uuid
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.http import HttpRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A person or a program. `issuer` + `subject` is the key; `display` may change.

    `rights` are the permissions held at this moment; `groups` are what gave them.
    """

    issuer: str
    subject: str
    display: str
    groups: tuple[str, ...] = ()
    method: str = "local"
    rights: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def key(self) -> str:
        return f"{self.issuer}|{self.subject}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a request came from. `session` is a digest; the session's own key is never kept."""

    interface: str
    ip: str = ""
    user_agent: str = ""
    request_id: str = ""
    session: str = ""


def actor_of(request: HttpRequest) -> Actor:
    """The signed-in person, with the rights as they are now."""
    user: Any = request.user
    rights = {
        p.partition(".")[2] for p in user.get_all_permissions() if p.startswith("collections_")
    }
    return Actor(
        issuer="local",
        subject=user.get_username(),
        display=user.get_full_name() or user.get_username(),
        groups=tuple(sorted(user.groups.values_list("name", flat=True))),
        rights=frozenset(rights),
    )


def origin_of(request: HttpRequest) -> Origin:
    session = request.session.session_key or ""
    return Origin(
        interface="web",
        ip=_address(request),
        user_agent=request.headers.get("User-Agent", "")[:300],
        request_id=uuid.uuid4().hex,
        session=hashlib.sha256(session.encode()).hexdigest()[:16] if session else "",
    )


def _address(request: HttpRequest) -> str:
    """The client's address: from the trusted proxy in front, if there is one, else the peer's."""
    forwarded = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    if settings.TRUST_PROXY and forwarded:
        return forwarded[:64]
    return str(request.META.get("REMOTE_ADDR", ""))


def at_the_shell() -> tuple[Actor, Origin]:
    """Whoever runs a management command: they hold the keys, so they hold every right."""
    user, host = getpass.getuser(), socket.gethostname()
    actor = Actor(
        issuer=f"shell:{host}", subject=user, display=user, method="shell", rights=frozenset({"*"})
    )
    return actor, Origin(interface="cli", request_id=uuid.uuid4().hex)
