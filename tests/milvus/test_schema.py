"""Schemas in words, also those of newer servers: the relay answers in their place."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from pymilvus import CollectionSchema, DataType
from pymilvus.grpc_gen import milvus_pb2 as pb
from pymilvus.grpc_gen import schema_pb2

from collections_app.audit import log
from collections_app.milvus.connection import Connection
from collections_app.milvus.gateway import Gateway
from collections_app.milvus.types import Cluster, CollectionDetail, Field
from tests.infra.chain import Chain
from tests.infra.seeds import Seeds

KEY = schema_pb2.FieldSchema(
    fieldID=100, name="id", data_type=schema_pb2.Int64, is_primary_key=True
)
Describe = Callable[..., CollectionDetail]


@pytest.fixture
def gateway(chain: Chain) -> Gateway:
    cluster = Cluster(key="t", label="T", uri=chain.uri, token=chain.token, read_timeout=2)
    return Gateway(Connection(cluster))


@pytest.fixture
def describe(chain: Chain, make_collection: Seeds, gateway: Gateway) -> Describe:
    """describe(field, ..., functions=...) is a real collection with that schema said of it."""
    name = make_collection()
    id_ = gateway.identities("default")[name].id

    def answered(*fields: schema_pb2.FieldSchema, **schema: Any) -> CollectionDetail:
        properties = schema.pop("collection_properties", [])
        reply = pb.DescribeCollectionResponse(
            schema=schema_pb2.CollectionSchema(name=name, fields=[KEY, *fields], **schema),
            collectionID=id_,
            collection_name=name,
            created_timestamp=1_700_000_000_123 << 18,
            properties=properties,
        )
        chain.relay.answer("DescribeCollection", lambda _: reply.SerializeToString())
        return gateway.collection("default", name)

    return answered


def field(name: str, type_: int, **more: Any) -> schema_pb2.FieldSchema:
    params = [{"key": k, "value": str(v)} for k, v in more.pop("params", {}).items()]
    return schema_pb2.FieldSchema(name=name, data_type=type_, type_params=params, **more)


def only(found: CollectionDetail) -> Field:
    """The one field beside the key."""
    (_, other) = found.fields
    return other


def test_schema_names_every_type(describe: Describe) -> None:
    known = [t for t in DataType if t is not DataType.UNKNOWN]
    found = describe(*(field(f"f{t.value}", t.value) for t in known))
    shown = {f.name: f.type for f in found.fields[1:]}
    assert len(shown) == len(known) > 20
    assert shown["f5"] == "INT64"
    assert shown["f25"] == "TEXT"
    assert shown["f104"] == "SPARSE_FLOAT_VECTOR"
    assert shown["f106"] == "ARRAY_OF_VECTOR"
    assert shown["f200"] == "ARRAY_OF_STRUCT"
    assert all(name == name.strip("_ ") and not name.isdigit() for name in shown.values())
    json.dumps(found.snapshot)


@pytest.mark.parametrize(
    ("element", "params", "type_", "notes"),
    [
        (DataType.INT8, {"max_capacity": 3}, "ARRAY of INT8", ("max_capacity 3",)),
        (
            DataType.VARCHAR,
            {"max_capacity": 3, "max_length": 9},
            "ARRAY of VARCHAR",
            ("max_capacity 3", "max_length 9"),
        ),
    ],
)
def test_schema_array_says_its_element_type(
    describe: Describe, element: int, params: dict[str, int], type_: str, notes: tuple[str, ...]
) -> None:
    found = only(describe(field("a", DataType.ARRAY, element_type=element, params=params)))
    assert (found.type, found.notes) == (type_, notes)


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("is_partition_key", "partition key"),
        ("is_clustering_key", "clustering key"),
        ("is_dynamic", "dynamic"),
        ("nullable", "nullable"),
        ("autoID", "automatic ids"),
    ],
)
def test_schema_flag_is_a_note(describe: Describe, flag: str, words: str) -> None:
    assert only(describe(field("f", DataType.INT64, **{flag: True}))).notes == (words,)
    assert only(describe(field("f", DataType.INT64))).notes == ()


def test_schema_partition_key_is_named(describe: Describe) -> None:
    found = describe(field("tenant", DataType.VARCHAR, is_partition_key=True))
    assert found.partition_key == "tenant"


@pytest.mark.parametrize(
    ("type_", "value", "plain"),
    [
        (DataType.BOOL, {"bool_data": False}, False),
        (DataType.INT32, {"int_data": 0}, 0),
        (DataType.INT64, {"long_data": 9_007_199_254_740_993}, 9_007_199_254_740_993),
        (DataType.FLOAT, {"float_data": 0.5}, 0.5),
        (DataType.DOUBLE, {"double_data": -1.25}, -1.25),
        (DataType.VARCHAR, {"string_data": ""}, ""),
        (DataType.VARCHAR, {"string_data": "<é\n>"}, "<é\n>"),
        (DataType.JSON, {"bytes_data": b'{"a":1}'}, '{"a":1}'),
    ],
    ids=str,
)
def test_schema_default_value_is_shown_and_kept(
    describe: Describe, type_: int, value: dict[str, Any], plain: object
) -> None:
    found = describe(field("f", type_, default_value=schema_pb2.ValueField(**value)))
    assert only(found).notes == (f"default {plain}",)
    kept = json.loads(json.dumps(found.snapshot))["describe"]["fields"][1]["default_value"]
    assert (type(kept), kept) == (type(plain), plain)


def test_snapshot_default_value_recreates_the_same_field(describe: Describe) -> None:
    default = schema_pb2.ValueField(string_data="unnamed")
    title = field("t", DataType.VARCHAR, default_value=default, params={"max_length": 9})
    vector = field("v", DataType.FLOAT_VECTOR, params={"dim": 4})
    found = describe(title, vector)
    snapshot = json.loads(json.dumps(found.snapshot))
    rebuilt = CollectionSchema.construct_from_dict(snapshot["describe"])
    assert {f.name: f.default_value for f in rebuilt.fields}["t"] == default


def test_schema_field_without_a_default_has_no_note(describe: Describe) -> None:
    found = describe(field("f", DataType.INT64, default_value=schema_pb2.ValueField()))
    assert only(found).notes == ()


def test_schema_struct_shows_its_parts(describe: Describe) -> None:
    vectors = field(
        "chunks[vec]",
        DataType._ARRAY_OF_VECTOR,
        element_type=DataType.FLOAT_VECTOR,
        params={"dim": 768, "max_capacity": 64},
    )
    texts = field(
        "chunks[text]",
        DataType.ARRAY,
        element_type=DataType.VARCHAR,
        nullable=True,
        description="one sentence",
        params={"max_length": 400, "max_capacity": 64},
    )
    struct = schema_pb2.StructArrayFieldSchema(
        name="chunks", description="pieces of the text", fields=[texts, vectors], nullable=True
    )
    found = describe(struct_array_fields=[struct])
    assert only(found) == Field(
        name="chunks",
        type="ARRAY of STRUCT",
        description="pieces of the text",
        notes=("nullable", "max_capacity 64"),
        fields=(
            Field(
                name="text",
                type="VARCHAR",
                description="one sentence",
                notes=("nullable", "max_length 400"),
            ),
            Field(name="vec", type="FLOAT_VECTOR", description="", notes=("dim 768",)),
        ),
    )
    kept = json.loads(json.dumps(found.snapshot))["describe"]
    (rebuilt,) = CollectionSchema.construct_from_dict(kept).struct_fields
    assert [(part.name, part.dtype) for part in rebuilt.fields] == [
        ("text", DataType.VARCHAR),
        ("vec", DataType.FLOAT_VECTOR),
    ]


def test_schema_function_is_shown_from_input_to_output(describe: Describe) -> None:
    bm25 = schema_pb2.FunctionSchema(
        name="bm25",
        type=schema_pb2.FunctionType.BM25,
        input_field_names=["title", "body"],
        output_field_names=["sparse"],
    )
    found = describe(field("sparse", DataType.SPARSE_FLOAT_VECTOR), functions=[bm25])
    assert found.functions == ("bm25 (BM25): title, body → sparse",)
    assert only(found).notes == ("made by a function",)
    assert json.loads(json.dumps(found.snapshot))["describe"]["functions"][0]["name"] == "bm25"


def test_schema_shows_the_facts_of_the_collection(describe: Describe) -> None:
    found = describe(
        description="<b>what it is for</b>",
        enable_dynamic_field=True,
        collection_properties=[{"key": "collection.ttl.seconds", "value": "60"}],
    )
    assert found.description == "<b>what it is for</b>"
    assert found.dynamic_fields
    assert found.properties == {"collection.ttl.seconds": "60"}
    assert found.identity.created_ms == 1_700_000_000_123


def test_snapshot_is_valid_for_the_audit_log(describe: Describe) -> None:
    """The log's own JSON is stricter than json.dumps."""
    default = schema_pb2.ValueField(double_data=0.1)
    found = describe(
        field("f", DataType.DOUBLE, default_value=default, description="ü\0\ud7ff"),
        functions=[schema_pb2.FunctionSchema(name="f", type=schema_pb2.FunctionType.Rerank)],
    )
    text = log.canonical(dict(found.snapshot))
    assert json.loads(text) == found.snapshot


