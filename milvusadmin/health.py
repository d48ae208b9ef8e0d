"""Whether this process is alive: `/healthz`, for whoever restarts it if it is not."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

PATH = "/healthz"


class HealthMiddleware:
    """Answers before anything else does: no database, no session, no Host that must be right.

    A probe asks by address, without HTTPS and without a session.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info == PATH and request.method in {"GET", "HEAD"}:
            return HttpResponse("ok\n", "text/plain", headers={"Cache-Control": "no-store"})
        return self.get_response(request)
