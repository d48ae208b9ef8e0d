"""What a snapshot gives of a collection to create again, where no server here has such a thing.

Functions with parameters, struct fields and external collections are of Milvus 2.5 and later (read:
pymilvus' schema.proto). What 2.3.5 and Milvus Lite take is compared in tests/operations.
"""

from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from collections_app.milvus import destroy, unfold
from collections_app.milvus.blueprint import (
    blueprint_of,
    differences,
    is_alike,
    missing_indexes,
    missing_partitions,
)
from collections_app.milvus.errors import MilvusRejected
from collections_app.milvus.redact import HIDDEN
from collections_app.milvus.sdk import DataType, FunctionType, pb

KEY = {"fieldID": 100, "name": "id", "is_primary_key": True, "data_type": DataType.INT64}
TEXT = {"fieldID": 101, "name": "text", "data_type": DataType.VARCHAR, "nullable": True}
DENSE = {"fieldID": 102, "name": "dense", "data_type": DataType.FLOAT_VECTOR}
EMBED = {
    "name": "embed",
    "id": 7,
    "type": FunctionType.TEXTEMBEDDING,
    "input_field_names": ["text"],
    "input_field_ids": [101],
    "output_field_names": ["dense"],
    "output_field_ids": [102],
}
INDEX = {"index_name": "i", "field_name": "dense", "params": {"index_type": "FLAT"}}


def snapshot(*fields: dict[str, Any], of: dict[str, Any] | None = None, **kept: Any) -> Any:
    """As the log keeps it: through a reply of Milvus. `of` is more of the schema."""
    schema = {"name": "books", "fields": [*fields], **(of or {})}
    reply = pb.DescribeCollectionResponse(
        schema=schema, shards_num=2, properties=kept.pop("properties", [])
    )
    raw = unfold.raw(reply)
    return {"raw": raw, "partitions": ["_default"], "indexes": [], "unavailable": {}, **kept}


def sent(kept: Any) -> dict[str, Any]:
    """The schema that goes to Milvus."""
    message = destroy._schema("new", blueprint_of(kept))
    return dict(MessageToDict(message, preserving_proto_field_name=True))


def test_blueprint_has_no_ids_and_every_setting() -> None:
    default = {"fieldID": 103, "name": "n", "data_type": DataType.INT64}
    default |= {"default_value": {"long_data": 5}, "is_clustering_key": True}
    schema = sent(snapshot(KEY, TEXT, default))
    assert schema["name"] == "new"
    assert schema["fields"] == [
        {"name": "id", "is_primary_key": True, "data_type": "Int64"},
        {"name": "text", "data_type": "VarChar", "nullable": True},
        {
            "name": "n",
            "data_type": "Int64",
            "default_value": {"long_data": "5"},
            "is_clustering_key": True,
        },
    ]


def test_blueprint_of_a_function_keeps_its_outputs() -> None:
    output = {**DENSE, "is_function_output": True}
    schema = sent(snapshot(KEY, TEXT, output, of={"functions": [EMBED]}))
    [function] = schema["functions"]
    assert (function["name"], function["output_field_names"]) == ("embed", ["dense"])
    assert not {"id", "input_field_ids", "output_field_ids"} & set(function)
    assert schema["fields"][2]["is_function_output"]


def test_function_with_a_secret_is_left_out_and_named() -> None:
    secret = {**EMBED, "params": [{"key": "api_key", "value": "hush"}]}
    output = {**DENSE, "is_function_output": True}
    kept = snapshot(KEY, TEXT, output, of={"functions": [secret]})
    assert HIDDEN in str(kept["raw"])
    schema = sent(kept)
    assert "functions" not in schema
    assert "is_function_output" not in schema["fields"][2]
    assert "The function embed is left out" in blueprint_of(kept).left_out[0]


def test_property_with_a_secret_is_left_out_and_named() -> None:
    pairs = [{"key": "access_key", "value": "hush"}, {"key": "ttl", "value": "5"}]
    blueprint = blueprint_of(snapshot(KEY, properties=pairs))
    assert blueprint.properties == (("ttl", "5"),)
    assert "The property access_key is left out" in blueprint.left_out[0]


