"""What every page shows besides its own content."""

from typing import Any

from django.conf import settings

from ..access.policy import Action, may_somewhere
from .request import AppRequest


def navigation(request: AppRequest) -> dict[str, Any]:
    """Who is signed in and where they may go."""
    actor = request.actor
    if actor is None:
        return {"sign_in_mode": settings.SIGN_IN}
    return {
        "sign_in_mode": settings.SIGN_IN,
        "actor": actor,
        "may_read_audit": may_somewhere(actor, Action.READ_AUDIT),
    }
