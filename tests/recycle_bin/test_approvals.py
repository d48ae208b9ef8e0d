"""Two people and the recycle bin: moves and early purges need both, the end of a retention none."""

from collections.abc import Callable
from typing import Any

import pytest

from collections_app.access.policy import Action
from collections_app.access.principals import Actor, Caller
from collections_app.models import BinItem, Plan, PlanState
from collections_app.operations.confirmation import Confirmation
from collections_app.operations.protocol import OperationRejected
from collections_app.plans import approving, deciding, running
from collections_app.plans.rows import digest_of, to_do
from collections_app.recycle_bin.purging import purge_due
from tests.fixtures import ORIGIN, actor
from tests.infra.chain import Chain
from tests.operations.conftest import Thing
from tests.recycle_bin.conftest import (
    WEEK,
    binned,
    done,
    id_of,
    make_due,
    shown,
    shown_for_move,
    someone,
)

pytestmark = pytest.mark.django_db(transaction=True)
BEN = actor("ben", ("approver",))


@pytest.fixture
def two_people(use_cluster: Callable[..., Any], chain: Chain) -> Callable[[], Any]:
    return lambda: use_cluster(chain.uri, chain.token, recycle_bin=WEEK, approvals=1)


def caller(who: Actor | None = None) -> Caller:
    return Caller(actor=who or someone(), origin=ORIGIN)


def by_two(consent: Confirmation) -> Plan:
    """Asked, approved and run, by two people and the background process."""
    with pytest.raises(OperationRejected, match="approval of a second person"):
        done(consent)
    plan = approving.ask(consent, caller(), reason="stale")
    typed, digest = deciding.sentence(plan), digest_of(plan, to_do(plan))
    approving.approve(plan, typed, digest, caller(BEN))
    approving.run(plan, typed, digest, caller())
    running.work(plan, seconds=30)
    plan.refresh_from_db()
    return plan


def test_move_and_early_purge_by_two_people_are_carried_out(
    thing: Thing, two_people: Callable[[], Any], chain: Chain
) -> None:
    two_people()
    moved = by_two(shown_for_move(thing))
    assert moved.state == PlanState.DONE
    item = BinItem.objects.get(name=thing.target.name)
    purged = by_two(shown(Action.PURGE, item))
    assert purged.state == PlanState.DONE
    assert deciding.sentence(purged) == thing.target.name
    assert not BinItem.objects.exists()
    assert not id_of(thing, item.private_name)
    assert chain.relay.calls.count("DropCollection") == 1


def test_retention_that_ends_purges_without_a_second_person(
    thing: Thing, two_people: Callable[[], Any]
) -> None:
    item = make_due(binned(thing))
    two_people()
    assert [result for _, result in purge_due()] == ["Purged. Verified: it no longer exists."]
    assert not id_of(thing, item.private_name)
