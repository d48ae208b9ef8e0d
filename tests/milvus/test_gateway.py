"""Reading from a real Milvus that denies, stalls, dies, comes back, or changes under the reader."""

import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier
from typing import Any

import grpc
import pytest
from pymilvus import DataType, MilvusClient
from pymilvus.exceptions import MilvusException
from pymilvus.grpc_gen import milvus_pb2 as pb

from collections_app import clusters
from collections_app.milvus.connection import Connection
from collections_app.milvus.destroy import Destroyer
from collections_app.milvus.errors import Denied, MilvusError, NotFound, Unreachable
from collections_app.milvus.gateway import Gateway
from collections_app.milvus.reads import Reads
from collections_app.milvus.types import Cluster, CollectionSummary, Listing, Load, Unread
from tests import fixtures
from tests.infra.chain import Chain
from tests.infra.milvus_server import MilvusServer
from tests.infra.relay import Failure
from tests.infra.seeds import Seeds, unique_name

READ_TIMEOUT = 15.0  # where nothing waits for it
HURRY = 1.0  # the deadline of the tests that wait for it
SPARE = 6.0
PASSWORD = "very-secret-Passw0rd"
NOBODY = "http://127.0.0.1:1"


def cluster_at(uri: str, token: str = "", read_timeout: float = READ_TIMEOUT) -> Cluster:
    return Cluster(
        key="t", label="T", uri=uri, token=token, read_timeout=read_timeout, breaker_cooldown=0.0
    )


def gateway_at(uri: str, token: str = "", read_timeout: float = READ_TIMEOUT) -> Gateway:
    return Gateway(Connection(cluster_at(uri, token, read_timeout)))


@pytest.fixture
def behind(chain: Chain) -> Gateway:
    """A gateway to the real Milvus through the chain."""
    return gateway_at(chain.uri, chain.token)


@pytest.fixture
def hurried(chain: Chain) -> Gateway:
    """The same with a short deadline."""
    return gateway_at(chain.uri, chain.token, HURRY)


@pytest.fixture
def account(milvus_server: MilvusServer) -> Iterator[str]:
    """The token of a user with hardly a right: it may list and describe."""
    client, user, role = milvus_server.client(), unique_name("user"), unique_name("role")
    rights = ("ShowCollections", "DescribeCollection")
    client.create_user(user, PASSWORD, timeout=10)
    try:
        client.create_role(role, timeout=10)
        for right in rights:
            client.grant_privilege(role, "Global", right, "*", timeout=10)
        client.grant_role(user, role, timeout=10)
        yield f"{user}:{PASSWORD}"
    finally:
        _forget(client, user, role, rights)


def _forget(client: MilvusClient, user: str, role: str, rights: tuple[str, ...]) -> None:
    with suppress(MilvusException):
        client.drop_user(user, timeout=10)
    for right in rights:
        with suppress(MilvusException):
            client.revoke_privilege(role, "Global", right, "*", timeout=10)
    with suppress(MilvusException):
        client.drop_role(role, timeout=10)


# --- few rights -----------------------------------------------------------------------------------


def test_collection_read_with_few_privileges_shows_the_rest(
    milvus_server: MilvusServer, make_collection: Seeds, account: str
) -> None:
    name = make_collection(partitions=["novel"], aliases=[unique_name("alias")], indexed=True)
    gateway = gateway_at(milvus_server.uri, account)
    assert name in [row.name for row in gateway.collections("default")]
    found = gateway.collection("default", name)
    assert [f.name for f in found.fields] == ["id", "vector"]
    denied = (found.partitions, found.aliases, found.rows)
    assert denied == (Unread.NOT_PERMITTED,) * 3
    assert found.snapshot["unavailable"] == dict.fromkeys(
        ("partitions", "aliases", "rows"), "not permitted"
    )
    assert found.snapshot["rows"] is None
    assert gateway.summaries("default", [name]) == {
        name: CollectionSummary(
            rows=Unread.NOT_PERMITTED, partitions=2, aliases=Unread.NOT_PERMITTED
        )
    }


