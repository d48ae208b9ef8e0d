"""A DescribeCollection reply as plain data: in the shape that pymilvus gives it, and as it came.

pymilvus raises by itself at a type, a function or a consistency level that is newer than it is,
and at a `max_length` of "null" (seen with 3.0.2). Here such things stay as they came: a collection
that can't be read can't be dropped with care. Credentials are taken out on the way.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from . import redact
from .sdk import DataType, FunctionType, pb

FLAGS = (
    "is_partition_key",
    "is_dynamic",
    "nullable",
    "is_clustering_key",
    "is_function_output",
)
COUNTED: dict[str, set[int] | None] = {  # which parameters are numbers, for fields of which types
    "dim": None,
    "max_length": {DataType.VARCHAR, DataType.ARRAY},
    "max_capacity": {DataType.ARRAY, DataType._ARRAY_OF_VECTOR},
}
NAMES = {"mmap.enabled": "mmap_enabled"}
DEEPEST = 50  # brackets in a JSON parameter that is taken apart


def unfold(reply: pb.DescribeCollectionResponse) -> dict[str, Any]:
    """What `MilvusClient.describe_collection` returns for all that pymilvus knows.

    More than that: what a struct field says of itself and of its sub-fields (`nullable`, `params`).
    Less: credentials. Unknown numbers stay numbers, and odd parameters text. Never raises.
    """
    schema = reply.schema
    functions = [_function(raw) for raw in schema.functions]
    fields = [_field(raw) for raw in schema.fields]
    _mark_outputs(fields, functions)
    found: dict[str, Any] = {
        "collection_name": _name(reply),
        "auto_id": next((True for field in fields if "auto_id" in field), False),
        "num_shards": reply.shards_num,
        "description": schema.description,
        "fields": fields + [_struct(raw) for raw in schema.struct_array_fields],
        "functions": functions,
        "aliases": list(reply.aliases),
        "collection_id": reply.collectionID,
        "consistency_level": reply.consistency_level,
        "consistency_level_name": _level_name(reply),
        "properties": {
            pair.key: redact.parameter(pair.key, pair.value) for pair in reply.properties
        },
        "num_partitions": reply.num_partitions,
        "enable_dynamic_field": schema.enable_dynamic_field,
        "enable_namespace": schema.enable_namespace,
        "schema_version": schema.version,
    }
    filled = {
        "external_source": redact.address(schema.external_source),
        "external_spec": redact.external_spec(schema.external_spec),
        "created_timestamp": reply.created_timestamp,
        "update_timestamp": reply.update_timestamp,
    }
    return found | {key: value for key, value in filled.items() if value}


def _name(reply: pb.DescribeCollectionResponse) -> str:
    """The collection's own name: `collection_name` echoes what was asked for, also an alias."""
    asked = reply.collection_name
    return str(reply.schema.name or ("" if asked in reply.aliases else asked))


def _level_name(reply: pb.DescribeCollectionResponse) -> str:
    number = reply.consistency_level
    levels = reply.DESCRIPTOR.fields_by_name["consistency_level"].enum_type.values_by_number
    return str(levels[number].name) if number in levels else f"level {number}"


def _mark_outputs(fields: list[dict[str, Any]], functions: list[dict[str, Any]]) -> None:
    """Servers before 2.5 leave the flag out (pymilvus sets it so, too)."""
    outputs = {name for function in functions for name in function["output_field_names"]}
    for field in fields:
        if field["name"] in outputs:
            field["is_function_output"] = True


def _field(raw: Any) -> dict[str, Any]:
    field: dict[str, Any] = {
        "field_id": raw.fieldID,
        "name": raw.name,
        "description": raw.description,
        "type": _known(DataType, raw.data_type),
        "params": _params(raw),
    }
    if raw.default_value.WhichOneof("data"):
        field["default_value"] = raw.default_value
    if raw.element_type:
        field["element_type"] = _known(DataType, raw.element_type)
    if raw.autoID:
        field["auto_id"] = True
    if raw.is_primary_key:
        field["is_primary"] = True
    if raw.external_field:
        field["external_field"] = raw.external_field
    return field | {flag: True for flag in FLAGS if getattr(raw, flag)}


def _known(kind: Callable[[int], int], number: int) -> int:
    """The member of pymilvus' enum, or the bare number of what is newer than it."""
    try:
        return kind(number)
    except ValueError:
        return number


def _params(raw: Any) -> dict[str, Any]:
    return dict(_param(pair.key, pair.value, raw.data_type) for pair in raw.type_params)


