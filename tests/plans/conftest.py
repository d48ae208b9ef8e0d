"""Fixtures of the plans' tests: plans of fresh collections, and ways to carry them out."""

from collections.abc import Callable
from typing import Any

import pytest

from collections_app.access.policy import Action
from collections_app.access.principals import Actor, Caller
from collections_app.models import Plan
from collections_app.plans import building, deciding
from collections_app.plans.rows import digest_of, to_do
from tests.fixtures import ORIGIN, actor


def caller(who: Actor | None = None) -> Caller:
    return Caller(who or actor(), ORIGIN)


def plan_for(names: list[str], who: Actor | None = None, cluster: str = "main") -> Plan:
    """A plan to drop these collections, read and not confirmed."""
    pairs = [(name, name) for name in names]
    plan = building.create(
        Action.DROP_COLLECTION, cluster, "default", pairs, caller(who), reason="tidy up"
    )
    assert building.read_items(plan)
    return plan


def confirm(plan: Plan, who: Actor | None = None) -> Plan:
    """Confirm it as the page does."""
    typed, digest = deciding.sentence(plan), digest_of(plan, to_do(plan))
    deciding.confirm(plan, typed, digest, caller(who))
    return plan


def states(plan: Plan) -> list[str]:
    """The state of each item, in order."""
    return list(plan.items.order_by("position").values_list("state", flat=True))


@pytest.fixture
def confirmed(make_collection: Any) -> Callable[..., Plan]:
    """confirmed(3) is a confirmed plan of that many fresh collections."""

    def make(count: int, **changes: Any) -> Plan:
        plan = confirm(plan_for([make_collection() for _ in range(count)]))
        Plan.objects.filter(pk=plan.pk).update(**changes)
        plan.refresh_from_db()
        return plan

    return make
