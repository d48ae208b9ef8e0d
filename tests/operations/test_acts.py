"""The table of acts: complete, and the only place that names them."""

import pytest
from django.urls import reverse

from collections_app.access.policy import Action
from collections_app.milvus.types import Target
from collections_app.operations.kinds import OPERATIONS
from collections_app.operations.kinds.acts import ACTS, Act
from collections_app.web import links
from collections_app.web.display import words

WITH_DIALOG = [act for act in ACTS.values() if act.slug]
every_dialog = pytest.mark.parametrize("act", WITH_DIALOG, ids=lambda act: act.slug)


def test_acts_are_all_mutating_actions_and_have_operations() -> None:
    mutating = {action for action in Action if action.is_mutating}
    assert set(ACTS) == set(OPERATIONS) == mutating - {Action.APPROVE}  # of a plan, not of Milvus
    assert len({act.slug for act in WITH_DIALOG}) == len(WITH_DIALOG)
    assert len({act.label for act in ACTS.values()}) == len(ACTS)


@every_dialog
def test_act_has_its_address_and_its_label_in_the_log(act: Act) -> None:
    target = Target(cluster="main", database="db", kind=act.kind, collection="c", name="n")
    path = reverse(act.slug, args=["main"])
    assert path == f"/clusters/main/{act.slug}/"
    assert links.act(act.action, target).startswith(f"{path}?database=db&collection=c")
    assert words(act.action) == act.label + act.tail
    assert act.title(target) == f"{act.label} {target.shown_name}{act.tail}"


def test_act_title_with_a_tail_has_its_object_in_the_middle() -> None:
    act = ACTS[Action.DROP_COLLECTION]
    moved = Act(Action.DROP_COLLECTION, "move", act.kind, "Move collection", "moved", " away")
    target = Target(cluster="main", database="db", kind=act.kind, collection="c", name="c")
    assert moved.title(target) == "Move collection c away"
    assert moved.verb == "move"
