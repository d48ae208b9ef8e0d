"""How long an operation may take, and how old its intent is, by a clock that nobody sets.

A clock that was set forward must not end the grace period of a drop that is still on its way.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.utils import timezone

from ..audit.events import Intent
from ..milvus.types import Cluster

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def clock_stamp() -> dict[str, Any]:
    """For the intent: which start of which machine this is, and for how long it has been up."""
    return {"boot": _boot(), "uptime": _uptime()}


def age_of(intent: Intent) -> timedelta:
    """By the machine's uptime, if it has run since then; else by the clocks."""
    stamp = intent.clock
    if stamp.get("boot") and stamp["boot"] == _boot():
        return timedelta(seconds=_uptime() - stamp["uptime"])
    return timezone.now() - intent.recorded_at


def _boot() -> str:
    """Empty where the system does not say."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""


def _uptime() -> float:
    """Seconds, including those in which the machine was suspended."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return round(time.clock_gettime(clock), 3)


MAX_READS = 19  # between the request and the end of the last read-back, in the worst case


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadDeadline:
    """How old a read may be when the request goes out: as many seconds as Milvus has to answer.

    A process that was held up (a full pipe, a suspended machine) must not act on an old read:
    others may have settled its operation, and a namesake may be there. Two clocks, because one
    may stop while the machine does and the other may be set back.
    """

    ticks: float
    moment: datetime
    seconds: float

    @classmethod
    def start(cls, cluster: Cluster) -> "ReadDeadline":
        """Before the read: it counts from now."""
        return cls(ticks=time.monotonic(), moment=timezone.now(), seconds=cluster.drop_timeout)

    @property
    def has_expired(self) -> bool:
        elapsed = (timezone.now() - self.moment).total_seconds()
        return max(time.monotonic() - self.ticks, elapsed) > self.seconds


def max_duration(cluster: Cluster, *, two_phases: bool) -> timedelta:
    """How long after its intent a living process may still carry an operation out."""
    requests, reads = (3, MAX_READS + 3) if two_phases else (1, MAX_READS)
    sending, reading = cluster.drop_timeout * requests, cluster.read_timeout * reads
    # the age of the read, the requests, the read-backs
    return timedelta(seconds=cluster.drop_timeout + sending + reading)


def drop_deadline(cluster: Cluster) -> timedelta:
    """After which Milvus no longer carries out a request: it may go out as late as one deadline
    after the read, and has another then.
    """
    return timedelta(seconds=2 * cluster.drop_timeout + cluster.unknown_timeout)
