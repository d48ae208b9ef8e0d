"""For machines: is it alive (`/healthz`), could it do its work (`/readyz`)."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from collections_app.health import readiness
from milvusadmin.middleware.cached_probe import CachedProbe

TTL, TIMEOUT = 2.0, 1.0  # seconds

REQUIRED = {
    "database": CachedProbe(readiness.database_answers, ttl=TTL, timeout=TIMEOUT),
    "audit_log": CachedProbe(readiness.log_is_writable, ttl=TTL, timeout=TIMEOUT),
}


class HealthMiddleware:
    """Answers before anything else does: no session, no Host that must be right, no log line.

    A probe asks by address, without HTTPS and without a session. So a stranger can ask as well,
    and is told the names of the checks and whether they pass: no error, no version, no cluster.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        answer = ANSWERS.get(request.path_info) if request.method in {"GET", "HEAD"} else None
        return answer() if answer else self.get_response(request)


def alive() -> HttpResponse:
    """The process answers. Nothing is touched: a restart mends no database."""
    return _lines("ok")


def ready() -> HttpResponse:
    """503 unless the database answers and the audit log can be written. Clusters are reported."""
    found = checks()
    reported = found | {"clusters": readiness.clusters_answer()}
    lines = [f"{name} {'ok' if passes else 'failing'}" for name, passes in reported.items()]
    return _lines("\n".join(lines), 200 if all(found.values()) else 503)


def checks() -> dict[str, bool]:
    """Each check that is required, and whether it passes. No answer in time is none."""
    return {name: bool(probe.get()) for name, probe in REQUIRED.items()}


def _lines(text: str, status: int = 200) -> HttpResponse:
    headers = {"Cache-Control": "no-store"}
    return HttpResponse(f"{text}\n", "text/plain", headers=headers, status=status)


ANSWERS = {"/healthz": alive, "/readyz": ready}
