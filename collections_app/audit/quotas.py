"""How many refusals, sign-ins and exports of one person the log takes in a minute.

Nobody deletes from the log. The first ten (exports: five) are events. The others are counted, and
when the minute is over one event says how many there were. The ordinary log has a line for each
request.
"""

import hashlib
import math
from dataclasses import asdict
from datetime import timedelta

from django.db import DatabaseError, InterfaceError
from django.db.models import F
from django.utils import timezone

from ..access.principals import Actor, Caller, Origin
from ..models import AuditEvent, Quota
from . import log
from .log import Entry, LogUnwritable, Outcome, Phase
from .sqlite_queue import writer_slot

A_MINUTE = 10
EXPORTS_A_MINUTE = 5  # those beyond are refused
WINDOW = timedelta(minutes=1)
REJECTED = {Phase.REJECTED: "refused attempts", Phase.ACCESS: "refused exports"}
WITHHELD = "audit.withheld"  # the action of the event that says how many


def write(entry: Entry, limit: int | None = None) -> AuditEvent | None:
    """Append the event, or count it if this person's ten (or `limit`) of the minute are there.

    Returns None if it was counted. Raises LogUnwritable if neither could be committed.
    """
    key, limit = _key(entry), limit or A_MINUTE
    if _is_spent(key, limit):
        return None
    with log.appending():
        _close(timezone.now() - WINDOW)
        quota = Quota.objects.filter(key=key)
        if quota.filter(written__lt=limit).update(written=F("written") + 1):
            return log.append(entry)
        if quota.update(withheld=F("withheld") + 1):  # others were written while this one waited
            return None
        _open(key, entry)
        return log.append(entry)


def seconds_left(entry: Entry) -> int:
    """How long this person's minute of such events lasts; at least 1."""
    since = Quota.objects.filter(key=_key(entry)).values_list("since", flat=True).first()
    remaining = since + WINDOW - timezone.now() if since else timedelta()
    return max(math.ceil(remaining.total_seconds()), 1)


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
    action = entry.action if entry.phase in {Phase.SESSION, Phase.ACCESS} else ""
    parts = (entry.caller.actor.issuer, entry.caller.actor.subject, entry.phase, action)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _is_spent(key: str, limit: int) -> bool:
    """Count one more if nothing more is written this minute. Does not hold the chain."""
    current = Quota.objects.filter(key=key, since__gte=timezone.now() - WINDOW)
    spent = current.filter(written__gte=limit)
    try:
        if not spent.exists():
            return False
        with writer_slot():
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
    label = REJECTED.get(Phase(quota.phase), f"events ({quota.action})")
    actor = Actor(**{**quota.actor, "groups": tuple(quota.actor["groups"])})
    return Entry(
        phase=Phase(quota.phase),
        action=WITHHELD,
        caller=Caller(actor, Origin(interface="log")),
        outcome=Outcome.DENIED if quota.phase in REJECTED else Outcome.NONE,
        message=f"And {quota.withheld} more {label} within a minute, which have no event each",
        details={"withheld": quota.withheld, "since": quota.since.isoformat()},
    )
