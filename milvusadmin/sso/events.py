"""Sign-ins on the record: who came, who went, who was turned away, and whose groups changed."""

import logging
from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest

from collections_app.access.principals import Actor, Origin, origin_of
from collections_app.audit.log import Entry, LogUnwritable, Outcome, Phase
from collections_app.audit.quotas import write

logger = logging.getLogger(__name__)

SIGN_IN, SIGN_OUT, ENDED = "session.sign_in", "session.sign_out", "session.ended"
REFUSED, GROUPS, STEP_UP = "session.refused", "session.groups", "session.step_up"


def record(
    action: str,
    actor: Actor,
    origin: Origin,
    message: str,
    outcome: Outcome = Outcome.SUCCEEDED,
    details: dict[str, Any] | None = None,
) -> None:
    """Put it on the record, or count it (see audit/quotas.py). Raises LogUnwritable."""
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


def refused(request: HttpRequest, why: str, actor: Actor, origin: Origin | None = None) -> None:
    """Record a sign-in that was turned away. It stays turned away if it can't be recorded."""
    origin = origin or origin_of(request)
    logger.warning("sign-in refused: %s (%r, %s)", " ".join(why.split()), actor.subject, origin.ip)
    try:
        record(REFUSED, actor, origin, why, Outcome.DENIED)
    except LogUnwritable as exc:
        logger.error("a refused sign-in could not be recorded: %s", exc)


def stranger(method: str, issuer: str = "", subject: str = "") -> Actor:
    """Somebody who did not get in. `subject` only if it is known that there is such a person."""
    return Actor(
        issuer=issuer or method, subject=subject, display=subject or "somebody", method=method
    )
