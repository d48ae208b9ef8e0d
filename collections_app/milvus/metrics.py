"""How calls to Milvus go: how long, with which result, and who is not asked for a while.

Labels are few: clusters that are configured, calls that this code makes, kinds of results. A page
of fifty rows makes 150 calls, so this is kept to a few microseconds for each.
"""

import time
from functools import cache

from prometheus_client import Gauge, Histogram

from .errors import PAUSED, MilvusError

CALLS = Histogram(
    "milvusadmin_milvus_call_seconds",
    "Calls to Milvus, by cluster, call and result.",
    ["cluster", "call", "result"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
# A time and no yes or no: what a process that died said last is over by itself.
PAUSED_UNTIL = Gauge(
    "milvusadmin_milvus_paused_until_timestamp_seconds",
    "Until when a cluster that did not answer is not asked; in the past if it is.",
    ["cluster"],
    multiprocess_mode="max",
)
series = cache(CALLS.labels)


class Measured:
    """Around one call. `paused` is the result where Milvus was not even asked."""

    __slots__ = ("_began", "_call", "_cluster")

    def __init__(self, cluster: str, call: str) -> None:
        self._cluster, self._call = cluster, call

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, kind: object, exc: BaseException | None, trace: object) -> None:
        took = time.perf_counter() - self._began
        series(self._cluster, self._call, _result(exc)).observe(took)


def _result(exc: BaseException | None) -> str:
    if exc is None:
        return "ok"
    if not isinstance(exc, MilvusError):
        return MilvusError.kind
    return PAUSED if exc.code == PAUSED else exc.kind


def breaker_opened(cluster: str, seconds: float) -> None:
    """It is not called for so long."""
    PAUSED_UNTIL.labels(cluster).set(time.time() + seconds)


def breaker_closed(cluster: str) -> None:
    """It is called again."""
    PAUSED_UNTIL.labels(cluster).set(0)