@pytest.mark.parametrize(
    ("newer", "type_"),
    [
        (field("f", 28), "type 28"),
        (field("f", 777), "type 777"),
        (field("f", DataType.ARRAY, element_type=777), "ARRAY of type 777"),
    ],
    ids=["28", "777", "element"],
)
def test_schema_type_newer_than_pymilvus_is_shown_by_number(
    describe: Describe, newer: schema_pb2.FieldSchema, type_: str
) -> None:
    found = describe(newer)
    assert only(found).type == type_
    assert found.snapshot["raw"]["schema"]["fields"][1]["name"] == "f"


def test_schema_function_newer_than_pymilvus_is_shown_by_number(describe: Describe) -> None:
    newer = schema_pb2.FunctionSchema(
        name="mol", type=5, input_field_names=["m"], output_field_names=["fp"]
    )
    found = describe(field("fp", DataType.BINARY_VECTOR), functions=[newer])
    assert found.functions == ("mol (type 5): m → fp",)


def test_schema_external_column_is_named(describe: Describe) -> None:
    found = describe(field("f", DataType.INT64, external_field="year"), external_source="s3://b/k")
    assert only(found).notes == ("from column year",)


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
def test_snapshot_default_without_json_form_is_recorded(describe: Describe, number: float) -> None:
    default = schema_pb2.ValueField(float_data=number)
    found = describe(field("weight", DataType.FLOAT, default_value=default))
    fields = json.loads(log.canonical(dict(found.snapshot)))["describe"]["fields"]
    kept = {item["name"]: item for item in fields}["weight"]
    assert float(kept["default_value"]) == pytest.approx(number, nan_ok=True)
