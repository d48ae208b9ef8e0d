"""How people sign in: the company's provider, a proxy in front, or accounts of our own."""

import re
from dataclasses import dataclass, field
from os import environ
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from milvusadmin.config import env
from milvusadmin.config.peers import Peers, peers

MODES = ("oidc", "proxy", "local")
LOOPBACK_HOSTS = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Oidc:
    """The company's identity provider, and this dashboard as its client. Times are seconds."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: str = "openid profile email"
    groups_claim: str = "groups"
    recheck: float = 300.0  # how often groups are read again
    grace: float = 1800.0  # how long a session outlives a provider that does not answer
    grace_for_drops: bool = False
    timeout: float = 5.0  # for one call to the provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy(Peers):
    """The headers of a trusted proxy, and how it is told from everybody else."""

    secret: str = field(repr=False)
    secret_header: str = "X-Proxy-Secret"  # noqa: S105 (its name)
    user_header: str = "X-Forwarded-User"
    name_header: str = "X-Forwarded-Preferred-Username"
    groups_header: str = "X-Forwarded-Groups"
    groups_separator: str = ","
    sign_out_url: str = ""


def mode(*, this_machine_only: bool) -> str:
    """The value of SIGN_IN. Production has to say it."""
    value = environ.get("SIGN_IN") or ("local" if this_machine_only else "")
    if value in MODES:
        return value
    problem = f"SIGN_IN is {value!r}" if value else "SIGN_IN is not set"
    raise ImproperlyConfigured(
        f"{problem}. Use oidc (the company's identity provider), proxy (headers of a trusted "
        "proxy), or local (local accounts, for emergencies)."
    )


def oidc() -> Oidc:
    """The OIDC_ variables. Raises ImproperlyConfigured."""
    issuer = env.required("OIDC_ISSUER", "It is the issuer in the provider's discovery document.")
    if not safe_address(issuer):
        raise ImproperlyConfigured(f"OIDC_ISSUER is {issuer!r}. Use an https:// address.")
    if "/.well-known/" in issuer:
        raise ImproperlyConfigured(
            f"OIDC_ISSUER is {issuer!r}, the address of the discovery document. Use the issuer "
            f"that is in it, probably {issuer.partition('/.well-known/')[0]}"
        )
    scopes = environ.get("OIDC_SCOPES") or "openid profile email"
    if "openid" not in scopes.split():
        raise ImproperlyConfigured("OIDC_SCOPES has no openid. Use: openid profile email")
    return Oidc(
        issuer=issuer,
        client_id=env.required(
            "OIDC_CLIENT_ID", "The identity provider issues it when you register Milvus Admin."
        ),
        client_secret=env.required(
            "OIDC_CLIENT_SECRET", "The identity provider issues it with the client id."
        ),
        scopes=scopes,
        groups_claim=environ.get("OIDC_GROUPS_CLAIM") or "groups",
        recheck=max(env.duration("OIDC_RECHECK", "5m"), 1.0),
        grace=env.duration("OIDC_GRACE", "30m"),
        grace_for_drops=env.flag("OIDC_GRACE_FOR_DROPS"),
    )


def proxy() -> Proxy:
    """The PROXY_ variables. Both the secret and the trusted peer are needed."""
    secret = env.required("PROXY_SECRET", "Make one with: openssl rand -hex 32")
    if len(secret) < 32 or secret != secret.strip():
        problem = "has spaces at its ends" if len(secret) >= 32 else "is shorter than 32 characters"
        raise ImproperlyConfigured(f"PROXY_SECRET {problem}.")
    trusted = peers("PROXY_TRUSTED")
    if not trusted:
        raise ImproperlyConfigured(
            "PROXY_TRUSTED is not set. List the proxy's addresses or networks, such as 10.0.3.7 "
            "or 10.0.3.0/28, or unix for a Unix socket."
        )
    for name in ("SECRET", "USER", "NAME", "GROUPS"):
        _check_header(f"PROXY_{name}_HEADER")
    leads_to = environ.get("PROXY_SIGN_OUT_URL") or ""
    if leads_to and not re.match(r"https?://[^/]|/", leads_to):
        raise ImproperlyConfigured(
            f"PROXY_SIGN_OUT_URL is {leads_to!r}. Use an https:// address, or a path such as "
            "/logout."
        )
    return Proxy(
        secret=secret,
        networks=trusted.networks,
        unix=trusted.unix,
        secret_header=environ.get("PROXY_SECRET_HEADER") or "X-Proxy-Secret",
        user_header=environ.get("PROXY_USER_HEADER") or "X-Forwarded-User",
        name_header=environ.get("PROXY_NAME_HEADER") or "X-Forwarded-Preferred-Username",
        groups_header=environ.get("PROXY_GROUPS_HEADER") or "X-Forwarded-Groups",
        groups_separator=environ.get("PROXY_GROUPS_SEPARATOR") or ",",
        sign_out_url=environ.get("PROXY_SIGN_OUT_URL") or "",
    )


def _check_header(variable: str) -> None:
    """A name that no header can have would silently never be there."""
    name = environ.get(variable) or "X-Name"
    if not re.fullmatch(r"[A-Za-z0-9-]+", name):
        raise ImproperlyConfigured(
            f"{variable} is {name!r}. Use the name of a header: letters, digits and '-'. gunicorn "
            "drops those with an underscore."
        )


def safe_address(text: str) -> bool:
    """Whether it is an https:// address, or a plain one of this machine."""
    address = urlsplit(text)
    here = address.scheme == "http" and address.hostname in LOOPBACK_HOSTS
    return bool(address.hostname) and (address.scheme == "https" or here)