def _param(key: str, value: str, data_type: int) -> tuple[str, Any]:
    if key == "params":
        return key, _json(value)
    if key == "mmap.enabled":
        return NAMES[key], {"true": True, "false": False}.get(value.lower(), value)
    types = COUNTED.get(key, set())
    return key, _number(value) if types is None or data_type in types else value


def _number(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:
        return text


def _json(text: str) -> Any:
    """The value, or the text if it is no JSON, or such that it could not be written again."""
    if text.count("[") + text.count("{") > DEEPEST:
        return text
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()  # half a character is no text
    except ValueError:
        return text
    return value


def _struct(raw: Any) -> dict[str, Any]:
    """An array of structs. On the wire each of its sub-fields is an array of its own."""
    inner = [_field(field) for field in raw.fields]
    capacity = next((c for f in inner if (c := f["params"].get("max_capacity"))), None)
    own = {NAMES.get(pair.key, pair.key): _json(pair.value) for pair in raw.type_params}
    field: dict[str, Any] = {
        "field_id": raw.fieldID,
        "name": raw.name,
        "description": raw.description,
        "type": DataType.ARRAY,
        "element_type": DataType.STRUCT,
        "params": ({"max_capacity": capacity} if capacity else {}) | own,
        "struct_fields": [_sub_field(field, raw.name) for field in inner],
    }
    return field | ({"nullable": True} if raw.nullable else {})


def _sub_field(field: dict[str, Any], struct: str) -> dict[str, Any]:
    """One field as whoever made the struct wrote it: not an array, and without the prefix."""
    name, prefix = field["name"], f"{struct}["
    if name.startswith(prefix) and name.endswith("]"):
        name = name[len(prefix) : -1]
    params = {key: value for key, value in field["params"].items() if key != "max_capacity"}
    found = field | {"name": name, "type": field.get("element_type", field["type"])}
    for key in ("element_type", "params"):
        found.pop(key, None)
    return found | ({"params": params} if params else {})


def _function(raw: Any) -> dict[str, Any]:
    return {
        "name": raw.name,
        "id": raw.id,
        "description": raw.description,
        "type": _known(FunctionType, raw.type),
        "params": {pair.key: redact.parameter(pair.key, pair.value) for pair in raw.params},
        "input_field_names": list(raw.input_field_names),
        "input_field_ids": list(raw.input_field_ids),
        "output_field_names": list(raw.output_field_names),
        "output_field_ids": list(raw.output_field_ids),
    }


# --- as it came -----------------------------------------------------------------------------------

BULKY = (
    "status",
    "virtual_channel_names",
    "physical_channel_names",
    "start_positions",
    "request_time",
)


def raw(reply: pb.DescribeCollectionResponse) -> dict[str, Any]:
    """The reply as JSON data, under the protocol's own names. Never raises.

    Without credentials, and without what says nothing of the collection's shape. Of fields that
    this client's protocol lacks only numbers are kept: a text might be a secret.
    """
    copy = type(reply)()
    copy.CopyFrom(reply)
    for name in BULKY:
        copy.ClearField(name)
    unknown = list(_unknown(copy))
    _redact(copy)
    found: dict[str, Any] = MessageToDict(copy, preserving_proto_field_name=True)
    return found | ({"unknown_fields": unknown} if unknown else {})


def _redact(reply: pb.DescribeCollectionResponse) -> None:
    schema = reply.schema
    schema.external_source = redact.address(schema.external_source)
    schema.external_spec = redact.external_spec(schema.external_spec)
    functions = (function.params for function in schema.functions)
    for pairs in (reply.properties, schema.properties, *functions):
        for pair in pairs:
            pair.value = redact.parameter(pair.key, pair.value)


def _unknown(message: Message, path: str = "") -> Iterator[dict[str, Any]]:
    """Where the message has fields that the protocol of this client lacks, and their numbers."""
    fields: Any = UnknownFieldSet(message)  # iterable, which its type does not say
    for field in fields:
        value = field.data if isinstance(field.data, int) else f"{len(field.data)} bytes"
        yield {"in": path, "field": field.field_number, "value": value}
    for descriptor, value in message.ListFields():
        if isinstance(value, Message):
            yield from _unknown(value, f"{path}.{descriptor.name}".lstrip("."))
        elif descriptor.message_type:
            for at, item in enumerate(value):
                yield from _unknown(item, f"{path}.{descriptor.name}[{at}]".lstrip("."))
