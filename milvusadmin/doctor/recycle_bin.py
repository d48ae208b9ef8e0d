"""The doctor on the recycle bin of a cluster: whether Milvus agrees, and whether it is purged."""

from collections.abc import Iterator
from datetime import timedelta

from django.db import DatabaseError
from django.utils import timezone

from collections_app.health import heartbeat
from collections_app.milvus.errors import MilvusError
from collections_app.milvus.types import Cluster
from collections_app.recycle_bin.check import findings
from collections_app.recycle_bin.items import items_in
from collections_app.recycle_bin.pause import pause_of

from .findings import Finding, ok, problem, warning

OVERDUE = timedelta(minutes=15)


def look(cluster: Cluster) -> Iterator[Finding]:
    """Nothing for a cluster without a recycle bin and without anything in one."""
    about = f"recycle bin {cluster.key}"
    try:
        count = items_in(cluster.key).count()
    except DatabaseError:  # which another check has said
        return
    if cluster.recycle_bin is None and not count:
        return
    try:
        wrong = list(findings(cluster.key))
    except MilvusError as exc:
        yield warning(
            about, f"it could not be compared with Milvus: {exc}", "Run the doctor again."
        )
        return
    if wrong:
        remedy = "Run: manage.py purge_recycle_bin. It records what happened outside Milvus Admin."
        yield problem(about, f"{wrong[0].text}; {len(wrong)} such in all", remedy)
    else:
        yield ok(about, f"{count} in it, as Milvus has them")
    yield from _purging(about, cluster.key)


def _purging(about: str, cluster: str) -> Iterator[Finding]:
    """Whether anything is overdue, and why."""
    overdue = items_in(cluster).filter(purge_at__lt=timezone.now() - OVERDUE)
    first = overdue.order_by("purge_at").first()
    if first is None:
        return
    if pause := pause_of(cluster):
        yield warning(
            about, f"purging is paused by {pause.actor_display}", "Resume it when you can."
        )
    elif heartbeat.is_silent(heartbeat.PURGE, OVERDUE.total_seconds()):
        text = f"{overdue.count()} overdue, and the background process does not run"
        yield problem(about, text, "Keep this running: manage.py work")
    else:
        why = first.problem or "see what purge_recycle_bin logs"
        yield problem(about, f"{first.name} is overdue: {why}", "Remove what stands in the way.")