def test_struct_fields_lose_the_prefix_that_milvus_adds() -> None:
    inner = {"fieldID": 111, "name": "chunks[part]", "data_type": DataType.ARRAY}
    struct = {"fieldID": 110, "name": "chunks", "fields": [{**inner, "element_type": 21}]}
    schema = sent(snapshot(KEY, of={"struct_array_fields": [struct]}))
    assert schema["struct_array_fields"] == [
        {
            "name": "chunks",
            "fields": [{"name": "part", "data_type": "Array", "element_type": "VarChar"}],
        }
    ]


@pytest.mark.parametrize("added", [{"is_dynamic": True, "name": "$meta"}, {"name": "$namespace"}])
def test_fields_that_milvus_adds_itself_are_not_sent(added: dict[str, Any]) -> None:
    field = {"fieldID": 120, "data_type": DataType.JSON, **added}
    schema = sent(snapshot(KEY, field, of={"enable_dynamic_field": True}))
    assert [one["name"] for one in schema["fields"]] == ["id"]
    assert schema["enable_dynamic_field"]


@pytest.mark.parametrize(
    ("kept", "problem"),
    [
        ({}, "no description"),
        ({"raw": {}}, "no description"),
        (snapshot(KEY, of={"external_source": "s3://bucket/x"}), "external collection"),
        (snapshot(KEY, of={"external_spec": '{"format":"parquet"}'}), "external collection"),
    ],
)
def test_blueprint_of_what_can_not_be_created_says_why(kept: Any, problem: str) -> None:
    assert problem in blueprint_of(kept).problem


def test_parts_that_were_not_read_are_named() -> None:
    unread = {"indexes": "not permitted", "partitions": "unknown", "rows": "unknown"}
    left_out = blueprint_of(snapshot(KEY, unavailable=unread)).left_out
    assert [words.split()[1] for words in left_out] == ["partitions", "indexes"]


def test_partition_with_an_unsafe_name_is_left_out() -> None:
    blueprint = blueprint_of(snapshot(KEY, partitions=["_default", "a", "../b"]))
    assert blueprint.partitions == ("a",)
    assert "../b" in blueprint.left_out[0]


def test_partition_key_leaves_partitions_to_milvus() -> None:
    keyed = {**TEXT, "is_partition_key": True}
    kept = snapshot(KEY, keyed, partitions=["_default_0", "_default_1"])
    kept["raw"]["num_partitions"] = "2"
    blueprint = blueprint_of(kept)
    assert (blueprint.partitions, blueprint.key_partitions) == ((), 2)


def test_settings_newer_than_this_client_are_named_and_refused() -> None:
    kept = snapshot(KEY)
    kept["raw"]["unknown_fields"] = [{"in": "schema", "field": 99, "value": 1}]
    assert "does not know" in blueprint_of(kept).left_out[0]
    kept["raw"]["schema"]["fields"][0]["from_the_future"] = 1
    with pytest.raises(MilvusRejected, match="can't write the schema"):
        destroy._schema("new", blueprint_of(kept))


def test_missing_parts_are_those_the_collection_lacks() -> None:
    blueprint = blueprint_of(snapshot(KEY, DENSE, partitions=["a", "b"], indexes=[INDEX]))
    there = snapshot(KEY, DENSE, partitions=["_default", "b"])
    assert missing_partitions(blueprint, there) == ("a",)
    assert missing_indexes(blueprint, there) == (INDEX,)
    assert missing_indexes(blueprint, snapshot(KEY, DENSE, indexes=[INDEX])) == ()


@pytest.mark.parametrize(
    ("changed", "alike", "expected"),
    [
        ({}, True, ()),
        ({"fields": (KEY, {**TEXT, "nullable": False})}, True, ("field text",)),
        ({"fields": (KEY,)}, False, ("field text",)),
        ({"of": {"description": "other"}}, True, ("description",)),
        ({"properties": []}, True, ("property ttl",)),
    ],
)
def test_differences_are_named_by_their_place(
    changed: dict[str, Any], alike: bool, expected: tuple[str, ...]
) -> None:
    same = {"properties": [{"key": "ttl", "value": "5"}], "fields": (KEY, TEXT)}
    blueprint = blueprint_of(snapshot(*same.pop("fields"), **same))  # type: ignore[arg-type]
    other = {"properties": [{"key": "ttl", "value": "5"}], "fields": (KEY, TEXT), **changed}
    found = snapshot(*other.pop("fields"), **other)
    assert is_alike(blueprint, found) is alike
    assert differences(blueprint, found) == expected
