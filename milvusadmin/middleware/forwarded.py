"""What a trusted proxy in front says about a request, and the path prefix (URL_PREFIX)."""

import re
from collections.abc import Callable
from ipaddress import ip_address
from os import environ
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from milvusadmin.config import env

HEADERS = (
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_REQUEST_ID",
)
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Any]


class ForwardedMiddleware:
    """Protocol, host and client as forwarded, from a trusted proxy only, and only its own word.

    What the proxy appended to a client's header is the last item. From anybody else they are gone.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        trusted = settings.TRUST_PROXY.trusts(str(request.META.get("REMOTE_ADDR", "")))
        for name in HEADERS:
            said = str(request.META.pop(name, "")).rpartition(",")[2].strip()
            value = READ.get(name, str)(said)
            if trusted and value:
                request.META[name] = value
        return self.get_response(request)


def address(text: str) -> str:
    """The IP address in what a proxy calls the client, in its shortest form; empty if it is none.

    Some send a port with it (Azure, IIS, HAProxy by choice), some `unknown`. An address is counted
    and kept in a column for addresses, so nothing else may pass for one.
    """
    text = text.strip('"').removeprefix("for=")
    host = text[1:].partition("]")[0] if text.startswith("[") else text
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        found = ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    return str(getattr(found, "ipv4_mapped", None) or found)


READ: dict[str, Callable[[str], str]] = {
    "HTTP_X_FORWARDED_FOR": address,
    "HTTP_X_FORWARDED_PROTO": str.lower,
}


def hosts() -> list[str]:
    """ALLOWED_HOSTS: names as they are in a Host header. Raises ImproperlyConfigured.

    Anything else would start, and then refuse every page.
    """
    found = env.listing("ALLOWED_HOSTS")
    for name in found:
        if not re.fullmatch(r"\*|\.?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\]", name):
            host = urlsplit(name if "//" in name else f"//{name}").hostname or "milvus.example.com"
            raise ImproperlyConfigured(
                f"ALLOWED_HOSTS has {name!r}, which is not a host name. Leave out protocol, port "
                f"and path: {host}. Put an IPv6 address in brackets, and separate names with "
                "commas."
            )
    return found


def prefix() -> str:
    """URL_PREFIX: empty, or a path such as /milvus-admin. Raises ImproperlyConfigured."""
    value = environ.get("URL_PREFIX", "").rstrip("/")
    if re.fullmatch(r"(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*", value):
        return value
    raise ImproperlyConfigured(
        f"URL_PREFIX is {value!r}. Use a path of letters, digits, '-', '_' and '.', such as "
        "/milvus-admin; or leave it empty if Milvus Admin has the host to itself."
    )


def with_url_prefix(where: str, application: Wsgi) -> Wsgi:
    """The application at that prefix, whether the proxy takes it off the path or leaves it on."""

    def prefixed(request: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        path = request["PATH_INFO"]
        if f"{path}/".startswith(f"{where}/"):
            request["PATH_INFO"] = path[len(where) :]
        request["SCRIPT_NAME"] = where  # whatever somebody else may have put there
        return application(request, start_response)

    return prefixed
