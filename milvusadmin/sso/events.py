"""Sign-ins on the record: who came, who went, who was turned away, and whose groups changed."""

import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from collections_app.actors import Actor, Origin, origin_of
from collections_app.audit import Entry, LogUnwritable, Outcome, Phase, write
from collections_app.models import AuditEvent

logger = logging.getLogger(__name__)

SIGN_IN, SIGN_OUT, ENDED = "session.sign_in", "session.sign_out", "session.ended"
REFUSED, GROUPS, STEP_UP = "session.refused", "session.groups", "session.step_up"

# Strangers can cause refused sign-ins. Beyond this many in a minute they are only logged.
REFUSALS_A_MINUTE = 60


def record(
    action: str,
    actor: Actor,
    origin: Origin,
    message: str,
    outcome: Outcome = Outcome.SUCCEEDED,
    details: dict[str, Any] | None = None,
) -> None:
    """Put it on the record. Raises LogUnwritable."""
    write(
        Entry(
            phase=Phase.SESSION,
            action=action,
            actor=actor,
            origin=origin,
            outcome=outcome,
            message=message,
            details=details,
        )
    )


def record_groups(request: HttpRequest, actor: Actor, before: Iterable[str]) -> None:
    """Put a change of groups on the record, if there is one. Raises LogUnwritable."""
    old, new = set(before), set(actor.groups)
    if old == new:
        return
    signs = [*(f"+{g}" for g in sorted(new - old)), *(f"-{g}" for g in sorted(old - new))]
    message = f"Groups changed: {', '.join(signs)}"
    details = {"before": sorted(old), "now": sorted(new)}
    record(GROUPS, actor, origin_of(request), message, details=details)


def refused(request: HttpRequest, why: str, actor: Actor) -> None:
    """Record a sign-in that was turned away. It stays turned away if it can't be recorded."""
    logger.warning("sign-in refused: %s", why)
    try:
        if _refused_lately() < REFUSALS_A_MINUTE:
            record(REFUSED, actor, origin_of(request), why, Outcome.DENIED)
    except LogUnwritable as exc:
        logger.error("a refused sign-in could not be recorded: %s", exc)


def _refused_lately() -> int:
    minute_ago = timezone.now() - timedelta(minutes=1)
    return AuditEvent.objects.filter(action=REFUSED, recorded_at__gt=minute_ago).count()


def stranger(method: str, issuer: str = "", subject: str = "") -> Actor:
    """Somebody who did not get in."""
    return Actor(
        issuer=issuer or method, subject=subject, display=subject or "somebody", method=method
    )
