"""How many refusals and sign-ins of one person the log takes in a minute: nobody deletes from it.

The first ten are events. The others are counted, and when the minute is over one event says how
many there were. The ordinary log has a line for each request.
"""

import hashlib
from dataclasses import asdict
from datetime import timedelta

from django.db import DatabaseError, InterfaceError
from django.db.models import F
from django.utils import timezone

from ..access.principals import Actor, Caller, Origin
from ..models import AuditEvent, Quota
from . import log
from .log import Entry, LogUnwritable, Outcome, Phase
from .sqlite_queue import turn

A_MINUTE = 10
WINDOW = timedelta(minutes=1)
WITHHELD = "audit.withheld"  # the action of the event that says how many


def write(entry: Entry) -> AuditEvent | None:
    """Append the event, or count it if this person's ten of the minute are there already.

    Returns None if it was counted. Raises LogUnwritable if neither could be committed.
    """
    key = _key(entry)
    if _is_spent(key):
        return None
    with log.appending():
        _close(timezone.now() - WINDOW)
        if not Quota.objects.filter(key=key).update(written=F("written") + 1):
            _open(key, entry)
        return log.append(entry)


def close_old() -> None:
    """Write what was withheld in minutes that are over. Raises LogUnwritable."""
    before = timezone.now() - WINDOW
    if Quota.objects.filter(since__lt=before).exists():
        with log.appending():
            _close(before)


def _key(entry: Entry) -> str:
    """One per person, not per name or address, which they may choose.

    Sign-ins and refused sign-ins have one each: who guesses passwords must not keep the sign-in
    of the account's owner out of the log.
    """
    what = entry.action if entry.phase == Phase.SESSION else ""
    parts = (entry.caller.actor.issuer, entry.caller.actor.subject, entry.phase, what)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _is_spent(key: str) -> bool:
    """Count one more if nothing more is written this minute. Does not hold the chain."""
    lately = Quota.objects.filter(key=key, since__gte=timezone.now() - WINDOW)
    spent = lately.filter(written__gte=A_MINUTE)
    try:
        if not spent.exists():
            return False
        with turn():
            return bool(spent.update(withheld=F("withheld") + 1))
    except (DatabaseError, InterfaceError) as exc:
        raise LogUnwritable(type(exc).__name__) from exc


def _open(key: str, entry: Entry) -> None:
    Quota.objects.create(
        key=key,
        since=timezone.now(),
        written=1,
        withheld=0,
        phase=entry.phase,
        action=entry.action,
        actor=asdict(entry.caller.actor),
    )


def _close(before: object) -> None:
    """Forget the minutes that are over; an event for each in which something was withheld."""
    old = Quota.objects.select_for_update().filter(since__lt=before)
    for quota in old:
        quota.delete()
        if quota.withheld:
            log.append(_summary(quota))


def _summary(quota: Quota) -> Entry:
    what = "refused attempts" if quota.phase == Phase.REFUSED else f"events ({quota.action})"
    actor = Actor(**{**quota.actor, "groups": tuple(quota.actor["groups"])})
    return Entry(
        phase=Phase(quota.phase),
        action=WITHHELD,
        caller=Caller(actor, Origin(interface="log")),
        outcome=Outcome.DENIED if quota.phase == Phase.REFUSED else Outcome.NONE,
        message=f"And {quota.withheld} more {what} within a minute, which have no event each",
        details={"withheld": quota.withheld, "since": quota.since.isoformat()},
    )
