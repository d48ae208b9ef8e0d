"""Sign-ins on the record: who came, who went, who was turned away, and whose groups changed."""

import logging
from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest

from collections_app.access.principals import Actor, Caller, caller_of
from collections_app.audit.log import Entry, LogUnwritable, Outcome, Phase
from collections_app.audit.quotas import write

logger = logging.getLogger(__name__)

SIGN_IN, SIGN_OUT, ENDED = "session.sign_in", "session.sign_out", "session.ended"
REFUSED, GROUPS, STEP_UP = "session.refused", "session.groups", "session.step_up"


def record(
    action: str,
    caller: Caller,
    message: str,
    outcome: Outcome = Outcome.SUCCEEDED,
    details: dict[str, Any] | None = None,
) -> None:
    """Put it on the record, or count it (see audit/quotas.py). Raises LogUnwritable."""
    write(
        Entry(
            phase=Phase.SESSION,
            action=action,
            caller=caller,
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
    record(GROUPS, caller_of(request, actor), message, details=details)


def record_rejected_sign_in(caller: Caller, why: str) -> None:
    """Record a sign-in that was turned away. It stays turned away if it can't be recorded."""
    subject, ip = caller.actor.subject, caller.origin.ip
    logger.warning("sign-in refused: %s (%r, %s)", " ".join(why.split()), subject, ip)
    try:
        record(REFUSED, caller, why, Outcome.DENIED)
    except LogUnwritable as exc:
        logger.error("a refused sign-in could not be recorded: %s", exc)


def stranger(method: str, issuer: str = "", subject: str = "") -> Actor:
    """Somebody who did not get in. `subject` only if it is known that there is such a person."""
    return Actor(
        issuer=issuer or method, subject=subject, display=subject or "somebody", method=method
    )
