"""Moves to the recycle bin and restores on the real Milvus: the same collection, by id.

The relay strikes between the requests. Over 2.6.20's skin too, where a missing collection has no
code and a refusal has one.
"""

from dataclasses import replace

import pytest

from collections_app import clusters
from collections_app.access.policy import Action
from collections_app.access.principals import Caller
from collections_app.audit.log import Outcome
from collections_app.milvus.errors import NotFound
from collections_app.models import AuditEvent, BinItem, Claim
from collections_app.operations.deadlines import ReadDeadline
from collections_app.operations.kinds import OPERATIONS
from collections_app.operations.kinds.move_to_bin import NO_BIN
from collections_app.operations.protocol import OperationRejected
from collections_app.operations.reconcile import settle
from tests.fixtures import ORIGIN
from tests.infra.chain import Chain
from tests.infra.seeds import Seeds
from tests.infra.skins import NONE, V2620
from tests.operations.conftest import Thing, told
from tests.recycle_bin.conftest import (
    OPERATOR,
    binned,
    done,
    id_of,
    shown,
    shown_for_move,
    someone,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.skins(NONE, V2620)]
DONE = ["intent", "outcome succeeded"]
RENAME, DROP, RELEASE = "RenameCollection", "DropCollection", "ReleaseCollection"


def test_move_keeps_id_and_frees_the_name(thing: Thing, chain: Chain) -> None:
    before = id_of(thing)
    item = binned(thing)
    assert told() == DONE
    assert (id_of(thing), id_of(thing, item.private_name)) == (0, before)
    assert (chain.relay.count(RENAME), chain.relay.count(DROP)) == (1, 0)
    assert not Claim.objects.exists()


def test_move_records_what_a_restore_needs(filled: Thing) -> None:
    item = binned(filled)
    assert (item.name, item.rows, item.reason) == (filled.target.name, 3, "stale")
    assert (item.was_loaded, item.aliases) == (False, [])
    assert (item.purge_at - item.moved_at).days == 7
    assert item.actor_display == "Ada"


def test_move_of_a_loaded_collection_releases_it(make_collection: Seeds, chain: Chain) -> None:
    thing = Thing.make(make_collection, "collection", loaded=True)  # type: ignore[arg-type]
    item = binned(thing)
    assert item.was_loaded
    assert chain.relay.count(RELEASE) == 1
    gateway = clusters.get("main").gateway
    assert not gateway.load("default", item.private_name).held


def test_move_that_catches_a_namesake_restores_its_name(thing: Thing, chain: Chain) -> None:
    confirmation = shown_for_move(thing)
    chain.relay.before(RENAME, once(thing.replace))
    assert done(confirmation) is Outcome.REFUSED
    assert thing.is_there()
    assert not BinItem.objects.exists()
    assert id_of(thing) != confirmation.identity.id


def test_move_held_up_after_its_rename_is_in_the_bin(
    thing: Thing, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    too_old = property(lambda deadline: chain.relay.count(RENAME) > 0)
    monkeypatch.setattr(ReadDeadline, "has_expired", too_old)
    assert done(shown_for_move(thing)) is Outcome.SUCCEEDED
    assert BinItem.objects.get().name == thing.target.name


def test_move_with_an_alias_is_blocked(make_collection: Seeds, chain: Chain) -> None:
    thing = Thing.make(make_collection, "collection", aliases=["shelf_a"])  # type: ignore[arg-type]
    with pytest.raises(OperationRejected, match="alias shelf_a points"):
        done(shown_for_move(thing))
    assert chain.relay.count(RENAME) == 0


def test_move_on_a_cluster_without_a_bin_is_blocked(
    thing: Thing, chain: Chain, use_cluster: object
) -> None:
    use_cluster(chain.uri, chain.token)  # type: ignore[operator]
    state = OPERATIONS[Action.MOVE_TO_BIN].read_state(clusters.get("main").gateway, thing.target)
    assert [blocker.text for blocker in state.blockers] == [NO_BIN]


def test_restore_brings_back_the_same_collection(filled: Thing) -> None:
    before = id_of(filled)
    item = binned(filled)
    restore = replace(shown(Action.RESTORE, item), new_name=filled.target.name)
    assert done(restore) is Outcome.SUCCEEDED
    assert (id_of(filled), id_of(filled, item.private_name)) == (before, 0)
    assert not BinItem.objects.exists()
    assert clusters.get("main").gateway.collection("default", filled.target.name).rows == 3


def test_restore_under_another_name_spares_the_namesake(thing: Thing) -> None:
    before = id_of(thing)
    item = binned(thing)
    thing.add_namesake()
    other = thing.seeds.renamed(f"{thing.target.name}_old")
    assert done(replace(shown(Action.RESTORE, item), new_name=other)) is Outcome.SUCCEEDED
    assert (id_of(thing, other), id_of(thing) != before) == (before, True)


def test_restore_under_a_name_in_use_is_refused(thing: Thing) -> None:
    item = binned(thing)
    thing.add_namesake()
    namesake = id_of(thing)
    restore = replace(shown(Action.RESTORE, item), new_name=thing.target.name)
    assert done(restore) is Outcome.REFUSED
    assert id_of(thing) == namesake
    assert BinItem.objects.filter(pk=item.pk).exists()


def test_purge_drops_under_the_private_name(thing: Thing, chain: Chain) -> None:
    item = binned(thing)
    thing.add_namesake()
    assert done(shown(Action.PURGE, item)) is Outcome.SUCCEEDED
    assert (id_of(thing, item.private_name), thing.is_there()) == (0, True)
    assert chain.relay.count(DROP) == 1
    assert not BinItem.objects.exists()


def test_purge_of_a_restored_item_is_not_found(thing: Thing) -> None:
    item = binned(thing)
    purge = shown(Action.PURGE, item)
    assert done(replace(shown(Action.RESTORE, item), new_name=thing.target.name))
    with pytest.raises(OperationRejected, match="no longer exists"):
        done(purge)
    assert thing.is_there()
    with pytest.raises(NotFound):
        shown(Action.PURGE, item)


@pytest.mark.parametrize("action", [Action.PURGE, Action.DROP_COLLECTION])
def test_permanent_drop_requires_permission_to_purge(thing: Thing, action: Action) -> None:
    operator = someone(*OPERATOR)
    if action is Action.PURGE:
        confirmation = shown(action, binned(thing), operator)
    else:
        confirmation = replace(shown_for_move(thing, operator), action=action)
    with pytest.raises(OperationRejected, match="No rule grants this"):
        done(confirmation, operator)


# --- half-way -------------------------------------------------------------------------------------


def test_move_with_a_lost_reply_is_settled_by_read_back(thing: Thing, chain: Chain) -> None:
    confirmation = shown_for_move(thing)
    chain.relay.after(RENAME, chain.proxy.cut)
    outcome = done(confirmation)
    if outcome is Outcome.UNKNOWN:
        caller = Caller(actor=someone(), origin=ORIGIN)
        outcome = settle(confirmation.operation_id, caller)
    assert outcome is Outcome.SUCCEEDED
    assert BinItem.objects.filter(operation_id=confirmation.operation_id).exists()
    events = AuditEvent.objects.filter(operation_id=confirmation.operation_id)
    assert events.filter(outcome=Outcome.SUCCEEDED).count() == 1


def once(act: object) -> object:
    """The act, for the first call only."""
    calls: list[int] = []

    def first(*_: object) -> None:
        calls.append(1)
        if len(calls) == 1:
            act()  # type: ignore[operator]

    return first
