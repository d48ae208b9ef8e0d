"""The protocol of destructive acts on the real server, for collections and partitions."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from collections_app import clusters
from collections_app.access.policy import Action
from collections_app.audit.log import Outcome
from collections_app.audit.verify import verify
from collections_app.clusters import Milvus
from collections_app.milvus.connection import Connection
from collections_app.milvus.destroy import Destroyer
from collections_app.milvus.errors import Denied, NotFound
from collections_app.milvus.types import Kind, Target
from collections_app.models import AuditEvent, Claim
from collections_app.operations.claims import claim_on, claims_in
from collections_app.operations.kinds.acts import ACTS
from collections_app.operations.protocol import AlreadyUsed, Busy, OperationRejected
from tests.fixtures import actor, cluster_at, rule
from tests.infra.chain import Chain
from tests.infra.milvus_server import MilvusServer
from tests.infra.seeds import Seeds, unique_name
from tests.infra.skins import NONE, V30, V2620, Skin
from tests.infra.waiting import until
from tests.operations.conftest import (
    PARTITION,
    RPC,
    Thing,
    at_once,
    carry_out,
    consent,
    leave_unknown,
    on_own_connection,
    target_in,
    told,
)

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("faulty"),
    pytest.mark.skins(NONE),
]
# What differs for a drop: a missing collection has no code on 2.6.20, which is what 2.5.18 has too.
# On 3.0 it has a code, and the answer by id has a name, in a field that nothing here reads. That a
# partition is missing a list says, and no row is about that.
NO_ROW = ("partition", "release first")
as_2620 = pytest.mark.skins(NONE, V2620, unless=NO_ROW)
as_30 = pytest.mark.skins(NONE, V2620, V30, unless=NO_ROW)

SUCCEEDED = ["intent", "outcome succeeded"]
GRACE = actor("grace")


def last_message() -> str:
    event = AuditEvent.objects.order_by("sequence").last()
    assert event is not None
    return str(json.loads(event.record)["message"])


# --- the good end -------------------------------------------------------------------------------


@as_30
def test_drop_is_sent_once_verified_and_recorded(thing: Thing, chain: Chain) -> None:
    assert carry_out(consent(thing.target)) is Outcome.SUCCEEDED
    assert not thing.is_there()
    assert chain.relay.count(thing.rpc) == 1
    assert told() == SUCCEEDED
    assert not Claim.objects.exists()
    assert not verify().broken


@as_2620
@pytest.mark.both_databases
def test_intent_is_committed_before_the_request_is_sent(thing: Thing, chain: Chain) -> None:
    seen: list[object] = []
    look = lambda: (told(), Claim.objects.count())  # noqa: E731
    chain.relay.before(thing.rpc, lambda: seen.append(on_own_connection(look)))
    carry_out(consent(thing.target))
    assert seen == [(["intent"], 1)]
    assert told() == SUCCEEDED


@as_2620
def test_intent_holds_all_that_recreates_the_collection(thing: Thing, skin: Skin) -> None:
    confirmation = consent(thing.target)
    carry_out(confirmation, reason="superseded by v8")
    intent = AuditEvent.objects.get(phase="intent")
    record = json.loads(intent.record)
    details = record["details"]
    assert record["actor"]["subject"] == "ada"
    assert details["reason"] == "superseded by v8"
    assert details["identity"]["id"] == confirmation.identity.id > 0
    assert details["server_version"].startswith(skin.version or "v2.3.5")
    text = json.dumps(details["snapshot"])
    assert all(word in text for word in ("vector", PARTITION, '"dim"'))


# --- only what was shown ------------------------------------------------------------------------


def test_namesake_created_since_the_dialog_survives(thing: Thing, chain: Chain) -> None:
    stale = consent(thing.target)
    thing.replace()
    with pytest.raises(OperationRejected) as caught:
        carry_out(stale)
    assert caught.value.outcome is Outcome.CHANGED
    assert thing.is_there()
    assert chain.relay.count(thing.rpc) == 0
    assert told() == ["rejected changed"]
    details = json.loads(AuditEvent.objects.get().record)["details"]
    assert details["shown"]["id"] == stale.identity.id != details["found"]["id"]


def test_server_copy_under_the_same_key_is_changed(
    thing: Thing, milvus_server: MilvusServer, use_cluster: Callable[..., Milvus]
) -> None:
    """Restored from the other server's backup, it has the same ids."""
    shown = consent(thing.target)
    use_cluster(milvus_server.uri, milvus_server.token)
    with pytest.raises(OperationRejected) as caught:
        carry_out(shown)
    assert (caught.value.outcome, thing.is_there()) == (Outcome.CHANGED, True)


