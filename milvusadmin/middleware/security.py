"""Headers and gates that every request passes: CSP, no caching, this machine only."""

from collections.abc import Callable
from ipaddress import ip_address

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponseForbidden
from django.http.response import HttpResponseBase

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class PolicyHeadersMiddleware:
    """Send the content security policy, and keep pages out of every cache.

    Reads the same SECURE_CSP dictionary as Django 6, so an upgrade deletes this half.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.policy = "; ".join(f"{k} {' '.join(v)}" for k, v in settings.SECURE_CSP.items())

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", self.policy)
        response.headers.setdefault("Cache-Control", "no-store")
        return response


class LoopbackOnlyMiddleware:
    """With LOOPBACK_ONLY, refuse whoever is not on this machine, whatever Host they name."""

    def __init__(self, get_response: GetResponse) -> None:
        if not settings.LOOPBACK_ONLY:
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        peer = request.META.get("REMOTE_ADDR") or "127.0.0.1"  # a Unix socket has no address
        if ip_address(peer).is_loopback:
            return self.get_response(request)
        return HttpResponseForbidden(
            "LOOPBACK_ONLY is set: Milvus Admin answers requests from this machine only."
        )
