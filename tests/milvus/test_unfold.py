"""Any DescribeCollection reply is unfolded, and a known one as pymilvus does it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from pymilvus import CollectionSchema, DataType, Function, FunctionType, MilvusClient
from pymilvus.client.abstract import CollectionSchema as PymilvusSchema
from pymilvus.client.utils import convert_struct_fields_to_user_format
from pymilvus.grpc_gen import milvus_pb2 as pb
from pymilvus.grpc_gen import schema_pb2

from collections_app.audit import log
from collections_app.milvus import schema, unfold
from collections_app.milvus.types import Load
from tests.infra.milvus_server import MilvusServer
from tests.infra.seeds import Seeds, unique_name

Reply = pb.DescribeCollectionResponse
UNKNOWN_FIELD = b"\xf8\x07\x05\xfa\x07\x06hunter"  # field 127: a 5, and a text
VECTORS = ["FLOAT_VECTOR", "BINARY_VECTOR", "FLOAT16_VECTOR", "BFLOAT16_VECTOR"]
SCALARS = ["BOOL", "INT8", "INT16", "INT32", "INT64", "FLOAT", "DOUBLE", "JSON"]


def by_pymilvus(reply: pb.DescribeCollectionResponse) -> dict[str, Any]:
    """As MilvusClient.describe_collection unfolds it."""
    found: dict[str, Any] = PymilvusSchema(raw=reply).dict()
    found["fields"] += convert_struct_fields_to_user_format(found.pop("struct_array_fields"))
    return found


def described(client: MilvusClient, name: str) -> pb.DescribeCollectionResponse:
    request = pb.DescribeCollectionRequest(collection_name=name)
    stub = client._get_connection()._stub
    metadata = [("dbname", client._config.db_name or "default")]
    return stub.DescribeCollection(request, timeout=10, metadata=metadata)


def pairs(**params: str) -> list[dict[str, str]]:
    return [{"key": key.replace("__", "."), "value": value} for key, value in params.items()]


# --- as pymilvus ----------------------------------------------------------------------------------


def of_real_milvus(client: MilvusClient) -> CollectionSchema:
    made = client.create_schema(enable_dynamic_field=True, description="all that 2.3.5 has")
    made.add_field("id", DataType.VARCHAR, max_length=17, is_primary=True, description="key")
    made.add_field("tenant", DataType.INT64, is_partition_key=True)
    for name in SCALARS:
        made.add_field(name.lower(), DataType[name])
    made.add_field("ints", DataType.ARRAY, element_type=DataType.INT32, max_capacity=9)
    made.add_field(
        "tags", DataType.ARRAY, element_type=DataType.VARCHAR, max_capacity=9, max_length=40
    )
    made.add_field("vector", DataType.FLOAT_VECTOR, dim=8)
    return made


def of_lite(client: MilvusClient) -> CollectionSchema:
    made = client.create_schema(enable_dynamic_field=True)
    made.add_field("id", DataType.INT64, is_primary=True, auto_id=True)
    for name in (*SCALARS, "GEOMETRY", "TIMESTAMPTZ"):
        made.add_field(name.lower(), DataType[name], nullable=True)
    made.add_field("text", DataType.VARCHAR, max_length=20, default_value="x", enable_analyzer=True)
    made.add_field(
        "tags", DataType.ARRAY, element_type=DataType.VARCHAR, max_capacity=4, max_length=9
    )
    made.add_field("vector", DataType.FLOAT_VECTOR, dim=8)
    made.add_field("sparse", DataType.SPARSE_FLOAT_VECTOR)
    made.add_function(Function("bm25", FunctionType.BM25, ["text"], ["sparse"]))
    return made


def test_unfold_of_a_real_collection_equals_pymilvus(
    milvus_server: MilvusServer, make_collection: Seeds
) -> None:
    database = make_collection.database()
    client, name = milvus_server.client(database), unique_name()
    client.create_collection(
        name,
        schema=of_real_milvus(client),
        num_shards=2,
        consistency_level="Session",
        properties={"collection.ttl.seconds": 86400, "mmap.enabled": True},
        timeout=30,
    )
    client.create_alias(name, unique_name("a"), timeout=10)
    found = unfold.unfold(described(client, name))
    assert found == client.describe_collection(name, timeout=10)
    assert found["fields"][0]["params"] == {"max_length": 17}
    client.drop_alias(found["aliases"][0], timeout=10)


@pytest.mark.parametrize("kind", VECTORS)
def test_unfold_of_a_real_vector_equals_pymilvus(
    milvus_server: MilvusServer, make_collection: Seeds, kind: str
) -> None:
    client, name = milvus_server.client(make_collection.database()), unique_name()
    made = client.create_schema(auto_id=True)
    made.add_field("id", DataType.INT64, is_primary=True)
    made.add_field("vector", DataType[kind], dim=16)
    client.create_collection(name, schema=made, timeout=30)
    found = unfold.unfold(described(client, name))
    assert found == client.describe_collection(name, timeout=10)
    assert found["fields"][1]["params"] == {"dim": 16}


def test_unfold_of_a_lite_collection_equals_pymilvus(
    lite_server: MilvusServer,
) -> None:
    client = lite_server.client()
    client.create_collection("all", schema=of_lite(client))
    found = unfold.unfold(described(client, "all"))
    assert found == client.describe_collection("all")
    assert len(found["fields"]) > 14
    assert found["auto_id"]


KNOWN_FIELDS = {
    "every type": [
        schema_pb2.FieldSchema(name=t.name, data_type=t, type_params=pairs(dim="4"))
        for t in DataType
        if t is not DataType.UNKNOWN
    ],
    "every element": [
        schema_pb2.FieldSchema(
            name=t.name,
            data_type=DataType.ARRAY,
            element_type=t,
            type_params=pairs(max_capacity="4", max_length="9"),
        )
        for t in DataType
        if t is not DataType.UNKNOWN
    ],
    "every flag": [
        schema_pb2.FieldSchema(name=flag, data_type=DataType.INT64, **{flag: True})
        for flag, descriptor in schema_pb2.FieldSchema.DESCRIPTOR.fields_by_name.items()
        if descriptor.type == FieldDescriptor.TYPE_BOOL
    ],
    "parameters": [
        schema_pb2.FieldSchema(name="p", data_type=DataType.VARCHAR, type_params=parameters)
        for parameters in (
            pairs(max_length="9", mmap__enabled="true", analyzer_params='{"type": "english"}'),
            pairs(mmap__enabled="False", max_capacity="4", params='{"a": [1, null, "x"]}'),
        )
    ],
    "default": [
        schema_pb2.FieldSchema(
            name="d", data_type=DataType.INT64, default_value=schema_pb2.ValueField(long_data=0)
        )
    ],
    "column": [schema_pb2.FieldSchema(name="c", data_type=DataType.INT64, external_field="c")],
}


@pytest.mark.parametrize("fields", KNOWN_FIELDS.values(), ids=KNOWN_FIELDS.keys())
def test_unfold_of_a_known_reply_equals_pymilvus(
    fields: list[schema_pb2.FieldSchema],
) -> None:
    functions = [
        schema_pb2.FunctionSchema(
            name=t.name,
            type=t,
            input_field_names=["a"],
            output_field_names=["p"],
            output_field_ids=[7],
            params=pairs(provider="openai", credential="apikey1"),
        )
        for t in FunctionType
    ]
    for level in range(5):
        reply = Reply(
            schema={"name": "all", "fields": fields, "functions": functions, "version": 3},
            collection_name="all",
            collectionID=42,
            created_timestamp=1,
            update_timestamp=2,
            consistency_level=level,
            properties=pairs(timezone="Asia/Tokyo"),
        )
        assert unfold.unfold(reply) == by_pymilvus(reply)


def test_unfold_of_a_struct_adds_what_pymilvus_leaves_out() -> None:
    inner = schema_pb2.FieldSchema(
        fieldID=102,
        name="s[e]",
        data_type=DataType._ARRAY_OF_VECTOR,
        element_type=DataType.FLOAT_VECTOR,
        nullable=True,
        type_params=pairs(dim="768", max_capacity="5"),
    )
    struct = schema_pb2.StructArrayFieldSchema(
        fieldID=101,
        name="s",
        fields=[inner],
        nullable=True,
        type_params=pairs(mmap__enabled="true"),
    )
    reply = Reply(schema={"name": "all", "struct_array_fields": [struct]})
    (ours,), (theirs,) = unfold.unfold(reply)["fields"], by_pymilvus(reply)["fields"]
    assert ours["params"] == theirs["params"] | {"mmap_enabled": True}
    assert ours["struct_fields"] == [theirs["struct_fields"][0] | {"nullable": True}]
    rest = {"params", "struct_fields"}
    assert {k: v for k, v in ours.items() if k not in rest} == {
        k: v for k, v in theirs.items() if k not in rest
    }


# --- whatever comes -------------------------------------------------------------------------------

ODD_FIELDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "type": ({"data_type": 28}, {"type": 28}),
    "element": ({"data_type": 22, "element_type": 777}, {"element_type": 777}),
    "null": (
        {"data_type": 21, "type_params": pairs(max_length="null")},
        {"params": {"max_length": "null"}},
    ),
    "empty": ({"data_type": 101, "type_params": pairs(dim="")}, {"params": {"dim": ""}}),
    "capacity": (
        {"data_type": 22, "type_params": pairs(max_capacity="many")},
        {"params": {"max_capacity": "many"}},
    ),
    "longer than Python reads": (
        {"data_type": 101, "type_params": pairs(dim="9" * 5000)},
        {"params": {"dim": "9" * 5000}},
    ),
    "no JSON": ({"type_params": pairs(params="{")}, {"params": {"params": "{"}}),
    "deep JSON": ({"type_params": pairs(params="[" * 9999)}, {"params": {"params": "[" * 9999}}),
    "half a character": (
        {"type_params": pairs(params='"\\ud800"')},
        {"params": {"params": '"\\ud800"'}},
    ),
    "mmap": (
        {"type_params": pairs(mmap__enabled="null")},
        {"params": {"mmap_enabled": "null"}},
    ),
}


@pytest.mark.parametrize(("raw", "shown"), ODD_FIELDS.values(), ids=ODD_FIELDS.keys())
def test_unfold_keeps_an_odd_field_as_it_came(raw: dict[str, Any], shown: dict[str, Any]) -> None:
    reply = Reply(schema={"name": "c", "fields": [{"name": "f", **raw}]})
    (found,) = unfold.unfold(reply)["fields"]
    assert found == found | shown


def test_unfold_keeps_an_unknown_level_and_function() -> None:
    reply = Reply(
        schema={"name": "c", "functions": [{"name": "f", "type": 5}]}, consistency_level=9
    )
    found = unfold.unfold(reply)
    assert (found["consistency_level"], found["consistency_level_name"]) == (9, "level 9")
    assert found["functions"][0]["type"] == 5


@pytest.mark.parametrize(
    ("reply", "name"),
    [
        (Reply(), ""),
        (Reply(collection_name="asked"), "asked"),
        (Reply(collection_name="alias", aliases=["alias"]), ""),
        (Reply(collection_name="alias", schema={"name": "own"}), "own"),
    ],
)
def test_unfold_names_the_collection_never_the_alias(
    reply: pb.DescribeCollectionResponse, name: str
) -> None:
    assert unfold.unfold(reply)["collection_name"] == name


def test_raw_description_keeps_what_unfold_does_not_know() -> None:
    reply = Reply(
        schema={"name": "c", "fields": [{"name": "f", "data_type": 777}], "file_resource_ids": [7]},
        consistency_level=9,
        virtual_channel_names=["by-dev-rootcoord-dml_0"],
        request_time=7,
    )
    reply.schema.fields[0].MergeFromString(UNKNOWN_FIELD)
    assert unfold.raw(reply) == {
        "schema": {
            "name": "c",
            "fields": [{"name": "f", "data_type": 777}],
            "file_resource_ids": ["7"],
        },
        "consistency_level": 9,
        "unknown_fields": [
            {"in": "schema.fields[0]", "field": 127, "value": 5},
            {"in": "schema.fields[0]", "field": 127, "value": "6 bytes"},
        ],
    }


KEYS = ["dim", "max_length", "max_capacity", "params", "mmap.enabled", "api_key", "x"]
VALUES = ["null", "", "4", "-1", "1e9", "{}", "[[[[", '"\\ud800"', "NaN", "1e999", "s3://a:b@c?d@"]
texts = st.text(max_size=9) | st.sampled_from(KEYS + VALUES)
numbers = st.integers(-(2**31), 2**31 - 1)
VALUE_OF = {
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_STRING: texts,
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=9),
    FieldDescriptor.TYPE_FLOAT: st.floats(width=32),
    FieldDescriptor.TYPE_DOUBLE: st.floats(),
    FieldDescriptor.TYPE_ENUM: numbers | st.integers(0, 30) | st.integers(99, 202),
    FieldDescriptor.TYPE_UINT64: st.integers(0, 2**64 - 1),
    FieldDescriptor.TYPE_UINT32: st.integers(0, 2**32 - 1),
}


@st.composite
def messages(draw: Callable[..., Any], kind: type[Message], deep: int = 0) -> Message:
    """Any message of that kind, some with fields that this protocol lacks."""
    made = kind()
    for descriptor in draw(st.lists(st.sampled_from(list(kind.DESCRIPTOR.fields)), max_size=9)):
        _fill(draw, made, descriptor, deep)
    if draw(st.booleans()):
        made.MergeFromString(UNKNOWN_FIELD)
    return made


def _fill(draw: Callable[..., Any], made: Message, descriptor: Any, deep: int) -> None:
    value = getattr(made, descriptor.name)
    if descriptor.message_type is None:
        drawn = VALUE_OF.get(descriptor.type, numbers)
        if descriptor.is_repeated:
            value.extend(draw(st.lists(drawn, max_size=3)))
        else:
            setattr(made, descriptor.name, draw(drawn))
    elif deep < 4:
        inner = messages(_class_of(descriptor.message_type), deep + 1)
        if not descriptor.is_repeated:
            value.CopyFrom(draw(inner))
        elif not descriptor.message_type.GetOptions().map_entry:
            value.extend(draw(st.lists(inner, max_size=3)))


def _class_of(descriptor: Descriptor) -> type[Message]:
    return descriptor._concrete_class  # type: ignore[attr-defined,no-any-return]


@settings(max_examples=60, deadline=None)
@given(reply=messages(Reply))
def test_unfold_of_any_reply_can_be_shown_and_recorded(
    reply: pb.DescribeCollectionResponse,
) -> None:
    before = reply.SerializeToString(deterministic=True)
    found, raw = unfold.unfold(reply), unfold.raw(reply)
    assert reply.SerializeToString(deterministic=True) == before
    schema.fields(found), schema.functions(found), schema.external(found)
    schema.partition_key(found)
    kept = schema.snapshot(found, [], [], (), 0, Load(None), 0, raw)
    assert json.loads(log.canonical(kept)) == kept
    assert "hunter" not in json.dumps(kept)
    json.dumps(kept, ensure_ascii=False).encode()