@as_2620
def test_namesake_created_after_the_drop_survives(thing: Thing, chain: Chain) -> None:
    chain.relay.after(thing.rpc, thing.add_namesake)
    assert carry_out(consent(thing.target)) is Outcome.SUCCEEDED
    assert thing.is_there()
    assert chain.relay.count(thing.rpc) == 1


@as_2620
def test_target_already_gone_is_not_found_and_not_sent(thing: Thing, chain: Chain) -> None:
    late = consent(thing.target)
    thing.remove()
    with pytest.raises(OperationRejected, match="no longer exists") as caught:
        carry_out(late)
    assert caught.value.outcome is Outcome.NOT_FOUND
    assert chain.relay.count(thing.rpc) == 0
    assert told() == ["rejected not found"]
    assert not Claim.objects.exists()


@as_2620
def test_target_dropped_externally_just_before_ends_as_succeeded(
    thing: Thing, chain: Chain
) -> None:
    """Milvus says OK to that; the read-back decides."""
    chain.relay.before(thing.rpc, thing.remove)
    assert carry_out(consent(thing.target)) is Outcome.SUCCEEDED
    assert chain.relay.count(thing.rpc) == 1
    assert told() == SUCCEEDED


# --- once ---------------------------------------------------------------------------------------


@as_2620
def test_confirmation_used_before_is_refused_for_a_namesake(thing: Thing, chain: Chain) -> None:
    confirmation = consent(thing.target)
    carry_out(confirmation)
    thing.add_namesake()
    with pytest.raises(AlreadyUsed):
        carry_out(confirmation)
    assert thing.is_there()
    assert chain.relay.count(thing.rpc) == 1
    assert told() == SUCCEEDED


@as_2620
@pytest.mark.both_databases
def test_double_click_sends_one_request(thing: Thing, chain: Chain) -> None:
    confirmation = consent(thing.target)
    click = lambda: carry_out(confirmation)  # noqa: E731
    results = at_once(click, click, click)
    assert results.count(Outcome.SUCCEEDED) == 1
    late = [r for r in results if r is not Outcome.SUCCEEDED]
    assert [type(r) for r in late] == [AlreadyUsed] * 2
    assert chain.relay.count(thing.rpc) == 1
    assert told() == SUCCEEDED


@as_2620
@pytest.mark.both_databases
def test_two_operators_at_once_get_one_drop_and_one_busy(thing: Thing, chain: Chain) -> None:
    """The first request waits at the server until the second operator was told."""
    people = [actor("ada"), actor("grace")]
    consents = [consent(thing.target, who=who) for who in people]
    chain.relay.before(thing.rpc, lambda: until(lambda: "rejected busy" in on_own_connection(told)))
    results = at_once(*(lambda i=i: carry_out(consents[i], people[i]) for i in (0, 1)))
    winner = results.index(Outcome.SUCCEEDED)
    refusal = results[1 - winner]
    assert isinstance(refusal, Busy)
    assert refusal.claim.actor_display == people[winner].display in str(refusal)
    assert chain.relay.count(thing.rpc) == 1
    assert told() == ["intent", "rejected busy", "outcome succeeded"]
    assert not verify().broken


@as_2620
def test_second_operator_after_a_drop_is_told_it_is_gone(thing: Thing, chain: Chain) -> None:
    mine, theirs = consent(thing.target), consent(thing.target, who=GRACE)
    carry_out(theirs, GRACE)
    with pytest.raises(OperationRejected, match="no longer exists"):
        carry_out(mine)
    assert chain.relay.count(thing.rpc) == 1
    assert told() == [*SUCCEEDED, "rejected not found"]


