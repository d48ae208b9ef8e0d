"""What the page of an open operation says about time: when Milvus is asked next, and the end."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext

from ..audit.events import Intent
from ..audit.queries import Story
from ..health import heartbeat
from ..operations.reconcile import schedule
from .display import at, duration

POLL_SECONDS, SLOW_POLL_SECONDS = 3, 15
LATE = timedelta(minutes=5)  # after which nobody waits for every second
SILENT = timedelta(minutes=1)  # reconcile_operations runs every few seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """For the page of an open operation. `can_be_asked` is false if its server is unknown now."""

    can_be_asked: bool
    poll_seconds: int
    asked: str = ""
    closes: str = ""
    background: str = ""


def live(story: Story) -> Live | None:
    """None for an operation that is closed, or was never begun."""
    if not story.claim or not story.intent or story.progress is None:
        return None
    now, progress = timezone.now(), story.progress
    planned = schedule(Intent.of(story.first.row), progress)
    seconds = POLL_SECONDS if now - story.claim.claimed_at < LATE else SLOW_POLL_SECONDS
    if planned is None:
        return Live(can_be_asked=False, poll_seconds=SLOW_POLL_SECONDS)
    next_poll = now + timedelta(seconds=seconds)
    return Live(
        can_be_asked=True,
        poll_seconds=seconds,
        asked=_asked(max(planned.asked_from, next_poll), now, seconds),
        closes=_closes(planned.closes_at, now),
        background=_background(now),
    )


def _asked(moment: datetime, now: datetime, seconds: int) -> str:
    if moment - now > timedelta(seconds=seconds):
        text = gettext("%(time)s, in %(wait)s. Until then, the process that sent it may still run.")
        return text % {"time": at(moment), "wait": duration(moment - now)}
    text = gettext("%(time)s. This page asks every %(seconds)s s while it is open.")
    return text % {"time": at(moment), "seconds": seconds}


def _closes(moment: datetime, now: datetime) -> str:
    if moment <= now:
        return gettext("With the next answer of Milvus.")
    text = gettext("%(time)s, in %(wait)s at the latest, if Milvus answers then.")
    return text % {"time": at(moment), "wait": duration(moment - now)}


def _background(now: datetime) -> str:
    run = heartbeat.last_run(heartbeat.RECONCILE)
    if run is None:
        return gettext("reconcile_operations has never run: only open pages ask Milvus.")
    if now - run.at > SILENT:
        text = gettext("reconcile_operations last ran %(time)s: only open pages ask Milvus.")
        return text % {"time": at(run.at)}
    text = gettext("reconcile_operations asks every few seconds. It ran %(time)s ago.")
    return text % {"time": duration(now - run.at)}
