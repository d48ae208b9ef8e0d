"""What may I do here: the rules that count for one person, and the answer for one place."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from .. import clusters
from ..access.policy import Action, Decision, Place, Rights, actions_on, rules_of
from .forms import PlaceForm
from .request import SignedInRequest
from .view_policy import policy


@policy()
@require_safe
def mine(request: SignedInRequest) -> HttpResponse:
    """Who one is here, which rules count, and with a place in the address what they give there."""
    rights = request.rights
    seen = [c for c in clusters.all_clusters() if rights.may(Action.VIEW, Place(cluster=c.key))]
    form = PlaceForm(request.GET if request.GET else None, clusters=seen)
    context = {
        "rules": rules_of(request.actor),
        "clusters": seen,
        "form": form,
        "answers": _answers(rights, form.cleaned_data) if form.is_valid() else [],
        "title": "My permissions",
        "section": "access",
    }
    return render(request, "collections_app/access.html", context)


def _answers(rights: Rights, asked: dict[str, Any]) -> list[tuple[Action, Decision]]:
    """Each action with its decision. What one may not see gets no more than a no."""
    place = Place(
        cluster=asked["cluster"],
        database=asked["database"] or ("default" if asked["collection"] else None),
        collection=asked["collection"] or None,
    )
    may_see = rights.may(Action.VIEW, place)
    actions = actions_on(place.cluster) if may_see else [Action.VIEW, Action.READ_AUDIT]
    return [(action, rights.decide(action, place)) for action in actions]
