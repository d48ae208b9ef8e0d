"""`/metrics` for Prometheus: what the workers counted, and what the database shows now."""

import hmac
import os
from collections.abc import Callable, Iterable
from datetime import timedelta

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.db import connection
from django.db.models import Count, Min
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from collections_app.health import heartbeat
from collections_app.models import AuditEvent, Claim
from milvusadmin.middleware import health
from milvusadmin.middleware.cached_probe import CachedProbe

PATH = "/metrics"


class MetricsMiddleware:
    """Answers whoever has METRICS_TOKEN, by address like a probe. Others find no page there."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        if not settings.METRICS_TOKEN:
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info == PATH and request.method == "GET" and _permitted(request):
            return HttpResponse(page(), CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})
        return self.get_response(request)


def _permitted(request: HttpRequest) -> bool:
    wanted = f"Bearer {settings.METRICS_TOKEN}"
    return hmac.compare_digest(request.headers.get("Authorization", "").encode(), wanted.encode())


def page() -> bytes:
    """All there is to say. Without a database it says that, and what the workers counted."""
    counted = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        counted = CollectorRegistry()
        MultiProcessCollector(counted)  # type: ignore[no-untyped-call]
    shown = CollectorRegistry()
    shown.register(Shown([_checks(), *(database.get() or ())]))
    return generate_latest(counted) + generate_latest(shown)


class Shown:
    """Families that are known already, as prometheus_client wants them."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self.families = families

    def collect(self) -> Iterable[Metric]:
        return self.families


def _checks() -> Metric:
    family = GaugeMetricFamily(
        "milvusadmin_check_ok", "1 if the check of /readyz passes.", labels=["check"]
    )
    for name, passes in health.checks().items():
        family.add_metric([name], passes)
    return family


# --- what the database shows ----------------------------------------------------------------------


def _families() -> list[Metric]:
    """For a thread of its own: it closes its connection. Raises DatabaseError."""
    try:
        return [*_open_operations(), *_chain(), *_tasks(), _lately()]
    finally:
        connection.close()


database = CachedProbe(_families, ttl=1.0, timeout=3.0)


def _open_operations() -> list[Metric]:
    many = GaugeMetricFamily(
        "milvusadmin_open_operations", "Operations without a final outcome.", labels=["cluster"]
    )
    oldest = GaugeMetricFamily(
        "milvusadmin_oldest_open_operation_age_seconds",
        "Since when the oldest of them is open; 0 if there is none.",
        labels=["cluster"],
    )
    claims = Claim.objects.values_list("cluster")
    found = {key: (n, since) for key, n, since in claims.annotate(Count("pk"), Min("claimed_at"))}
    now = timezone.now()
    for key in {*settings.CLUSTERS, *found}:
        n, since = found.get(key, (0, now))
        many.add_metric([key], n)
        oldest.add_metric([key], max((now - since).total_seconds(), 0.0))
    return [many, oldest]


def _chain() -> list[Metric]:
    events = AuditEvent.objects.order_by("-sequence")
    last = events.values_list("sequence", "recorded_at").first()
    return [
        GaugeMetricFamily(
            "milvusadmin_audit_last_sequence",
            "The number of the last audit event: it never shrinks.",
            value=last[0] if last else 0,
        ),
        GaugeMetricFamily(
            "milvusadmin_audit_last_event_timestamp_seconds",
            "When the last audit event was recorded.",
            value=last[1].timestamp() if last else 0,
        ),
    ]


def _tasks() -> list[Metric]:
    ran = GaugeMetricFamily(
        "milvusadmin_task_last_run_timestamp_seconds",
        "When a task ran last: reconcile, plans, watch, verify.",
        labels=["task"],
    )
    well = GaugeMetricFamily(
        "milvusadmin_task_last_run_ok", "1 if it went well then.", labels=["task"]
    )
    for task in heartbeat.all_tasks():
        ran.add_metric([task.name], task.at.timestamp())
        well.add_metric([task.name], task.ok)
    return [ran, well]


def _lately() -> Metric:
    """A gauge of the last hour and no counter: true for all machines, and after a restart."""
    family = GaugeMetricFamily(
        "milvusadmin_events_last_hour",
        "Audit events of the last hour that have an outcome.",
        labels=["action", "outcome"],
    )
    lately = AuditEvent.objects.filter(recorded_at__gte=timezone.now() - timedelta(hours=1))
    kinds = lately.exclude(outcome="").values_list("action", "outcome").annotate(Count("pk"))
    for action, outcome, n in kinds:
        family.add_metric([action, outcome], n)
    return family
