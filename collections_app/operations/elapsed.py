"""How long ago an intent was, by a clock that nobody sets.

A clock that was set forward must not end the patience with a drop that is still on its way.
"""

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.utils import timezone

from ..intents import Intent

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
