"""The snapshot in the audit log is enough to recreate the empty collection."""

import json
from typing import Any

import pytest
from pymilvus import CollectionSchema, DataType, MilvusClient

from collections_app.milvus.connection import Connection
from collections_app.milvus.destroy import Destroyer
from collections_app.milvus.gateway import Gateway
from collections_app.milvus.types import Cluster
from tests.infra.milvus_server import MilvusServer
from tests.infra.seeds import Seeds

PASSING = {"collection_id", "created_timestamp", "update_timestamp", "aliases"}
NAME = "library"


def make(client: MilvusClient) -> None:
    """A collection that uses about all that 2.3.5 lets one choose."""
    schema = client.create_schema(enable_dynamic_field=True, description="what “people” read")
    schema.add_field("isbn", DataType.VARCHAR, max_length=17, is_primary=True, description="key")
    schema.add_field("year", DataType.INT64)
    schema.add_field("facts", DataType.JSON)
    schema.add_field(
        "tags", DataType.ARRAY, element_type=DataType.VARCHAR, max_capacity=9, max_length=40
    )
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=8, description="of the blurb")
    client.create_collection(
        NAME,
        schema=schema,
        num_shards=2,
        consistency_level="Session",
        properties={"collection.ttl.seconds": 86400},
        timeout=30,
    )
    for partition in ("novels", "2024"):
        client.create_partition(NAME, partition, timeout=30)
    index = client.prepare_index_params()
    index.add_index(
        "vector",
        index_type="HNSW",
        index_name="by_blurb",
        metric_type="COSINE",
        params={"M": 16, "efConstruction": 64},
    )
    index.add_index("year", index_type="STL_SORT", index_name="by_year")
    client.create_index(NAME, index, timeout=60)


def make_again(client: MilvusClient, snapshot: dict[str, Any]) -> None:
    """As docs/milvus.md tells the operator to."""
    described = snapshot["describe"]
    client.create_collection(
        described["collection_name"],
        schema=CollectionSchema.construct_from_dict(described),
        num_shards=described["num_shards"],
        consistency_level=described["consistency_level"],
        properties=described["properties"],
        timeout=30,
    )
    for partition in snapshot["partitions"]:
        if partition != "_default":
            client.create_partition(described["collection_name"], partition, timeout=30)
    params = client.prepare_index_params()
    for index in snapshot["indexes"]:
        options = dict(index["params"])
        top = {k: options.pop(k) for k in ("index_type", "metric_type") if k in options}
        inner = json.loads(options.pop("params", "{}"))
        params.add_index(
            index["field_name"], index_name=index["index_name"], **top, params=inner | options
        )
    client.create_index(described["collection_name"], params, timeout=60)


def seen(client: MilvusClient) -> dict[str, Any]:
    """The collection in pymilvus' own words: an eye that is not ours."""
    described = client.describe_collection(NAME, timeout=10)
    names = client.list_indexes(NAME, timeout=10)
    return {
        "describe": {k: v for k, v in described.items() if k not in PASSING},
        "partitions": sorted(client.list_partitions(NAME, timeout=10)),
        "indexes": {name: client.describe_index(NAME, name, timeout=10) for name in sorted(names)},
    }


@pytest.fixture
def gateway_and_destroyer(milvus_server: MilvusServer) -> tuple[Gateway, Destroyer]:
    cluster = Cluster(key="t", label="T", uri=milvus_server.uri, token=milvus_server.token)
    connection = Connection(cluster)
    return Gateway(connection), Destroyer(connection)


def test_snapshot_from_the_log_recreates_the_collection(
    gateway_and_destroyer: tuple[Gateway, Destroyer],
    milvus_server: MilvusServer,
    make_collection: Seeds,
) -> None:
    gateway, destroyer = gateway_and_destroyer
    database = make_collection.database()
    client = milvus_server.client(database)
    make(client)
    client.create_alias(NAME, "shelf", timeout=10)
    before = seen(client)
    log = json.dumps(gateway.collection(database, NAME).snapshot)
    destroyer.drop_alias(database, "shelf")
    destroyer.drop_collection(database, NAME)
    assert gateway.collection_identity(database, NAME) is None

    make_again(client, json.loads(log))

    after = seen(client)
    assert after == before
    assert after["describe"]["num_shards"] == 2
    assert after["describe"]["consistency_level_name"] == "Session"
    assert after["describe"]["enable_dynamic_field"]
    assert after["describe"]["properties"] == {"collection.ttl.seconds": "86400"}
    assert after["partitions"] == ["2024", "_default", "novels"]
    assert set(after["indexes"]) == {"by_blurb", "by_year"}
    assert after["indexes"]["by_blurb"]["M"] == "16"
    assert json.loads(log)["aliases"] == ["shelf"]
    assert json.loads(log)["unavailable"] == {}


def test_snapshot_keeps_the_partition_key(
    gateway_and_destroyer: tuple[Gateway, Destroyer],
    milvus_server: MilvusServer,
    make_collection: Seeds,
) -> None:
    gateway, _ = gateway_and_destroyer
    database = make_collection.database()
    make_collection(NAME, database=database, partition_key=True)
    log = json.dumps(gateway.collection(database, NAME).snapshot)
    described = json.loads(log)["describe"]
    schema = CollectionSchema.construct_from_dict(described)
    assert [f.name for f in schema.fields if f.is_partition_key] == ["tenant"]
    assert described["num_partitions"] == 64


def test_snapshot_without_an_index_has_an_empty_list(
    gateway_and_destroyer: tuple[Gateway, Destroyer], make_collection: Seeds
) -> None:
    """Milvus answers this with an error."""
    gateway, _ = gateway_and_destroyer
    found = gateway.collection("default", make_collection())
    assert found.indexes == ()
    assert found.snapshot["indexes"] == []
    assert "indexes" not in found.snapshot["unavailable"]


@pytest.mark.parametrize(("loaded", "kept"), [(True, ("Loaded", 1)), (False, ("Not loaded", 0))])
def test_snapshot_has_load_state_and_replicas(
    loaded: bool,
    kept: tuple[str, int],
    gateway_and_destroyer: tuple[Gateway, Destroyer],
    make_collection: Seeds,
) -> None:
    gateway, _ = gateway_and_destroyer
    snapshot = gateway.collection("default", make_collection(loaded=loaded)).snapshot
    assert (snapshot["load"], snapshot["replicas"]) == kept
    assert snapshot["unavailable"] == {}