def test_gateway_with_few_privileges_is_denied(
    milvus_server: MilvusServer, make_collection: Seeds, account: str
) -> None:
    name = make_collection(partitions=["novel"])
    connection = Connection(cluster_at(milvus_server.uri, account))
    gateway, destroyer = Gateway(connection), Destroyer(connection)
    with pytest.raises(Denied):
        gateway.databases()
    with pytest.raises(Denied):
        gateway.partitions("default", name)
    with pytest.raises(Denied):
        destroyer.drop_collection("default", name)
    with pytest.raises(Denied):
        destroyer.drop_partition("default", name, "novel")
    assert make_collection.exists(name)


# --- secrets --------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", f"root:{PASSWORD}", f"nobody:{PASSWORD}"])
def test_wrong_credentials_are_denied_and_named(milvus_server: MilvusServer, token: str) -> None:
    gateway = gateway_at(milvus_server.uri, token)
    with pytest.raises(Denied) as caught:
        gateway.collections("default")
    assert "authorization" in str(caught.value) or "username and password" in str(caught.value)
    assert PASSWORD not in told(caught.value)


def told(exc: BaseException) -> str:
    """All that anybody who logs it would see."""
    return str(exc) + repr(exc) + "".join(traceback.format_exception(exc))


def test_secret_in_a_reply_is_redacted(chain: Chain, account: str, make_collection: Seeds) -> None:
    name = make_collection()
    connection = Connection(cluster_at(chain.uri, account))
    echo = f"bad token {account}, password {PASSWORD}"
    for method in ("ShowCollections", "DescribeCollection", "DropCollection"):
        chain.relay.fail(method, grpc.StatusCode.PERMISSION_DENIED, echo)
    gateway, destroyer = Gateway(connection), Destroyer(connection)
    for call in (
        lambda: gateway.collections("default"),
        lambda: gateway.collection("default", name),
        lambda: destroyer.drop_collection("default", name),
    ):
        with pytest.raises(Denied, match="bad token •••, password •••") as caught:
            call()
        assert PASSWORD not in told(caught.value)


def test_cluster_repr_hides_its_secrets() -> None:
    uri = f"http://ada:{PASSWORD}@127.0.0.1:1"
    cluster = cluster_at(uri, f"ada:{PASSWORD}")
    assert PASSWORD not in repr(cluster)
    assert cluster.endpoint == NOBODY
    with pytest.raises(Unreachable) as caught:
        Gateway(Connection(cluster)).collections("default")
    assert PASSWORD not in told(caught.value)


# --- no answer ------------------------------------------------------------------------------------


def took(call: Callable[[], object]) -> float:
    """Seconds until it says that Milvus can't be reached."""
    start = time.monotonic()
    with pytest.raises(Unreachable):
        call()
    return time.monotonic() - start


@pytest.mark.parametrize(
    "read", ["describe", "rows", "indexes", "partitions", "partition_loads", "aliases", "replicas"]
)
def test_single_read_of_an_unsafe_name_is_not_sent(read: str) -> None:
    reads = Reads(Connection(cluster_at(NOBODY, read_timeout=HURRY)))
    with pytest.raises(NotFound, match="never sent"):
        getattr(reads, read)("default", "a/b")


def test_closed_port_is_unreachable_within_the_deadline() -> None:
    gateway = gateway_at(NOBODY, "root:Milvus", HURRY)
    assert took(lambda: gateway.collections("default")) < HURRY + SPARE
    assert took(gateway.databases) < HURRY + SPARE


def test_stalled_server_is_unreachable_and_works_again(
    chain: Chain, hurried: Gateway, make_collection: Seeds
) -> None:
    name = make_collection()
    calls = (
        lambda: hurried.collections("default"),
        lambda: hurried.collection("default", name),
        lambda: hurried.partitions("default", name),
        lambda: hurried.collection_identity("default", name),
    )
    for call in calls:
        call()
    chain.proxy.stall()
    for call in calls:
        assert HURRY - 0.1 < took(call) < HURRY + SPARE
    chain.proxy.ok()
    for call in calls:
        call()


