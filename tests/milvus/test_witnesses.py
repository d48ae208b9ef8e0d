"""Two answers of Milvus have to agree. The relay gives the one that does not."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import grpc
import pytest
from pymilvus.grpc_gen import milvus_pb2 as pb

from collections_app.milvus.connection import AT_ONCE, Connection
from collections_app.milvus.errors import Contradiction, Denied, MilvusRejected, NotFound
from collections_app.milvus.gateway import Gateway
from collections_app.milvus.types import Cluster
from tests.infra.chain import Chain, chain_to
from tests.infra.milvus_server import MilvusServer
from tests.infra.seeds import Seeds

DESCRIBE = "DescribeCollection"
NOT_THERE = {"code": 0, "error_code": "CollectionNotExists", "reason": "can't find collection"}


@pytest.fixture(scope="module")
def chain(milvus_server: MilvusServer) -> Iterator[Chain]:
    with chain_to(milvus_server) as made:
        yield made


@pytest.fixture
def gateway(chain: Chain) -> Iterator[Gateway]:
    cluster = Cluster(key="t", label="T", uri=chain.uri, token=chain.token, read_timeout=20)
    yield Gateway(Connection(cluster))
    for method in ("ShowCollections", "DescribeCollection", "ListDatabases"):
        chain.relay.forward(method)


def describes(chain: Chain, **reply: object) -> None:
    """DescribeCollection answers this from now on."""
    said = pb.DescribeCollectionResponse(**reply).SerializeToString()
    chain.relay.answer("DescribeCollection", lambda _: bytes(said))


def lists(chain: Chain, **reply: object) -> None:
    """ShowCollections answers this from now on."""
    said = pb.ShowCollectionsResponse(**reply).SerializeToString()
    chain.relay.answer("ShowCollections", lambda _: bytes(said))


def id_of(gateway: Gateway, name: str) -> int:
    return gateway.identities("default")[name].id


Read = Callable[[Gateway, str], object]
BY_NAME: dict[str, Read] = {
    "collection": lambda gateway, name: gateway.collection("default", name),
    "collection_identity": lambda gateway, name: gateway.collection_identity("default", name),
}
by_name = pytest.mark.parametrize("read", BY_NAME.values(), ids=BY_NAME)


@by_name
def test_collection_listed_but_not_described_contradicts(
    chain: Chain, gateway: Gateway, make_collection: Seeds, read: Read
) -> None:
    name = make_collection()
    id_ = id_of(gateway, name)
    describes(chain, status=NOT_THERE)
    with pytest.raises(Contradiction) as caught:
        read(gateway, name)
    assert f"ShowCollections lists {name} as id {id_}" in str(caught.value)
    assert "DescribeCollection finds it not at all" in str(caught.value)


@by_name
def test_collection_described_but_not_listed_contradicts(
    chain: Chain, gateway: Gateway, make_collection: Seeds, read: Read
) -> None:
    name = make_collection()
    lists(chain)
    with pytest.raises(Contradiction) as caught:
        read(gateway, name)
    assert f"ShowCollections lists {name} not at all" in str(caught.value)


@by_name
def test_witnesses_with_different_ids_contradict_each_other(
    chain: Chain, gateway: Gateway, make_collection: Seeds, read: Read
) -> None:
    name = make_collection()
    describes(chain, collectionID=1, schema={"name": name}, collection_name=name)
    with pytest.raises(Contradiction, match="finds it as id 1"):
        read(gateway, name)


def test_contradiction_repaired_by_a_second_read_is_none(
    chain: Chain, gateway: Gateway, make_collection: Seeds
) -> None:
    name = make_collection()
    describes(chain, status=NOT_THERE)
    chain.relay.after("ShowCollections", lambda: chain.relay.forward("DescribeCollection"))
    found = gateway.collection_identity("default", name)
    assert found and found.id == id_of(gateway, name)


@pytest.mark.parametrize("code", [0, 100])
def test_collection_unknown_to_both_witnesses_is_not_there(
    chain: Chain, gateway: Gateway, code: int
) -> None:
    describes(chain, status={**NOT_THERE, "code": code})
    assert gateway.collection_identity("default", "no_such_collection") is None
    with pytest.raises(NotFound):
        gateway.collection("default", "no_such_collection")


def test_name_of_id_needs_both_witnesses(
    chain: Chain, gateway: Gateway, make_collection: Seeds
) -> None:
    name = make_collection()
    id_ = id_of(gateway, name)
    assert gateway.name_of("default", id_) == name
    describes(chain, status=NOT_THERE)
    with pytest.raises(Contradiction, match=f"lists id {id_} as {name}"):
        gateway.name_of("default", id_)


@pytest.mark.parametrize("there", [True, False], ids=["there", "gone"])
def test_name_of_id_ignores_an_answer_about_another_id(
    chain: Chain, gateway: Gateway, make_collection: Seeds, there: bool
) -> None:
    """From 2.5.18 on the id is looked up by the name that it had (issues #51253, #51313)."""
    name = make_collection()
    id_ = id_of(gateway, name) if there else 7
    describes(chain, collectionID=id_ + 1, schema={"name": name})
    assert gateway.name_of("default", id_) == (name if there else None)


def test_name_of_id_without_answers_by_id_uses_the_list(
    chain: Chain, gateway: Gateway, make_collection: Seeds
) -> None:
    name = make_collection()
    id_ = id_of(gateway, name)
    chain.relay.fail("DescribeCollection", grpc.StatusCode.PERMISSION_DENIED, "not by id")
    assert gateway.name_of("default", id_) == name
    assert gateway.name_of("default", 7) is None


@pytest.mark.parametrize(("code", "answered"), [(8, False), (1100, True)])
def test_name_of_id_refused_for_now_raises(
    chain: Chain, gateway: Gateway, code: int, answered: bool
) -> None:
    describes(chain, status={"code": code, "reason": "no"})
    if answered:  # there are none by id on this server: the list decides
        assert gateway.name_of("default", 7) is None
    else:
        with pytest.raises(MilvusRejected):
            gateway.name_of("default", 7)


def test_name_of_id_follows_a_move_to_another_database(
    chain: Chain, gateway: Gateway, make_collection: Seeds
) -> None:
    name, other = make_collection(), make_collection.database()
    id_ = id_of(gateway, name)
    make_collection.server.client().rename_collection(name, "moved", target_db=other, timeout=10)
    assert gateway.name_of("default", id_) == "moved"
    describes(chain, collectionID=1, schema={"name": name})  # as from 2.5.18 on
    assert gateway.name_of("default", id_) == "moved"


def test_witness_that_may_not_be_asked_is_no_proof(chain: Chain, gateway: Gateway) -> None:
    chain.relay.fail("ShowCollections", grpc.StatusCode.PERMISSION_DENIED, "no")
    with pytest.raises(Denied):
        gateway.collection_identity("default", "no_such_collection")
    with pytest.raises(Denied):
        gateway.name_of("default", 7)


def test_list_with_fewer_ids_than_names_contradicts(chain: Chain, gateway: Gateway) -> None:
    lists(chain, collection_names=["a", "b"], collection_ids=[1])
    with pytest.raises(Contradiction, match="2 names with 1"):
        gateway.identities("default")


# --- three answers at once ------------------------------------------------------------------------


@pytest.fixture
def dropped(chain: Chain, gateway: Gateway, make_collection: Seeds) -> tuple[str, int]:
    """The name and the id of a collection that was."""
    name = make_collection()
    id_ = id_of(gateway, name)
    chain.direct.client().drop_collection(name, timeout=10)
    return name, id_


def test_dropped_collection_is_gone_by_three_answers(
    chain: Chain, gateway: Gateway, dropped: tuple[str, int]
) -> None:
    lists_before, asked_before = (chain.relay.count(m) for m in ("ShowCollections", DESCRIBE))
    assert gateway.are_gone("default", *dropped)
    assert chain.relay.count("ShowCollections") == lists_before + 1
    assert chain.relay.count(DESCRIBE) == asked_before + 2


def test_collection_under_another_name_is_not_gone(
    chain: Chain, gateway: Gateway, make_collection: Seeds
) -> None:
    name = make_collection()
    id_ = id_of(gateway, name)
    chain.direct.client().rename_collection(name, make_collection.renamed(f"{name}_2"), timeout=10)
    assert not gateway.are_gone("default", name, id_)
    assert not gateway.are_gone("default", f"{name}_2", 7)


Witness = Callable[[Chain, str, int], None]
STILL_THERE: dict[str, Witness] = {
    "the name is listed": lambda chain, name, _: lists(
        chain, collection_names=[name], collection_ids=[7]
    ),
    "the id is listed": lambda chain, _, id_: lists(
        chain, collection_names=["other"], collection_ids=[id_]
    ),
    "a description": lambda chain, name, id_: describes(
        chain, collectionID=id_, schema={"name": name}
    ),
    "a description of another id": lambda chain, name, _: describes(
        chain, collectionID=7, schema={"name": "other"}
    ),
}


@pytest.mark.parametrize("witness", STILL_THERE.values(), ids=STILL_THERE)
def test_name_that_one_answer_still_knows_is_not_gone(
    chain: Chain, gateway: Gateway, dropped: tuple[str, int], witness: Witness
) -> None:
    witness(chain, *dropped)
    assert not gateway.are_gone("default", *dropped)


# --- many things ----------------------------------------------------------------------------------


def test_many_collections_share_the_lists_of_their_database(
    chain: Chain, gateway: Gateway, make_collection: Seeds
) -> None:
    names, before = [make_collection(), make_collection()], chain.relay.count("ShowCollections")
    many = gateway.for_many()
    found = [many.collection("default", name) for name in names]
    assert chain.relay.count("ShowCollections") == before + 2, "all of them, and those in memory"
    assert found == [gateway.collection("default", name) for name in names]


def test_collection_newer_than_the_shared_list_contradicts(
    gateway: Gateway, make_collection: Seeds
) -> None:
    many = gateway.for_many()
    many.collection("default", make_collection())
    with pytest.raises(Contradiction):
        many.collection("default", make_collection())


def test_shared_list_that_fails_is_asked_for_once(
    chain: Chain, gateway: Gateway, make_collection: Seeds
) -> None:
    name, many = make_collection(), gateway.for_many()
    chain.relay.fail("ShowCollections", grpc.StatusCode.PERMISSION_DENIED, "no")
    before = chain.relay.count("ShowCollections")
    for _ in range(2):
        with pytest.raises(Denied):
            many.collection("default", name)
    assert chain.relay.count("ShowCollections") == before + 2, "both kinds of list"


def test_reads_started_by_pooled_threads_do_not_deadlock() -> None:
    connection = Connection(Cluster(key="t", label="T", uri="http://127.0.0.1:1"))
    all_busy = Barrier(AT_ONCE)

    def read(number: int) -> int:
        all_busy.wait(timeout=20)
        return connection.start(lambda: number)()

    with ThreadPoolExecutor(1) as own:
        found = own.submit(connection.each, read, range(AT_ONCE)).result(timeout=30)
    assert found == list(range(AT_ONCE))
