"""The application behind a proxy that signs users in, and requests as that proxy sends them."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

from django.conf import settings as live_settings
from django.contrib.sessions.models import Session
from django.test import Client

from milvusadmin.config.sign_in import Proxy
from milvusadmin.sso.models import SignIn

from .conftest import RULES

Configure = Callable[..., Proxy]

SECRET = "what-the-proxy-says-" + "0f" * 16
PEER = "10.0.3.7"
ELSEWHERE = "192.0.2.9"
ADA = {
    "X-Proxy-Secret": SECRET,
    "X-Forwarded-User": "ada",
    "X-Forwarded-Preferred-Username": "Ada Osei",
    "X-Forwarded-Groups": "ml-platform",
}


def switch_on(settings: Any) -> Configure:
    """Sign-in by a proxy at 10.0.3.0/28. What comes back changes what is configured."""
    settings.SIGN_IN = "proxy"
    settings.AUTHENTICATION_BACKENDS = live_settings.BACKENDS["proxy"]
    settings.ACCESS = RULES
    settings.LOOPBACK_ONLY = False
    settings.PROXY = Proxy(secret=SECRET, networks=(ip_network("10.0.3.0/28"),))

    def configure(**changes: Any) -> Proxy:
        settings.PROXY = replace(settings.PROXY, **changes)
        return settings.PROXY  # type: ignore[no-any-return]

    return configure


def ask(
    browser: Client,
    path: str = "/access/",
    *,
    peer: str = PEER,
    method: str = "get",
    without: str = "",
    **changes: str,
) -> Any:
    """Ask as the proxy would for ada, but for `changes`: user="vera" and so on."""
    named = {"secret": "X-Proxy-Secret", "user": "X-Forwarded-User"} | {
        "name": "X-Forwarded-Preferred-Username",
        "groups": "X-Forwarded-Groups",
    }
    sent = ADA | {named.get(key, key.replace("_", "-")): wire(v) for key, v in changes.items()}
    sent.pop(named.get(without, ""), None)
    return getattr(browser, method)(path, headers=sent, REMOTE_ADDR=peer)


def wire(text: str) -> str:
    """As WSGI hands it over: the bytes, each as a character."""
    return text.encode().decode("latin-1")


def head(answer: Any) -> tuple[str, str]:
    """Name and groups of whoever is signed in for this answer."""
    actor = answer.wsgi_request.actor
    return (actor.display, ",".join(actor.groups)) if actor else ("", "")


def nobody_is_in(browser: Client) -> bool:
    return not (SignIn.objects.exists() or Session.objects.exists() or "session" in browser.cookies)