def test_server_stalled_from_the_start_works_again(chain: Chain, hurried: Gateway) -> None:
    chain.proxy.stall()
    assert took(lambda: hurried.collections("default")) < HURRY + SPARE
    chain.proxy.ok()
    assert isinstance(hurried.collections("default"), Listing)


def test_server_that_went_down_works_when_it_is_back(chain: Chain, hurried: Gateway) -> None:
    hurried.collections("default")
    chain.proxy.refuse()
    assert took(lambda: hurried.collections("default")) < HURRY + SPARE
    chain.proxy.ok()
    assert works_within(5, lambda: hurried.collections("default"))


def works_within(limit: float, call: Callable[[], object]) -> bool:
    """gRPC waits a moment between its attempts to connect."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        with suppress(Unreachable):
            call()
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize(
    ("method", "part"),
    [
        ("ListAliases", "aliases"),
        ("GetCollectionStatistics", "rows"),
        ("ShowPartitions", "partitions"),
        ("DescribeIndex", "indexes"),
    ],
)
@pytest.mark.parametrize(
    "status", [grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.PERMISSION_DENIED], ids=str
)
def test_unreadable_part_leaves_the_others(
    chain: Chain,
    behind: Gateway,
    make_collection: Seeds,
    method: str,
    part: str,
    status: grpc.StatusCode,
) -> None:
    name = make_collection(partitions=["novel"], indexed=True)
    chain.relay.fail(method, status, "not now")
    found = behind.collection("default", name)
    parts = ("aliases", "rows", "partitions", "load", "indexes")
    denied = status is grpc.StatusCode.PERMISSION_DENIED
    expected = {part: Unread.NOT_PERMITTED if denied else Unread.UNKNOWN}
    unread = {p: getattr(found, p) for p in parts if isinstance(getattr(found, p), Unread)}
    assert unread == expected


SILENT, RATE_LIMIT, NEIGHBOUR_GONE = grpc.StatusCode.DEADLINE_EXCEEDED, 8, 100


def answer_load_states(chain: Chain, answer: grpc.StatusCode | int) -> None:
    """A gRPC status, or a code of Milvus', for what is loaded. The list itself comes as it is."""
    whole = chain.direct.client()._get_connection()._stub

    def answered(request: bytes) -> bytes:
        asked = pb.ShowCollectionsRequest.FromString(request)
        if not asked.type:
            return bytes(whole.ShowCollections(asked, timeout=5).SerializeToString())
        if isinstance(answer, grpc.StatusCode):
            raise Failure(answer, "not now")
        reply = pb.ShowCollectionsResponse(status={"code": answer, "reason": "not now"})
        return bytes(reply.SerializeToString())

    chain.relay.answer("ShowCollections", answered)


load_states = pytest.mark.parametrize("answer", [SILENT, RATE_LIMIT, NEIGHBOUR_GONE], ids=str)


@load_states
def test_list_without_load_states_is_shown(
    chain: Chain, behind: Gateway, make_collection: Seeds, answer: grpc.StatusCode | int
) -> None:
    name = make_collection()
    answer_load_states(chain, answer)
    rows = {row.name: row for row in behind.collections("default")}
    assert rows[name].load is Unread.UNKNOWN
    assert rows[name].identity.verifiable


@load_states
def test_collection_without_a_load_state_is_shown(
    chain: Chain, behind: Gateway, make_collection: Seeds, answer: grpc.StatusCode | int
) -> None:
    name = make_collection()
    answer_load_states(chain, answer)
    found = behind.collection("default", name)
    assert (found.load, found.rows) == (Unread.UNKNOWN, 0)


def test_summary_that_milvus_refuses_is_unknown_in_its_row_only(
    chain: Chain, behind: Gateway, make_collection: Seeds
) -> None:
    name = make_collection()
    busy = pb.GetCollectionStatisticsResponse(status={"code": 1100, "reason": "odd"})
    chain.relay.answer("GetCollectionStatistics", lambda _: busy.SerializeToString())
    (summary,) = behind.summaries("default", [name]).values()
    assert summary == CollectionSummary(rows=Unread.UNKNOWN, partitions=1, aliases=())


