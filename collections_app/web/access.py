"""What may I do here: the rules that count for one person, and the answer for one place."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from ..access.matrix import matrix
from ..access.policy import Action, Decision, Permissions, Place, actions_on, rules_of
from .forms import PlaceForm
from .http import visible_clusters
from .request import SignedInRequest
from .view_policy import policy


@policy()
@require_safe
def mine(request: SignedInRequest) -> HttpResponse:
    """Who one is here, which rules count, and with a place in the address what they grant there."""
    seen = visible_clusters(request)
    form = PlaceForm(request.GET if request.GET else None, offered=seen)
    rules = rules_of(request.actor)
    context = {
        "matrix": matrix(request.actor, seen),
        "only_source": rules[0].source if len(rules) == 1 else "",
        "rules": rules,
        "clusters": seen,
        "form": form,
        "answers": _answers(request.permissions, form.cleaned_data) if form.is_valid() else [],
        "title": gettext("My permissions"),
        "section": "access",
    }
    return render(request, "collections_app/access.html", context)


def _answers(permissions: Permissions, asked: dict[str, Any]) -> list[tuple[Action, Decision]]:
    """Each action with its decision. What one may not see gets no more than a no."""
    place = Place(
        cluster=asked["cluster"],
        database=asked["database"] or ("default" if asked["collection"] else None),
        collection=asked["collection"] or None,
    )
    may_view = permissions.may(Action.VIEW, place)
    actions = actions_on(place.cluster) if may_view else [Action.VIEW, Action.READ_AUDIT]
    return [(action, permissions.decide(action, place)) for action in actions]
