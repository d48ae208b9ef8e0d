"""What may I do here: the rules that count for one person, and the answer for one place."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from .. import clusters
from ..access.policy import Action, Place, decide, may, rules_of
from ..access.principals import Actor, actor_of
from .forms import PlaceForm


@require_safe
def mine(request: HttpRequest) -> HttpResponse:
    """Who one is here, which rules count, and with a place in the address what they give there."""
    actor = actor_of(request)
    seen = [c for c in clusters.all_clusters() if may(actor, Action.VIEW, Place(cluster=c.key))]
    form = PlaceForm(request.GET if request.GET else None, clusters=seen)
    context = {
        "rules": rules_of(actor),
        "clusters": seen,
        "form": form,
        "answers": _answers(actor, form.cleaned_data) if form.is_valid() else [],
        "title": "My permissions",
        "section": "access",
    }
    return render(request, "collections_app/access.html", context)


def _answers(actor: Actor, asked: dict[str, Any]) -> list[tuple[Action, Any]]:
    """Each action with its decision. What one may not see gets no more than a no."""
    place = Place(
        cluster=asked["cluster"],
        database=asked["database"] or ("default" if asked["collection"] else None),
        collection=asked["collection"] or None,
    )
    actions = list(Action) if may(actor, Action.VIEW, place) else [Action.VIEW, Action.READ_AUDIT]
    return [(action, decide(actor, action, place)) for action in actions]
