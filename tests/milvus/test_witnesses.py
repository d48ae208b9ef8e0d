"""Two answers of Milvus have to agree. The relay gives the one that does not."""

from collections.abc import Callable, Iterator

import grpc
import pytest
from pymilvus.grpc_gen import milvus_pb2 as pb

from collections_app.milvus.connection import Connection
from collections_app.milvus.errors import Contradiction, Denied, MilvusRejected, NotFound
from collections_app.milvus.gateway import Gateway
from collections_app.milvus.types import Cluster
from tests.infra.chain import Chain, chain_to
from tests.infra.milvus_server import MilvusServer
from tests.infra.seeds import Seeds

NOT_THERE = {"code": 0, "error_code": "CollectionNotExists", "reason": "can't find collection"}


@pytest.fixture(scope="module")
def chain(milvus_server: MilvusServer) -> Iterator[Chain]:
    with chain_to(milvus_server) as made:
        yield made


@pytest.fixture
def gateway(chain: Chain) -> Iterator[Gateway]:
    cluster = Cluster(key="t", label="T", uri=chain.uri, token=chain.token, read_timeout=2)
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