# --- changes under the reader ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "method", ["DescribeCollection", "ShowPartitions", "DescribeIndex", "ListAliases"]
)
def test_collection_dropped_between_two_reads_is_not_found(
    chain: Chain, behind: Gateway, make_collection: Seeds, method: str
) -> None:
    """Half a collection is never shown."""
    name = make_collection()
    client = chain.direct.client()
    chain.relay.after(method, lambda: client.drop_collection(name, timeout=5))
    with pytest.raises(NotFound):
        behind.collection("default", name)


def test_load_states_in_percent_while_loading(
    chain: Chain, behind: Gateway, make_collection: Seeds
) -> None:
    name, other = make_collection(), make_collection()
    whole = chain.direct.client()._get_connection()._stub

    def answer(request: bytes) -> bytes:
        asked = pb.ShowCollectionsRequest.FromString(request)
        if not asked.type:
            return whole.ShowCollections(asked, timeout=5).SerializeToString()
        return pb.ShowCollectionsResponse(
            collection_names=[name], inMemory_percentages=[40]
        ).SerializeToString()

    chain.relay.answer("ShowCollections", answer)
    loads = {row.name: row.load for row in behind.collections("default")}
    assert (loads[name], loads[other]) == (Load(40), Load(None))
    assert behind.collection("default", name).load == Load(40)
    assert Load(40).held, "Milvus refuses to drop a partition that is being loaded"


# --- many at once ---------------------------------------------------------------------------------


def test_database_has_a_client_of_its_own(
    milvus_server: MilvusServer, make_collection: Seeds
) -> None:
    database = make_collection.database()
    connection = Connection(cluster_at(milvus_server.uri, milvus_server.token))
    here, there = connection.client("default"), connection.client(database)
    assert here._get_connection() is there._get_connection(), "one connection for all of them"
    make_collection("only_there", database=database)
    assert there.list_collections() == ["only_there"]
    assert "only_there" not in here.list_collections()


def test_eight_threads_on_two_databases_see_their_own(
    milvus_server: MilvusServer, make_collection: Seeds
) -> None:
    databases = [make_collection.database() for _ in range(2)]
    for database in databases:
        make_collection(f"only_in_{database}", database=database, partitions=[database])
    gateway = gateway_at(milvus_server.uri, milvus_server.token)
    together = Barrier(8)

    def read(number: int) -> set[tuple[str, ...]]:
        database, seen = databases[number % 2], set()
        together.wait(10)
        for _ in range(15):
            (row,) = gateway.collections(database)
            found = gateway.collection(database, row.name)
            seen.add((row.name, *(p.name for p in found.partitions)))
        return seen

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(read, range(8)))
    expected = [{(f"only_in_{d}", "_default", d)} for d in databases]
    assert results == expected * 4


# --- what 2.3.5 can hold --------------------------------------------------------------------------

SCALARS = {
    "BOOL": {},
    "INT8": {},
    "INT16": {},
    "INT32": {},
    "INT64": {},
    "FLOAT": {},
    "DOUBLE": {},
    "VARCHAR": {"max_length": 10},
    "JSON": {},
    "ARRAY": {"element_type": DataType.INT16, "max_capacity": 7},
}


