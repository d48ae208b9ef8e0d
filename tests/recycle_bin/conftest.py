"""A cluster with a recycle bin, and shorthands to move, restore and purge on the real Milvus."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from collections_app import clusters
from collections_app.access.policy import Action
from collections_app.access.principals import Actor, Caller
from collections_app.audit.log import Outcome
from collections_app.milvus.types import Kind, Target
from collections_app.models import AuditEvent, BinItem
from collections_app.operations.confirmation import Confirmation, confirm
from collections_app.operations.kinds import OPERATIONS
from collections_app.operations.kinds.binned import target_of
from collections_app.operations.private_names import BIN, private_name
from collections_app.operations.protocol import perform
from tests.fixtures import ORIGIN, actor
from tests.infra.chain import Chain
from tests.infra.seeds import Seeds
from tests.operations.conftest import Shell, Thing, shell_behind, target_in

__all__ = ["Shell", "shell_behind", "target_in"]
WEEK = timedelta(days=7).total_seconds()
OPERATOR = ("operator", "auditor")
PURGER = ("operator", "purger", "auditor")


@pytest.fixture(autouse=True)
def bin_on(
    transactional_db: None,
    use_cluster: Callable[..., clusters.Milvus],
    chain: Chain,
    make_collection: Seeds,
) -> Iterator[None]:
    """The cluster has a bin. What a test leaves in it is removed under its private name."""
    use_cluster(chain.uri, chain.token, recycle_bin=WEEK)
    yield
    for intent in AuditEvent.objects.filter(phase="intent", action=Action.MOVE_TO_BIN):
        assert intent.operation_id
        make_collection.renamed(private_name(BIN, intent.operation_id))


@pytest.fixture
def thing(make_collection: Seeds) -> Thing:
    return Thing.make(make_collection, Kind.COLLECTION)


@pytest.fixture
def filled(make_collection: Seeds) -> Thing:
    """With three rows: to flush them takes two seconds."""
    return Thing.make(make_collection, Kind.COLLECTION, rows=3)


def someone(*groups: str) -> Actor:
    return actor("ada", groups or PURGER)


def shown(action: Action, item: BinItem, who: Actor | None = None) -> Confirmation:
    """What the dialog of an act on an item gives to somebody who looks now."""
    target = target_of(item)
    state = OPERATIONS[action].read_state(clusters.get(target.cluster).gateway, target)
    return confirm(action, target, state, who or someone())


def shown_for_move(thing: Thing, who: Actor | None = None) -> Confirmation:
    return shown_for_target(thing.target, who)


def shown_for_target(target: Target, who: Actor | None = None) -> Confirmation:
    gateway = clusters.get(target.cluster).gateway
    state = OPERATIONS[Action.MOVE_TO_BIN].read_state(gateway, target)
    return confirm(Action.MOVE_TO_BIN, target, state, who or someone())


def done(confirmation: Confirmation, who: Actor | None = None, reason: str = "") -> Outcome:
    caller = Caller(actor=who or someone(), origin=ORIGIN)
    return perform(confirmation, caller, reason=reason)


def binned(thing: Thing) -> BinItem:
    """Move it there."""
    confirmation = shown_for_move(thing)
    assert done(confirmation, reason="stale") is Outcome.SUCCEEDED
    return BinItem.objects.get(operation_id=confirmation.operation_id)


def make_due(item: BinItem) -> BinItem:
    """Its retention period has ended."""
    ended = timezone.now() - timedelta(seconds=1)
    BinItem.objects.filter(pk=item.pk).update(purge_at=ended, retry_at=None)
    item.refresh_from_db()
    return item


def id_of(thing: Thing, name: str = "") -> int:
    """Who bears the name, past everything; 0 if nobody."""
    client, name = thing.seeds.server.client(), name or thing.target.name
    if not client.has_collection(name, timeout=10):
        return 0
    return int(client.describe_collection(name, timeout=10)["collection_id"])
