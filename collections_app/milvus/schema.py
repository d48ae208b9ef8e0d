"""A described collection in words, and as a snapshot to re-create it from."""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from .sdk import DataType, FunctionType
from .types import (
    CollectionDetail,
    External,
    Field,
    Identity,
    Index,
    Load,
    Partition,
    Unread,
)

FLAGS = {
    "is_primary": "primary key",
    "auto_id": "automatic ids",
    "is_partition_key": "partition key",
    "is_clustering_key": "clustering key",
    "is_dynamic": "dynamic",
    "is_function_output": "made by a function",
    "nullable": "nullable",
}


def type_name(number: int) -> str:
    """Milvus' name of a field type; a type newer than this client shows its number."""
    return _named(DataType, number).lstrip("_")


def _named(kind: Callable[[int], Any], number: int) -> str:
    try:
        return str(kind(number).name)
    except ValueError:
        return f"type {number}"


def fields(described: dict[str, Any]) -> tuple[Field, ...]:
    return tuple(_field(raw) for raw in described["fields"])


def _field(raw: dict[str, Any]) -> Field:
    notes = [words for flag, words in FLAGS.items() if raw.get(flag)]
    notes += [f"{key} {_text(value)}" for key, value in (raw.get("params") or {}).items()]
    if raw.get("external_field"):
        notes.append(f"from column {raw['external_field']}")
    if raw.get("default_value") is not None:
        notes.append(f"default {plain(raw['default_value'])}")
    kind = type_name(raw["type"])
    if raw.get("element_type"):
        kind = f"{kind} of {type_name(raw['element_type'])}"
    return Field(
        name=raw["name"],
        type=kind,
        description=raw.get("description") or "",
        notes=tuple(notes),
        fields=tuple(_field(inner) for inner in raw.get("struct_fields", ())),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(plain(value), ensure_ascii=False)


def functions(described: dict[str, Any]) -> tuple[str, ...]:
    """Each function as `name (type): inputs → outputs`."""
    return tuple(_function(raw) for raw in described.get("functions") or [])


def _function(raw: dict[str, Any]) -> str:
    inputs, outputs = ", ".join(raw["input_field_names"]), ", ".join(raw["output_field_names"])
    return f"{raw['name']} ({_named(FunctionType, raw['type'])}): {inputs} → {outputs}"


def external(described: dict[str, Any]) -> External | None:
    """Where its rows are, if Milvus does not keep them itself."""
    source, spec = described.get("external_source", ""), described.get("external_spec", "")
    return External(source=source, spec=spec) if source or spec else None


def partition_key(described: dict[str, Any]) -> str:
    found = (f["name"] for f in described["fields"] if f.get("is_partition_key"))
    return str(next(found, ""))


def raw_index(description: Any) -> dict[str, Any]:
    """One index of a DescribeIndex reply as plain data."""
    params = {pair.key: pair.value for pair in description.params}
    return {
        "index_name": description.index_name,
        "field_name": description.field_name,
        "params": params,
    }


def indexes(raw: list[dict[str, Any]] | Unread) -> tuple[Index, ...] | Unread:
    if isinstance(raw, Unread):
        return raw
    return tuple(_index(item) for item in raw)


def _index(raw: dict[str, Any]) -> Index:
    params = dict(raw["params"])
    return Index(
        name=raw["index_name"],
        field=raw["field_name"],
        type=params.pop("index_type", ""),
        metric=params.pop("metric_type", ""),
        params=params,
    )


def snapshot(
    described: dict[str, Any],
    partitions: Iterable[Partition] | Unread,
    indexes: list[dict[str, Any]] | Unread,
    aliases: tuple[str, ...] | Unread,
    rows: int | Unread,
    load: Load | Unread,
    replicas: int | Unread,
    raw: dict[str, Any],
) -> dict[str, Any]:
    """What the audit log keeps of a collection: blueprint.py reads it to create it again.

    What could not be read is named in `unavailable`, never left out silently. `raw` is Milvus' own
    description: it has what `describe` has no word for.
    """
    parts = {
        "partitions": partitions,
        "indexes": indexes,
        "aliases": aliases,
        "rows": rows,
        "load": load,
        "replicas": replicas,
    }
    missing = {name: value.value for name, value in parts.items() if isinstance(value, Unread)}
    names = [] if isinstance(partitions, Unread) else [p.name for p in partitions]
    return {
        "describe": plain(described),
        "partitions": names,
        "indexes": [] if isinstance(indexes, Unread) else indexes,
        "aliases": [] if isinstance(aliases, Unread) else list(aliases),
        "rows": None if isinstance(rows, Unread) else rows,
        "rows_counted_by": "get_collection_stats: rows stored, approximate on a real server",
        "load": None if isinstance(load, Unread) else load.word,
        "replicas": None if isinstance(replicas, Unread) else replicas,
        "unavailable": missing,
        "raw": raw,
    }


def recorded(name: str, kept: Mapping[str, Any]) -> CollectionDetail:
    """The collection of a snapshot, without rows: it is not in Milvus any more."""
    described, unavailable = kept["describe"], kept.get("unavailable") or {}
    partitions = [
        Partition(name=part, identity=Identity(), load=Load(None)) for part in kept["partitions"]
    ]
    return CollectionDetail(
        name=name,
        identity=Identity(),
        description=described.get("description") or "",
        fields=fields(described),
        functions=functions(described),
        indexes=Unread.UNKNOWN if "indexes" in unavailable else indexes(kept["indexes"]),
        aliases=Unread.UNKNOWN if "aliases" in unavailable else tuple(kept["aliases"]),
        partitions=Unread.UNKNOWN if "partitions" in unavailable else tuple(partitions),
        load=Load(None),
        rows=0,
        shards=described.get("num_shards", 0),
        consistency=described.get("consistency_level_name", ""),
        dynamic_fields=bool(described.get("enable_dynamic_field")),
        partition_key=partition_key(described),
        properties={str(k): str(v) for k, v in (described.get("properties") or {}).items()},
        snapshot=kept,
        external=external(described),
    )


def plain(value: Any) -> Any:
    """The same as JSON data: protobuf messages, enums and containers made ordinary."""
    if isinstance(value, Message):
        return _default(value)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no word for it
    if isinstance(value, str | float | bool) or value is None:
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return [plain(item) for item in value] if isinstance(value, Iterable) else str(value)


def _default(message: Message) -> Any:
    """A default value: the one part of it that is filled, as whoever made the field gave it."""
    if "data" not in message.DESCRIPTOR.oneofs_by_name:
        return MessageToDict(message)
    filled = message.WhichOneof("data")
    return plain(getattr(message, filled)) if filled else None