@pytest.mark.parametrize("vector", ["FLOAT_VECTOR", "BINARY_VECTOR", "FLOAT16_VECTOR"])
def test_field_of_every_type_is_described(
    milvus_server: MilvusServer, make_collection: Seeds, vector: str
) -> None:
    database, client = make_collection.database(), milvus_server.client()
    schema = client.create_schema(auto_id=True, enable_dynamic_field=True)
    schema.add_field("key", DataType.VARCHAR, max_length=36, is_primary=True, description="the key")
    schema.add_field("v", DataType[vector], dim=16)
    for name, params in SCALARS.items():
        schema.add_field(f"f_{name.lower()}", DataType[name], **params)
    milvus_server.client(database).create_collection("book", schema=schema, timeout=10)
    gateway = gateway_at(milvus_server.uri, milvus_server.token)
    found = gateway.collection(database, "book")
    assert found.dynamic_fields
    fields = {f.name: f for f in found.fields}
    assert set(fields["key"].notes) == {"primary key", "automatic ids", "max_length 36"}
    assert fields["key"].description == "the key"
    assert (fields["v"].type, fields["v"].notes) == (vector, ("dim 16",))
    types = {name: fields[f"f_{name.lower()}"].type for name in SCALARS}
    assert types == {name: name for name in SCALARS} | {"ARRAY": "ARRAY of INT16"}
    assert fields["f_array"].notes == ("max_capacity 7",)


def test_server_reports_its_version(milvus_server: MilvusServer) -> None:
    server = gateway_at(milvus_server.uri, milvus_server.token).server()
    assert server.version.startswith("v2.3.5")
    assert not server.lite


def test_gateway_raises_its_own_errors_only(
    chain: Chain, behind: Gateway, make_collection: Seeds
) -> None:
    """The reply is no protobuf message."""
    name = make_collection()
    behind.collection("default", name)
    for method in ("ShowCollections", "DescribeCollection"):
        chain.relay.answer(method, lambda _: b"\xff\xff not protobuf")
    for call in (behind.collections, lambda db: behind.collection(db, name)):
        with pytest.raises(MilvusError):
            call("default")


# --- odd answers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("stats", [[], [{"key": "row_count", "value": "null"}]], ids=str)
def test_missing_row_count_costs_that_cell_only(
    chain: Chain, behind: Gateway, make_collection: Seeds, stats: list[dict[str, str]]
) -> None:
    name = make_collection(partitions=["novel"])
    for method in ("GetCollectionStatistics", "GetPartitionStatistics"):
        reply = getattr(pb, f"{method}Response")(stats=stats)
        chain.relay.answer(method, lambda _, reply=reply: bytes(reply.SerializeToString()))
    assert behind.collection("default", name).rows is Unread.UNKNOWN
    (summary,) = behind.summaries("default", [name]).values()
    assert summary == CollectionSummary(rows=Unread.UNKNOWN, partitions=2, aliases=())
    assert behind.partition_rows("default", name, ["novel"]) == {"novel": Unread.UNKNOWN}


SIDE_READS = ["ListAliases", "DescribeIndex", "GetCollectionStatistics", "ShowPartitions"]


@pytest.mark.parametrize("method", SIDE_READS)
def test_part_that_is_not_found_is_not_the_collection(
    chain: Chain, behind: Gateway, make_collection: Seeds, method: str
) -> None:
    name = make_collection()
    reply = getattr(pb, f"{method}Response")(status={"code": 100, "reason": "not found"})
    chain.relay.answer(method, lambda _: bytes(reply.SerializeToString()))
    assert behind.collection("default", name).identity.verifiable
    assert list(behind.summaries("default", [name])) == [name]


def test_row_not_described_but_listed_stays_on_the_page(
    chain: Chain, behind: Gateway, make_collection: Seeds
) -> None:
    name, unread = make_collection(), Unread.UNKNOWN
    reply = pb.DescribeCollectionResponse(status={"code": 100, "reason": "not found"})
    chain.relay.answer("DescribeCollection", lambda _: bytes(reply.SerializeToString()))
    nothing_read = CollectionSummary(rows=unread, partitions=unread, aliases=unread)
    assert behind.summaries("default", [name]) == {name: nothing_read}


def test_embedded_milvus_opens_once_for_many_threads_at_once(lite_uri: str, settings: Any) -> None:
    settings.CLUSTERS = {"main": fixtures.cluster_at(lite_uri, read_timeout=20.0)}
    start = Barrier(8)

    def first_read(_: int) -> list[str]:
        start.wait()
        return clusters.get("main").gateway.databases()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(first_read, range(8)))
    assert answers == [["default"]] * 8
    clusters._open.cache_clear()
