"""A destructive request is sent exactly once, and its outcome is never guessed.

The relay counts what arrives at Milvus; the proxy breaks the connection at chosen moments.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import grpc
import pytest
from pymilvus import MilvusClient
from pymilvus.client.types import LoadState

from collections_app.milvus.blueprint import Blueprint
from collections_app.milvus.connection import Connection
from collections_app.milvus.destroy import Destroyer
from collections_app.milvus.errors import Denied, OutcomeUnknown, Unreachable
from collections_app.milvus.types import Cluster
from tests.infra.chain import Chain
from tests.infra.relay import Failure
from tests.infra.seeds import Seeds, unique_name

PARTITION = "novels"
DROP_TIMEOUT = 2.0


@dataclass(frozen=True)
class Scene:
    """A collection with a partition, ready for any of the six acts."""

    client: MilvusClient
    collection: str
    alias: str
    database: str = "default"

    @property
    def new_name(self) -> str:
        return f"{self.collection}_new"

    def exists(self) -> bool:
        return self.client.has_collection(self.collection, timeout=10)

    def has_partition(self) -> bool:
        return PARTITION in self.client.list_partitions(self.collection, timeout=10)

    def has_alias(self) -> bool:
        return self.alias in self.client.describe_collection(self.collection, timeout=10)["aliases"]

    def is_loaded(self, partition: str = "") -> bool:
        state = self.client.get_load_state(self.collection, partition, timeout=10)
        return state["state"] == LoadState.Loaded


@dataclass(frozen=True)
class Act:
    """One of them: how to do it, and how to see whether it is still undone."""

    rpc: str
    do: Callable[[Destroyer, Scene], None]
    undone: Callable[[Scene], bool]
    needs_load: bool = False

    def __str__(self) -> str:
        return self.rpc


BLUEPRINT = Blueprint(
    schema={
        "fields": [
            {"name": "id", "data_type": "Int64", "is_primary_key": True},
            {
                "name": "vector",
                "data_type": "FloatVector",
                "type_params": [{"key": "dim", "value": "4"}],
            },
        ]
    },
    shards=1,
)
INDEX = {
    "index_name": "by_vector",
    "field_name": "vector",
    "params": {"index_type": "FLAT", "metric_type": "L2"},
}
ACTS = [
    Act("DropCollection", lambda d, s: d.drop_collection(s.database, s.collection), Scene.exists),
    Act(
        "DropPartition",
        lambda d, s: d.drop_partition(s.database, s.collection, PARTITION),
        Scene.has_partition,
    ),
    Act(
        "ReleaseCollection",
        lambda d, s: d.release_collection(s.database, s.collection),
        Scene.is_loaded,
        needs_load=True,
    ),
    Act(
        "ReleasePartitions",
        lambda d, s: d.release_partition(s.database, s.collection, PARTITION),
        lambda s: s.is_loaded(PARTITION),
        needs_load=True,
    ),
    Act("DropAlias", lambda d, s: d.drop_alias(s.database, s.alias), Scene.has_alias),
    Act(
        "RenameCollection",
        lambda d, s: d.rename_collection(s.database, s.collection, s.new_name),
        lambda s: s.exists() and not s.client.has_collection(s.new_name, timeout=10),
    ),
    Act(
        "CreateCollection",
        lambda d, s: d.create_collection(s.database, s.new_name, BLUEPRINT),
        lambda s: not s.client.has_collection(s.new_name, timeout=10),
    ),
    Act(
        "CreatePartition",
        lambda d, s: d.create_partition(s.database, s.collection, "fresh"),
        lambda s: "fresh" not in s.client.list_partitions(s.collection, timeout=10),
    ),
    Act(
        "CreateIndex",
        lambda d, s: d.create_index(s.database, s.collection, INDEX),
        lambda s: not s.client.list_indexes(s.collection, timeout=10),
    ),
]
every_act = pytest.mark.parametrize("act", ACTS, ids=str, indirect=True)


@pytest.fixture
def act(request: pytest.FixtureRequest) -> Act:
    """Given by `every_act`."""
    return request.param


@pytest.fixture
def scene(act: Act, make_collection: Seeds) -> Scene:
    return staged(act, make_collection, unique_name(), unique_name("alias"))


def staged(
    act: Act, make_collection: Seeds, name: str, alias: str, database: str = "default"
) -> Scene:
    """What the act needs to be possible."""
    aliases = [alias] if act.rpc == "DropAlias" else []
    make_collection(
        name, database=database, partitions=[PARTITION], aliases=aliases, loaded=act.needs_load
    )
    made = Scene(make_collection.server.client(database), name, alias, database)
    make_collection.renamed(made.new_name, database)
    assert act.undone(made)
    return made


@pytest.fixture
def connection(chain: Chain) -> Connection:
    """Through the chain, not yet connected."""
    cluster = Cluster(
        key="t", label="T", uri=chain.uri, token=chain.token, drop_timeout=DROP_TIMEOUT
    )
    return Connection(cluster)


@every_act
def test_act_undisturbed_is_sent_once(
    act: Act, scene: Scene, chain: Chain, connection: Connection
) -> None:
    act.do(Destroyer(connection), scene)
    assert chain.relay.count(act.rpc) == 1
    assert not act.undone(scene)


@every_act
def test_act_touches_the_named_database_only(
    act: Act, make_collection: Seeds, connection: Connection
) -> None:
    name, alias, database = unique_name(), unique_name("alias"), make_collection.database()
    twin = staged(act, make_collection, name, alias)
    scene = staged(act, make_collection, name, alias, database)
    act.do(Destroyer(connection), scene)
    assert not act.undone(scene)
    assert act.undone(twin)


@every_act
def test_reply_cut_off_is_unknown_and_not_resent(
    act: Act, scene: Scene, chain: Chain, connection: Connection
) -> None:
    chain.relay.after(act.rpc, chain.proxy.cut)
    with pytest.raises(OutcomeUnknown):
        act.do(Destroyer(connection), scene)
    assert chain.relay.count(act.rpc) == 1
    assert not act.undone(scene), "Milvus did it: that is why nobody may call it failed"


@every_act
def test_request_lost_on_the_way_is_unknown_and_not_resent(
    act: Act, scene: Scene, chain: Chain, connection: Connection
) -> None:
    def lose() -> None:
        chain.proxy.cut()
        raise Failure(grpc.StatusCode.UNAVAILABLE, "lost")

    chain.relay.before(act.rpc, lose)
    with pytest.raises(OutcomeUnknown):
        act.do(Destroyer(connection), scene)
    assert chain.relay.count(act.rpc) == 1
    assert act.undone(scene), "Milvus never got it: that is why nobody may call it done"


@every_act
def test_reply_after_the_deadline_is_unknown_in_time(
    act: Act, scene: Scene, chain: Chain, connection: Connection
) -> None:
    chain.relay.after(act.rpc, chain.relay.hold)
    connection.lite("default")
    start = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        act.do(Destroyer(connection), scene)
    assert DROP_TIMEOUT <= time.monotonic() - start + 0.1 < DROP_TIMEOUT + 8
    assert chain.relay.count(act.rpc) == 1
    assert not act.undone(scene)


@every_act
def test_milvus_down_from_the_start_is_unreachable_and_unsent(
    act: Act, scene: Scene, chain: Chain, connection: Connection
) -> None:
    chain.proxy.refuse()
    with pytest.raises(Unreachable):
        act.do(Destroyer(connection), scene)
    chain.proxy.ok()
    time.sleep(0.5)  # nothing may come late either
    assert chain.relay.count(act.rpc) == 0
    assert act.undone(scene)


@every_act
def test_milvus_down_since_connecting_is_unreachable_and_unsent(
    act: Act, scene: Scene, chain: Chain, connection: Connection
) -> None:
    connection.lite("default")
    chain.proxy.refuse()
    time.sleep(0.5)  # the client notices; before that the outcome would be unknown
    with pytest.raises(Unreachable):
        act.do(Destroyer(connection), scene)
    chain.proxy.ok()
    time.sleep(0.5)
    assert chain.relay.count(act.rpc) == 0
    assert act.undone(scene)


@every_act
def test_act_without_a_privilege_is_denied(
    act: Act, scene: Scene, chain: Chain, connection: Connection
) -> None:
    chain.relay.fail(act.rpc, grpc.StatusCode.PERMISSION_DENIED, f"Privilege{act.rpc}: no")
    with pytest.raises(Denied):
        act.do(Destroyer(connection), scene)
    assert chain.relay.count(act.rpc) == 1


@every_act
def test_unavailable_said_by_milvus_is_unknown_and_not_resent(
    act: Act, scene: Scene, chain: Chain, connection: Connection
) -> None:
    chain.relay.fail(act.rpc, grpc.StatusCode.UNAVAILABLE, "try again")
    with pytest.raises(OutcomeUnknown):
        act.do(Destroyer(connection), scene)
    assert chain.relay.count(act.rpc) == 1


@pytest.mark.parametrize("act", ACTS[:1], ids=str, indirect=True)
def test_frozen_network_is_unknown_in_time(
    act: Act, scene: Scene, chain: Chain, connection: Connection
) -> None:
    connection.lite("default")
    chain.proxy.stall()
    start = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        act.do(Destroyer(connection), scene)
    assert time.monotonic() - start < DROP_TIMEOUT + 8


def test_namesake_created_before_a_lost_reply_survives(
    chain: Chain, connection: Connection, make_collection: Seeds
) -> None:
    name = make_collection(rows=1)
    chain.relay.after("DropCollection", lambda: (make_collection(name), chain.proxy.cut()))
    with pytest.raises(OutcomeUnknown):
        Destroyer(connection).drop_collection("default", name)
    time.sleep(0.5)
    assert chain.relay.count("DropCollection") == 1
    assert make_collection.exists(name)


def test_public_pymilvus_call_resends_and_drops_the_namesake(
    chain: Chain, make_collection: Seeds
) -> None:
    """The reason for destroy.py, and the proof that the tests above can fail."""
    name = make_collection(rows=1)
    chain.relay.after("DropCollection", lambda: (make_collection(name), chain.proxy.cut()))
    chain.server.client().drop_collection(name, timeout=5)
    assert chain.relay.count("DropCollection") == 2
    assert not make_collection.exists(name)