@as_2620
def test_read_before_another_operators_drop_is_not_reused(thing: Thing, chain: Chain) -> None:
    """Another drop begins and ends between the last read and the intent."""
    mine, theirs = consent(thing.target), consent(thing.target, who=GRACE)

    def meanwhile() -> None:
        assert on_own_connection(lambda: carry_out(theirs, GRACE)) is Outcome.SUCCEEDED
        thing.add_namesake()

    thing.once_read(chain, meanwhile)
    with pytest.raises(OperationRejected):
        carry_out(mine)
    assert thing.is_there()
    assert chain.relay.count(thing.rpc) == 1


# --- one server under two keys, with two accounts perhaps ---------------------------------------


@pytest.fixture
def through_admin(thing: Thing, settings: Any) -> Target:
    """The same thing on the same server, which the configuration has twice."""
    settings.CLUSTERS |= {"admin": replace(settings.CLUSTERS["main"], key="admin", label="Admin")}
    return replace(thing.target, cluster="admin")


def test_open_operation_claims_its_target_under_the_other_key(
    thing: Thing, chain: Chain, through_admin: Target
) -> None:
    """Milvus may still carry it out, and would hit a collection that gets this name."""
    open_drop = leave_unknown(thing, chain)
    for claim in (claim_on(through_admin), claims_in("admin")(through_admin)):
        assert claim
        assert claim.operation_id == open_drop.operation_id
    with pytest.raises(Busy):
        carry_out(consent(through_admin))
    assert chain.relay.count(thing.rpc) == 1
    assert thing.is_there()


@as_2620
def test_read_before_a_drop_under_the_other_key_is_not_reused(
    thing: Thing, chain: Chain, through_admin: Target
) -> None:
    mine, theirs = consent(thing.target), consent(through_admin, who=GRACE)

    def meanwhile() -> None:
        assert on_own_connection(lambda: carry_out(theirs, GRACE)) is Outcome.SUCCEEDED
        thing.add_namesake()

    thing.once_read(chain, meanwhile)
    with pytest.raises(OperationRejected):
        carry_out(mine)
    assert thing.is_there()
    assert chain.relay.count(thing.rpc) == 1


# --- not permitted ------------------------------------------------------------------------------


def test_drop_without_permission_is_recorded_and_asks_no_milvus(thing: Thing, chain: Chain) -> None:
    viewer = actor("vera", groups=("viewer", "auditor"))
    confirmation = consent(thing.target, who=viewer)
    asked = chain.relay.calls
    with pytest.raises(OperationRejected) as caught:
        carry_out(confirmation, viewer)
    assert caught.value.outcome is Outcome.DENIED
    assert chain.relay.calls == asked
    assert told() == ["rejected denied"]
    assert "Vera" in last_message()
    assert thing.is_there()


@pytest.mark.parametrize(
    ("right", "kind"),
    [("drop_collection", Kind.PARTITION), ("drop_partition", Kind.COLLECTION)],
)
def test_permission_for_one_kind_does_not_allow_the_other(
    right: str, kind: Kind, make_collection: Seeds, settings: Any
) -> None:
    settings.ACCESS = (rule("limited", right),)
    thing, limited = Thing.make(make_collection, kind), actor(groups=("limited",))
    with pytest.raises(OperationRejected, match="not permitted"):
        carry_out(consent(thing.target, who=limited), limited)
    assert thing.is_there()


@pytest.fixture
def guest(milvus_server: MilvusServer) -> Iterator[str]:
    """The token of a Milvus account without any role: it may list and describe, no more."""
    name, password, root = unique_name("guest"), "n0-rights-at-all", milvus_server.client()
    root.create_user(name, password, timeout=10)
    yield f"{name}:{password}"
    root.drop_user(name, timeout=10)


