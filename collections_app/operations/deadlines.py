"""How long an act may take, and how long ago its intent was, by a clock that nobody sets.

A clock that was set forward must not end the patience with a drop that is still on its way.
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


def stamp() -> dict[str, Any]:
    """For the intent: which start of which machine this is, and for how long it has been up."""
    return {"boot": _boot(), "uptime": _uptime()}


def since(intent: Intent) -> timedelta:
    """By the machine's own count, if it has run since then; else by the clocks."""
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
    """Seconds, those in which the machine was suspended too."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return round(time.clock_gettime(clock), 3)


READS_AT_MOST = 18  # reads between the act and the end of the last look, in the worst case


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How old a look may be when the request goes out: as many seconds as Milvus has to answer.

    A process that was held up (a full pipe, a suspended machine) must not act on an old look:
    others may have settled its operation meanwhile, and a namesake may be there. Two clocks,
    because one may stop while the machine does and the other may be set back.
    """

    ticks: float
    moment: datetime
    seconds: float

    @classmethod
    def begin(cls, cluster: Cluster) -> "Patience":
        return cls(ticks=time.monotonic(), moment=timezone.now(), seconds=cluster.drop_timeout)

    @property
    def over(self) -> bool:
        elapsed = (timezone.now() - self.moment).total_seconds()
        return max(time.monotonic() - self.ticks, elapsed) > self.seconds


def longest(cluster: Cluster) -> timedelta:
    """How long after its intent a living process may still be at it."""
    requests, reads = (3, READS_AT_MOST + 3) if cluster.strict_drop else (1, READS_AT_MOST)
    acting, looking = cluster.drop_timeout * requests, cluster.read_timeout * reads
    return timedelta(seconds=cluster.drop_timeout + acting + looking)  # patience, act, look again
