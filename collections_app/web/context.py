"""What every page shows besides its own content."""

from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.utils.translation import get_language

from ..access.policy import Action, may_somewhere
from ..personal.store import COMPACT
from ..plans import approving
from .http import visible_clusters
from .languages import offered
from .person import personal_of
from .request import AppRequest, SignedInRequest

PLANNED = (Action.DROP_COLLECTION, Action.DROP_PARTITION, Action.MOVE_TO_BIN)


def navigation(request: AppRequest) -> dict[str, Any]:
    """Who is signed in and where they may go. Nobody, for an error before any middleware ran."""
    actor = getattr(request, "actor", None)
    current = get_language()
    # A request past the proxy gets no cookie, so not the form either.
    languages = offered() if actor or settings.SIGN_IN != "proxy" else ()
    other = next(((code, label) for code, label in languages if code != current), None)
    always = {
        "sign_in_mode": settings.SIGN_IN,
        "other_language": other,
        "back_here": _address(request),
    }
    if actor is None:
        return always
    may_plan = any(may_somewhere(actor, action) for action in PLANNED)
    has_rule = any(cluster.approvals for cluster in settings.CLUSTERS.values())
    return {
        **always,
        "actor": actor,
        "has_approvals": has_rule and (may_plan or may_somewhere(actor, Action.APPROVE)),
        "approvals_waiting": lambda: approving.count_for(actor),  # asked only where it is shown
        "has_other_clusters": len(visible_clusters(cast(SignedInRequest, request))) > 1,
        "is_compact": lambda: _is_compact(request),
        "may_plan": may_plan,
        "may_view": may_somewhere(actor, Action.VIEW),
        "may_read_audit": may_somewhere(actor, Action.READ_AUDIT),
    }


def _address(request: AppRequest) -> str:
    """What a GET asks for to come back here: after a POST that is the page that sent it."""
    if request.method in ("GET", "HEAD"):
        return request.get_full_path()
    sent_by = urlsplit(request.headers.get("Referer", ""))
    return urlunsplit(("", "", sent_by.path, sent_by.query, "")) or "/"


def _is_compact(request: AppRequest) -> bool:
    return personal_of(cast(SignedInRequest, request)).density == COMPACT
