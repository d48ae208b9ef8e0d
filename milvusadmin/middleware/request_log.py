"""What every request gets: an id, and when it is over one line in the log and a count."""

import logging
import re
import time
import uuid
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from prometheus_client import Counter, Histogram

from collections_app.web.request import AppRequest
from milvusadmin.config.logs import request_id

logger = logging.getLogger("access")

REQUESTS = Counter("milvusadmin_requests", "Requests by page and status.", ["view", "status"])
SECONDS = Histogram(
    "milvusadmin_request_seconds",
    "Time until the answer began, by page.",
    ["view"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)

HEADER = "X-Request-ID"
USABLE = re.compile(r"[A-Za-z0-9._@=-]{8,64}")


class RequestLogMiddleware:
    """The id is in the audit event, in each line of the log, on error pages and in the answer.

    A line has neither the query string, which holds names and codes, nor the person: who did
    something is in the audit log, under the same id.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: AppRequest) -> HttpResponseBase:
        began = time.perf_counter()
        request.request_id, request.actor = _id_of(request), None
        token = request_id.set(request.request_id)
        try:
            response = self.get_response(request)
            response.headers[HEADER] = request_id.get()
            _note(request, response.status_code, time.perf_counter() - began)
        finally:
            request_id.reset(token)
        return response


def _id_of(request: HttpRequest) -> str:
    """The proxy's, if it sent a usable one, so that its log can be followed to ours.

    The header is there only if a trusted proxy sent it: ForwardedMiddleware drops all others.
    """
    given = request.headers.get(HEADER, "")
    return given if USABLE.fullmatch(given) else uuid.uuid4().hex


def _note(request: HttpRequest, status: int, took: float) -> None:
    view = view_of(request)
    fields = {
        "method": request.method,
        "path": request.path[:200],
        "view": view,
        "status": status,
        "ms": round(took * 1000, 1),
    }
    REQUESTS.labels(view, status).inc()
    SECONDS.labels(view).observe(took)
    logger.info("%(method)s %(path)s %(status)s %(ms)s ms", fields, extra={"fields": fields})


def view_of(request: HttpRequest) -> str:
    """The name of the page, of which there are few: `static` for files, `none` for no page."""
    if request.resolver_match:
        return request.resolver_match.view_name
    return "static" if request.path.startswith(settings.STATIC_URL) else "none"
