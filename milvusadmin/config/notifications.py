"""Who is told that an approval is awaited: by mail, by a webhook, or both."""

import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from . import env

PORTS = {"starttls": "587", "tls": "465", "none": "25"}  # by MAIL_SECURITY


@dataclass(frozen=True, slots=True, kw_only=True)
class Notifications:
    """Where notifications go. Empty: nowhere."""

    public_url: str = ""  # of Milvus Admin, for the links in them
    mail_to: tuple[str, ...] = ()
    webhook_url: str = field(default="", repr=False)  # some have a secret in their path
    webhook_secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where mail is handed in."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    security: str
    sender: str


def load() -> Notifications:
    """Raises ImproperlyConfigured with the variable at fault and the remedy."""
    found = Notifications(
        public_url=(os.environ.get("PUBLIC_URL") or "").rstrip("/"),
        mail_to=tuple(env.listing("APPROVAL_MAIL_TO")),
        webhook_url=env.secret("APPROVAL_WEBHOOK_URL") or "",
        webhook_secret=env.secret("APPROVAL_WEBHOOK_SECRET") or "",
    )
    if not (found.mail_to or found.webhook_url):
        return found
    _require_address("PUBLIC_URL", found.public_url)
    if found.webhook_url:
        _require_address("APPROVAL_WEBHOOK_URL", found.webhook_url)
        if len(found.webhook_secret) < 32:
            raise ImproperlyConfigured(
                "APPROVAL_WEBHOOK_SECRET is not set, or shorter than 32 characters. It signs what "
                "the webhook gets; make one with: openssl rand -hex 32"
            )
    mail = mail_server()
    if found.mail_to and not (mail.host and mail.sender):
        raise ImproperlyConfigured(
            "APPROVAL_MAIL_TO needs MAIL_HOST (the mail server) and MAIL_FROM (the sender)."
        )
    if wrong := [one for one in found.mail_to if one.count("@") != 1 or not one.isprintable()]:
        raise ImproperlyConfigured(f"APPROVAL_MAIL_TO: {wrong[0]!r} is not an address of mail.")
    return found


def _require_address(name: str, value: str) -> None:
    """The value is not repeated: it may have a secret in it."""
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ImproperlyConfigured(f"{name} is not set, or not an address: use https://HOST/.")


def mail_server() -> MailServer:
    """The mail server, from MAIL_… Raises ImproperlyConfigured."""
    security = os.environ.get("MAIL_SECURITY") or "starttls"
    if security not in PORTS:
        raise ImproperlyConfigured(f"MAIL_SECURITY is {security!r}. Use {', '.join(PORTS)}.")
    port = os.environ.get("MAIL_PORT") or PORTS[security]
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise ImproperlyConfigured(f"MAIL_PORT is {port!r}. Use a number from 1 to 65535.")
    return MailServer(
        host=os.environ.get("MAIL_HOST") or "",
        port=int(port),
        user=os.environ.get("MAIL_USER") or "",
        password=env.secret("MAIL_PASSWORD") or "",
        security=security,
        sender=os.environ.get("MAIL_FROM") or "",
    )