def test_drop_without_a_milvus_privilege_is_refused_and_recorded(
    thing: Thing, chain: Chain, guest: str, faulty: Milvus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root reads, so that a partition can be read too; a guest account sends."""
    confirmation = consent(thing.target)
    guests = Destroyer(Connection(cluster_at(chain.uri, guest)))
    monkeypatch.setattr(clusters, "get", lambda key: replace(faulty, destroyer=guests))
    assert carry_out(confirmation) is Outcome.REFUSED
    assert chain.relay.count(thing.rpc) == 1
    assert thing.is_there()
    assert told() == ["intent", "outcome refused"]
    assert "permission deny" in last_message()
    assert not Claim.objects.exists()


def test_collection_drop_refused_to_a_limited_account_is_refused(
    make_collection: Seeds, chain: Chain, guest: str, use_cluster: Callable[..., Milvus]
) -> None:
    use_cluster(chain.uri, guest)
    thing = Thing.make(make_collection, Kind.COLLECTION)
    assert carry_out(consent(thing.target)) is Outcome.REFUSED
    assert thing.is_there()
    assert told() == ["intent", "outcome refused"]


@pytest.mark.parametrize(
    ("action", "says"),
    [(Action.DROP_PARTITION, "partitions may not"), (Action.DROP_ALIAS, "aliases may not")],
)
def test_target_that_may_not_be_read_is_not_called_gone(
    action: Action,
    says: str,
    make_collection: Seeds,
    chain: Chain,
    guest: str,
    use_cluster: Callable[..., Milvus],
) -> None:
    target = scene_of(action, make_collection, loaded=False)
    confirmation = consent(target, action)
    use_cluster(chain.uri, guest)
    with pytest.raises(Denied, match=says):
        carry_out(confirmation)
    assert told() == []
    assert chain.relay.count(RPC[action]) == 0


# --- what stands in the way ---------------------------------------------------------------------


@dataclass(frozen=True)
class Obstacle:
    """Something Milvus never drops, or not yet."""

    kind: Kind
    says: str
    options: dict[str, object]
    partition: str = PARTITION

    def target(self, seeds: Seeds) -> Target:
        options = {"partitions": [PARTITION], **self.options}
        collection = seeds(**options)  # type: ignore[arg-type]
        name = self.partition if self.kind is Kind.PARTITION else collection
        return target_in(collection, self.kind, name)


LOADED = Obstacle(Kind.PARTITION, "It is loaded", {"loaded": True})
OBSTACLES = {
    "loaded partition": LOADED,
    "default partition": Obstacle(Kind.PARTITION, "default partition", {}, "_default"),
    "partition key": Obstacle(
        Kind.PARTITION, "tenant", {"partition_key": True, "partitions": []}, "_default_3"
    ),
    "alias": Obstacle(Kind.COLLECTION, "alias", {"aliases": [unique_name("alias")]}),
}


@pytest.mark.parametrize("obstacle", OBSTACLES.values(), ids=OBSTACLES)
def test_drop_with_a_blocker_is_recorded_and_not_sent(
    obstacle: Obstacle, make_collection: Seeds, chain: Chain
) -> None:
    thing = Thing(make_collection, obstacle.target(make_collection))
    with pytest.raises(OperationRejected, match=obstacle.says) as caught:
        carry_out(consent(thing.target))
    assert caught.value.outcome is Outcome.BLOCKED
    assert caught.value.blockers
    assert chain.relay.count(thing.rpc) == 0
    assert told() == ["rejected blocked"]
    assert obstacle.says in last_message()
    assert thing.is_there()


@as_2620
@pytest.mark.parametrize(
    ("obstacle", "remedy"),
    [(LOADED, Action.RELEASE_PARTITION), (OBSTACLES["alias"], Action.DROP_ALIAS)],
    ids=["release first", "alias first"],
)
def test_drop_after_its_remedy_succeeds(
    obstacle: Obstacle, remedy: Action, make_collection: Seeds, chain: Chain
) -> None:
    thing = Thing(make_collection, obstacle.target(make_collection))
    with pytest.raises(OperationRejected) as caught:
        carry_out(consent(thing.target))
    (blocker,) = caught.value.blockers
    assert blocker.remedy is remedy
    assert blocker.remedy_target is not None
    assert carry_out(consent(blocker.remedy_target, remedy)) is Outcome.SUCCEEDED
    assert thing.is_there()
    assert carry_out(consent(thing.target)) is Outcome.SUCCEEDED
    assert not thing.is_there()
    assert [chain.relay.count(RPC[act]) for act in (remedy, thing.action)] == [1, 1]
    assert told() == ["rejected blocked", *SUCCEEDED, *SUCCEEDED]
    actions = AuditEvent.objects.order_by("sequence").values_list("action", flat=True)
    assert list(actions) == [thing.action, remedy, remedy, thing.action, thing.action]


# --- the other acts -----------------------------------------------------------------------------

OTHER_ACTS = [Action.RELEASE_COLLECTION, Action.RELEASE_PARTITION, Action.DROP_ALIAS]


def scene_of(action: Action, seeds: Seeds, *, loaded: bool) -> Target:
    """Something for one of the other acts, in a collection with a partition."""
    kind, alias = ACTS[action].kind, unique_name("alias")
    aliases = [alias] if kind is Kind.ALIAS else []
    collection = seeds(partitions=[PARTITION], aliases=aliases, loaded=loaded)
    names = {Kind.COLLECTION: collection, Kind.PARTITION: PARTITION, Kind.ALIAS: alias}
    return target_in(collection, kind, names[kind])


@pytest.mark.parametrize("action", OTHER_ACTS, ids=str)
def test_release_and_alias_drop_follow_the_same_protocol(
    action: Action, make_collection: Seeds, chain: Chain
) -> None:
    target = scene_of(action, make_collection, loaded=action is not Action.DROP_ALIAS)
    assert carry_out(consent(target, action)) is Outcome.SUCCEEDED
    assert chain.relay.count(RPC[action]) == 1
    assert told() == SUCCEEDED
    assert make_collection.exists(target.collection)
    with pytest.raises((OperationRejected, NotFound)):
        carry_out(consent(target, action))
    assert chain.relay.count(RPC[action]) == 1


@pytest.mark.parametrize("action", OTHER_ACTS, ids=str)
def test_release_and_alias_drop_of_a_changed_target_are_rejected(
    action: Action, make_collection: Seeds, chain: Chain
) -> None:
    target = scene_of(action, make_collection, loaded=False)
    stale = consent(target, action)
    client = make_collection.server.client()
    aliases = [target.name] if target.kind is Kind.ALIAS else []
    for alias in aliases:
        client.drop_alias(alias, timeout=10)
    client.drop_collection(target.collection, timeout=10)
    make_collection(target.collection, partitions=[PARTITION], aliases=aliases)
    with pytest.raises(OperationRejected) as caught:
        carry_out(stale)
    assert caught.value.outcome is Outcome.CHANGED
    assert chain.relay.count(RPC[action]) == 0
    assert told() == ["rejected changed"]


# --- Milvus Lite --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Kind.COLLECTION, Kind.PARTITION], ids=str)
def test_drop_without_ids_depends_on_the_fingerprint(
    kind: Kind,
    lite: Milvus,
    lite_server: MilvusServer,
    collections_on: Callable[[MilvusServer], Seeds],
) -> None:
    thing = Thing.make(collections_on(lite_server), kind)
    stale = consent(thing.target)
    lite_server.client().create_partition(thing.target.collection, "added_since")
    with pytest.raises(OperationRejected) as caught:
        carry_out(stale)
    assert caught.value.outcome is Outcome.CHANGED
    assert thing.is_there()
    assert carry_out(consent(thing.target)) is Outcome.SUCCEEDED
    assert not thing.is_there()
    assert told() == ["rejected changed", *SUCCEEDED]


@as_2620
def test_partition_drop_that_took_its_collection_says_so(
    make_collection: Seeds, chain: Chain
) -> None:
    """As builds of Milvus 2.6 of November 2025 did (issue #45476)."""
    thing = Thing.make(make_collection, Kind.PARTITION)
    whole = Thing(make_collection, target_in(thing.target.collection, Kind.COLLECTION))
    chain.relay.after("DropPartition", whole.remove)
    assert carry_out(consent(thing.target)) is Outcome.SUCCEEDED
    outcome = AuditEvent.objects.get(phase="outcome")
    assert (
        "Its whole collection no longer exists either."
        in json.loads(outcome.record)["details"]["seen"]
    )
