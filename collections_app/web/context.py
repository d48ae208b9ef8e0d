"""What every page shows besides its own content."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from ..access.policy import Action, may_somewhere


def navigation(request: HttpRequest) -> dict[str, Any]:
    """Who is signed in and where they may go."""
    actor = getattr(request, "actor", None)
    if actor is None:
        return {"sign_in_mode": settings.SIGN_IN}
    return {
        "sign_in_mode": settings.SIGN_IN,
        "actor": actor,
        "may_read_audit": may_somewhere(actor, Action.READ_AUDIT),
    }
