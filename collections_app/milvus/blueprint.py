"""What a snapshot says of a collection, as what Milvus needs to create it again, empty.

Everything here is JSON data under the protocol's own names, as `unfold.raw` keeps it: nothing gets
lost that this client has no word for. Asks nobody.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .redact import HIDDEN
from .types import unsafe_name

Data = Mapping[str, Any]
DEFAULT_PARTITION = "_default"
ASSIGNED = {"fieldID", "id", "state", "index_params", "input_field_ids", "output_field_ids"}
SCHEMA = ("description", "enable_dynamic_field", "enable_namespace")

NO_DESCRIPTION = "The snapshot has no description of the collection as Milvus sent it."
EXTERNAL = (
    "It was an external collection. Its rows are outside Milvus, and the snapshot has no "
    "credentials to reach them. Create it with your own client."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """What the requests that create a collection are made of. `problem`: why there are none."""

    schema: Data
    shards: int = 0
    consistency: str | int = 0
    properties: tuple[tuple[str, str], ...] = ()
    key_partitions: int = 0  # how many Milvus creates itself, for a partition key
    partitions: tuple[str, ...] = ()
    indexes: tuple[Data, ...] = ()
    left_out: tuple[str, ...] = ()  # in sentences
    problem: str = ""

    @property
    def is_keyed(self) -> bool:
        return _is_keyed(self.schema)


def blueprint_of(snapshot: Data) -> Blueprint:
    """The blueprint in a snapshot of schema.py."""
    raw = snapshot.get("raw") or {}
    schema = _schema(raw.get("schema") or {})
    if not schema["fields"]:
        return Blueprint(schema={}, problem=NO_DESCRIPTION)
    if raw["schema"].get("external_source") or raw["schema"].get("external_spec"):
        return Blueprint(schema=schema, problem=EXTERNAL)
    keyed, properties = _is_keyed(schema), tuple(_pairs(raw.get("properties") or ()))
    return Blueprint(
        schema=schema,
        shards=int(raw.get("shards_num", 0)),
        consistency=raw.get("consistency_level", 0),
        properties=tuple(pair for pair in properties if HIDDEN not in pair[1]),
        key_partitions=int(raw.get("num_partitions", 0)) if keyed else 0,
        partitions=() if keyed else tuple(filter(_is_made, snapshot.get("partitions") or ())),
        indexes=tuple(snapshot.get("indexes") or ()),
        left_out=tuple(_left_out(snapshot, keyed=keyed)),
    )


# --- how a collection differs from a blueprint ----------------------------------------------------


def is_alike(blueprint: Blueprint, snapshot: Data) -> bool:
    """Whether a collection has the same fields, by name and type, whatever else differs."""
    return _shape(blueprint.schema) == _shape(blueprint_of(snapshot).schema)


def missing_partitions(blueprint: Blueprint, snapshot: Data) -> tuple[str, ...]:
    """The partitions that the collection lacks."""
    present = set(snapshot.get("partitions") or ())
    return tuple(name for name in blueprint.partitions if name not in present)


def missing_indexes(blueprint: Blueprint, snapshot: Data) -> tuple[Data, ...]:
    """The indexes that the collection lacks."""
    present = {_index_key(index) for index in snapshot.get("indexes") or ()}
    return tuple(index for index in blueprint.indexes if _index_key(index) not in present)


def differences(blueprint: Blueprint, snapshot: Data) -> tuple[str, ...]:
    """What is not as the blueprint says, in words; what is missing besides is not repeated."""
    found = blueprint_of(snapshot)
    return tuple(_differences(blueprint, found))


def _differences(wanted: Blueprint, found: Blueprint) -> Iterator[str]:
    for part in ("fields", "struct_array_fields", "functions"):
        there = {one["name"]: one for one in found.schema[part]}
        noun = part.rstrip("s").replace("struct_array_field", "struct")
        for one in wanted.schema[part]:
            if there.get(one["name"]) != one:
                yield f"{noun} {one['name']}"
    for key in SCHEMA:
        if wanted.schema.get(key) != found.schema.get(key):
            yield key.replace("_", " ")
    for label in ("shards", "consistency", "key_partitions"):
        if getattr(wanted, label) != getattr(found, label):
            yield label.replace("key_", "number of ")
    there = dict(found.properties)
    yield from (f"property {key}" for key, value in wanted.properties if there.get(key) != value)
    params = {_index_key(index): index["params"] for index in found.indexes}
    for index in wanted.indexes:
        if params.get(_index_key(index), index["params"]) != index["params"]:
            yield f"index {index['index_name']}"


# --- pieces ---------------------------------------------------------------------------------------


def _schema(raw: Data) -> dict[str, Any]:
    """A CollectionSchema without what Milvus assigns, and without functions that hide a secret."""
    functions = [_clean(one) for one in raw.get("functions") or () if not _hides(one)]
    outputs = {name for one in functions for name in one.get("output_field_names", ())}
    fields = [
        _field(one, outputs)
        for one in raw.get("fields") or ()
        if not one.get("is_dynamic") and not one["name"].startswith("$")  # Milvus adds these
    ]
    return {
        **{key: raw[key] for key in SCHEMA if raw.get(key)},
        "fields": fields,
        "struct_array_fields": [_struct(one) for one in raw.get("struct_array_fields") or ()],
        "functions": functions,
    }


def _clean(raw: Data) -> dict[str, Any]:
    return {key: value for key, value in raw.items() if key not in ASSIGNED}


def _field(raw: Data, outputs: set[str]) -> dict[str, Any]:
    """The output of a function that is left out is an ordinary field."""
    field = _clean(raw)
    if field["name"] not in outputs:
        field.pop("is_function_output", None)
    return field


def _struct(raw: Data) -> dict[str, Any]:
    """Milvus may describe the fields in it as `struct[field]`, and takes them as `field`."""
    prefix = f"{raw['name']}["
    inner = [_clean(one) for one in raw.get("fields") or ()]
    for one in inner:
        if one["name"].startswith(prefix) and one["name"].endswith("]"):
            one["name"] = one["name"][len(prefix) : -1]
    return _clean(raw) | {"fields": inner}


def _hides(function: Data) -> bool:
    return any(HIDDEN in value for _, value in _pairs(function.get("params") or ()))


def _pairs(raw: Iterable[Data]) -> Iterator[tuple[str, str]]:
    yield from ((pair["key"], pair.get("value", "")) for pair in raw)


def _is_keyed(schema: Data) -> bool:
    return any(field.get("is_partition_key") for field in schema.get("fields", ()))


def _is_made(partition: str) -> bool:
    return partition != DEFAULT_PARTITION and not unsafe_name(partition)


def _shape(schema: Data) -> list[tuple[Any, ...]]:
    every = [*schema.get("fields", ()), *schema.get("struct_array_fields", ())]
    return sorted(
        (one["name"], str(one.get("data_type", "")), bool(one.get("is_primary_key")))
        for one in every
    )


def _index_key(index: Data) -> tuple[str, str]:
    return index["field_name"], index["index_name"]


def _left_out(snapshot: Data, *, keyed: bool) -> Iterator[str]:
    """What of the snapshot is not created, in sentences."""
    raw = snapshot["raw"]
    for function in filter(_hides, raw["schema"].get("functions") or ()):
        yield (
            f"The function {function['name']} is left out: its parameters have a secret, which "
            "Milvus Admin does not keep. Its output fields become ordinary fields."
        )
    for key, value in _pairs(raw.get("properties") or ()):
        if HIDDEN in value:
            yield f"The property {key} is left out: it is a secret, which Milvus Admin hides."
    if raw.get("unknown_fields"):
        yield "Settings that this version of Milvus Admin does not know are left out."
    for part in ("partitions", "indexes"):
        if part in (snapshot.get("unavailable") or {}):
            yield f"The {part} could not be read for the snapshot, so none are created."
    for name in () if keyed else snapshot.get("partitions") or ():
        if unsafe_name(name):
            yield f"The partition {name} is left out: such a name is never sent to a server."
