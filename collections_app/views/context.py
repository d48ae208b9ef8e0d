"""What every page shows besides its own content."""

from typing import Any

from django.http import HttpRequest

from ..access import Action, may
from ..actors import actor_of


def navigation(request: HttpRequest) -> dict[str, Any]:
    """Who is signed in and where they may go."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {}
    actor = actor_of(request)
    return {"actor": actor, "may_read_audit": may(actor, Action.READ_AUDIT)}
