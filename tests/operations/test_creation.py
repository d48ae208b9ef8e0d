"""A collection that is created again from its drop's snapshot is what the dropped one was.

Compared by pymilvus' own description, on the real 2.3.5 and on Milvus Lite, for all that they take.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from pymilvus import CollectionSchema, DataType, Function, FunctionType, MilvusClient

from collections_app import clusters
from collections_app.access.policy import Action
from collections_app.audit.log import Outcome
from collections_app.audit.queries import Event
from collections_app.milvus.errors import NotFound
from collections_app.milvus.types import Kind, Target
from collections_app.models import AuditEvent, Claim
from collections_app.operations.confirmation import under_name
from collections_app.operations.kinds import OPERATIONS
from collections_app.operations.protocol import OperationRejected
from tests.fixtures import actor
from tests.infra.milvus_server import MilvusServer
from tests.infra.seeds import FAILED, Seeds, unique_name
from tests.operations.conftest import carry_out, consent, target_in

pytestmark = pytest.mark.django_db(transaction=True)

PASSING = {
    "collection_id",
    "collection_name",
    "created_timestamp",
    "created_utc_timestamp",
    "update_timestamp",
    "aliases",
}
CREATOR = actor("ada", ("operator", "creator"))
ELEMENTS = ("BOOL", "INT8", "INT16", "INT32", "INT64", "FLOAT", "DOUBLE")
SCALARS = (*ELEMENTS, "JSON")
SORTED = "STL_SORT"  # Milvus Lite has INVERTED only


@dataclass(frozen=True)
class Case:
    """A collection to make: its fields, and what create_collection takes besides."""

    fields: list[tuple[str, DataType, dict[str, Any]]]
    options: dict[str, Any] = field(default_factory=dict)
    indexes: list[dict[str, Any]] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    partitions: tuple[str, ...] = ()
    dynamic: bool = False
    lite_lacks_it: bool = False  # Milvus Lite has no such field

    def make(self, client: MilvusClient, name: str, *, sorted_by: str = SORTED) -> None:
        client.create_collection(name, schema=self._schema(), timeout=30, **self.options)
        for partition in self.partitions:
            client.create_partition(name, partition, timeout=30)
        params = client.prepare_index_params()
        for index in self.indexes:
            kind = sorted_by if index["index_type"] == SORTED else index["index_type"]
            params.add_index(**{**index, "index_type": kind})
        if self.indexes:
            client.create_index(name, params, timeout=60)

    def _schema(self) -> CollectionSchema:
        schema = MilvusClient.create_schema(
            enable_dynamic_field=self.dynamic, description="what “people” read"
        )
        for name, kind, options in self.fields:
            schema.add_field(name, kind, **options)
        for function in self.functions:
            schema.add_function(function)
        return schema


KEY = ("id", DataType.INT64, {"is_primary": True, "description": "the key"})
VECTOR = ("v", DataType.FLOAT_VECTOR, {"dim": 4})
TEXT = ("text", DataType.VARCHAR, {"max_length": 90, "enable_analyzer": True})
SPARSE = ("sparse", DataType.SPARSE_FLOAT_VECTOR, {})


def array(element: str, **options: Any) -> tuple[str, DataType, dict[str, Any]]:
    inside = {"element_type": getattr(DataType, element), "max_capacity": 7, **options}
    return f"many_{element.lower()}", DataType.ARRAY, inside


CASES = {
    "everything": Case(
        [
            KEY,
            VECTOR,
            *((f"one_{kind.lower()}", getattr(DataType, kind), {}) for kind in SCALARS),
            ("name", DataType.VARCHAR, {"max_length": 77, "description": "as “called”"}),
            *map(array, ELEMENTS),
            array("VARCHAR", max_length=5),
            ("maybe", DataType.INT64, {"nullable": True}),
            ("five", DataType.INT64, {"default_value": 5}),
            ("word", DataType.VARCHAR, {"max_length": 9, "default_value": "none"}),
            ("mapped", DataType.INT32, {"mmap_enabled": True}),
        ],
        options={
            "num_shards": 2,
            "consistency_level": "Session",
            "properties": {"collection.ttl.seconds": 86400},
        },
        indexes=[
            {
                "field_name": "v",
                "index_name": "by_meaning",
                "index_type": "HNSW",
                "metric_type": "COSINE",
                "params": {"M": 16, "efConstruction": 64},
            },
            {"field_name": "one_int64", "index_name": "by_number", "index_type": SORTED},
        ],
        partitions=("novels", "2024"),
        dynamic=True,
    ),
    "plain": Case([KEY, VECTOR], options={"consistency_level": "Strong"}),
    "automatic ids": Case([("id", DataType.INT64, {"is_primary": True, "auto_id": True}), VECTOR]),
    "text key": Case([("id", DataType.VARCHAR, {"is_primary": True, "max_length": 9}), VECTOR]),
    "automatic text key": Case(
        [("id", DataType.VARCHAR, {"is_primary": True, "max_length": 9, "auto_id": True}), VECTOR],
        lite_lacks_it=True,
    ),
    "partition key": Case(
        [KEY, VECTOR, ("who", DataType.VARCHAR, {"max_length": 9, "is_partition_key": True})],
        options={"num_partitions": 5},
    ),
    "clustering key": Case([KEY, VECTOR, ("day", DataType.INT64, {"is_clustering_key": True})]),
    "binary": Case(
        [KEY, ("v", DataType.BINARY_VECTOR, {"dim": 16})],
        indexes=[{"field_name": "v", "index_type": "BIN_FLAT", "metric_type": "HAMMING"}],
        lite_lacks_it=True,
    ),
    "float16": Case(
        [KEY, ("v", DataType.FLOAT16_VECTOR, {"dim": 4})],
        indexes=[{"field_name": "v", "index_type": "FLAT", "metric_type": "L2"}],
        lite_lacks_it=True,
    ),
    "bfloat16": Case([KEY, ("v", DataType.BFLOAT16_VECTOR, {"dim": 4})], lite_lacks_it=True),
    "sparse": Case([KEY, SPARSE]),
    "function": Case(
        [KEY, TEXT, SPARSE],
        functions=[
            Function(
                name="bm25",
                function_type=FunctionType.BM25,
                input_field_names=["text"],
                output_field_names=["sparse"],
            )
        ],
    ),
}


@dataclass(frozen=True)
class Place:
    """A server, with short ways to make things on it and to read them, past the application."""

    client: MilvusClient
    is_lite: bool
    seeds: Seeds | None

    def name(self) -> str:
        name = unique_name()
        return self.seeds.renamed(name) if self.seeds else name

    def make(self, case: Case) -> Target:
        name = self.name()
        case.make(self.client, name, sorted_by="INVERTED" if self.is_lite else SORTED)
        return target_in(name, Kind.COLLECTION)

    def seen(self, name: str) -> dict[str, Any]:
        described = self.client.describe_collection(name, timeout=10)
        indexes = self.client.list_indexes(name, timeout=10)
        return {
            "describe": {k: v for k, v in described.items() if k not in PASSING},
            "partitions": sorted(self.client.list_partitions(name, timeout=10)),
            "indexes": {i: self.client.describe_index(name, i, timeout=10) for i in indexes},
        }


@pytest.fixture
def on_real(real: clusters.Milvus, milvus_server: MilvusServer, make_collection: Seeds) -> Place:
    return Place(client=milvus_server.client(), is_lite=False, seeds=make_collection)


@pytest.fixture
def on_lite(lite: clusters.Milvus, lite_server: MilvusServer) -> Place:
    return Place(client=lite_server.client(), is_lite=True, seeds=None)


@pytest.fixture(params=["on_real", "on_lite"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    found: Place = request.getfixturevalue(request.param)
    yield found


def dropped(target: Target) -> Target:
    """Drop it; what a creation from that drop, under the same name, is aimed at."""
    drop = consent(target)
    assert carry_out(drop) is Outcome.SUCCEEDED
    return Target(
        cluster=target.cluster,
        database=target.database,
        kind=Kind.NEW,
        collection=target.collection,
        name=str(drop.operation_id),
    )


def create(new: Target) -> Outcome:
    return carry_out(consent(new, Action.CREATE, CREATOR), CREATOR)


def last_details() -> dict[str, Any]:
    row = AuditEvent.objects.filter(action=Action.CREATE).order_by("sequence").last()
    assert row
    return Event.of(row).details


WHERE = [("on_real", name) for name in CASES]
WHERE += [("on_lite", name) for name, case in CASES.items() if not case.lite_lacks_it]


@pytest.mark.parametrize(("place", "name"), WHERE, indirect=["place"])
def test_created_collection_is_what_the_dropped_one_was(name: str, place: Place) -> None:
    target = place.make(CASES[name])
    before = place.seen(target.name)
    new = dropped(target)
    with suppress(*FAILED):
        assert not place.client.has_collection(target.name, timeout=10)

    creation = consent(new, Action.CREATE, CREATOR)
    assert carry_out(creation, CREATOR, reason="a mistake") is Outcome.SUCCEEDED

    assert place.seen(target.name) == before
    assert not Claim.objects.exists()
    details = last_details()
    assert details["made"]["missing"] == []
    assert "Not as in the snapshot" not in details["seen"]
    raw = details["made"]["snapshot"]["raw"]
    assert raw["schema"]["name"] == target.name


def test_everything_that_a_case_asks_for_is_on_the_real_server(on_real: Place) -> None:
    """So that equal does not mean equally poor."""
    target = on_real.make(CASES["everything"])
    assert create(dropped(target)) is Outcome.SUCCEEDED
    seen = on_real.seen(target.name)
    described = seen["describe"]
    assert len(described["fields"]) == len(CASES["everything"].fields)
    assert described["num_shards"] == 2
    assert described["consistency_level_name"] == "Session"
    assert described["enable_dynamic_field"]
    assert described["properties"] == {"collection.ttl.seconds": "86400"}
    assert seen["partitions"] == ["2024", "_default", "novels"]
    assert set(seen["indexes"]) == {"by_meaning", "by_number"}


def test_creation_under_another_name_leaves_the_old_one_free(place: Place) -> None:
    target = place.make(CASES["plain"])
    before, new, name = place.seen(target.name), dropped(target), place.name()
    creation = consent(new, Action.CREATE, CREATOR)
    assert carry_out(under_name(creation, name), CREATOR) is Outcome.SUCCEEDED
    assert place.seen(name) == before
    assert not place.client.has_collection(target.name, timeout=10)
    row = AuditEvent.objects.filter(action=Action.CREATE, phase="intent").get()
    assert (row.collection, row.kind, row.name) == (name, "new collection", new.name)


@pytest.mark.parametrize("taken_by", ["collection", "alias"])
def test_creation_under_a_taken_name_is_blocked(taken_by: str, place: Place) -> None:
    target = place.make(CASES["plain"])
    new = dropped(target)
    creation = consent(new, Action.CREATE, CREATOR)
    if taken_by == "alias":
        other = place.make(CASES["plain"])
        place.client.create_alias(other.name, target.name, timeout=10)
    else:
        CASES["plain"].make(place.client, target.name)
    with pytest.raises(OperationRejected) as problem:
        carry_out(creation, CREATOR)
    assert problem.value.outcome is Outcome.BLOCKED
    assert "has this name" in str(problem.value)
    if taken_by == "alias":
        place.client.drop_alias(target.name, timeout=10)


def test_creation_needs_a_drop_that_succeeded(on_lite: Place) -> None:
    target = on_lite.make(CASES["plain"])
    new = dropped(target)
    gateway = clusters.get("main").gateway
    for name in ("", "nonsense", "00000000-0000-0000-0000-000000000000"):
        with pytest.raises(NotFound):
            OPERATIONS[Action.CREATE].read_state(gateway, replace(new, name=name))
    with pytest.raises(NotFound):
        OPERATIONS[Action.CREATE].read_state(gateway, replace(new, database="other"))
