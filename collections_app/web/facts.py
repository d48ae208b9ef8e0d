"""Lists of facts about a target: in the dialog, and on the page of an operation."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html, format_html_join

from ..milvus.types import CollectionDetail, Index, Kind, Target, Unread
from ..names import readable
from ..operations.kinds.base import TargetState
from .display import ago, at, in_full, name, state


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A line of a list of facts. `value` may be HTML that is safe."""

    label: str
    value: str


def dialog_facts(target: Target, look: TargetState) -> Iterator[Fact]:
    """What would be lost."""
    yield Fact(label="Rows", value=", ".join(_size(target, look)))
    created = look.identity.created
    yield Fact(label="Created", value=f"{ago(created)}, {at(created)}" if created else "unknown")
    yield Fact(label="State", value=state(look.load))
    if look.detail.external:
        source = look.detail.external.source
        yield Fact(label="Data outside Milvus", value=name(source or "unknown"))
    if target.kind is Kind.COLLECTION:
        yield Fact(label="Indexes", value=_joined(look.detail.indexes, _index))
        yield Fact(label="Aliases", value=_joined(look.detail.aliases, name))


def stored_rows(rows: int | Unread, *, is_exact: bool, detail: CollectionDetail) -> str:
    """A count of rows. What a server stores may include deleted ones."""
    is_stored = not isinstance(rows, Unread) and not detail.external
    return in_full(rows, is_exact) + (" stored" if is_stored else "")


def _size(target: Target, look: TargetState) -> Iterator[str]:
    yield stored_rows(look.rows, is_exact=look.server.lite, detail=look.detail)
    partitions = look.detail.partitions
    if target.kind is Kind.COLLECTION and not isinstance(partitions, Unread):
        yield f"in {len(partitions)} partition{'' if len(partitions) == 1 else 's'}"


def _index(index: Index) -> str:
    return format_html("{} on {}", index.type, name(index.field))


def _joined(values: Iterable[Any] | Unread, shown: Any) -> str:
    """The values as HTML; why they are unknown; or "none"."""
    if isinstance(values, Unread):
        return values.value
    return format_html_join(", ", "{}", ((shown(value),) for value in values)) or "none"


def snapshot_facts(target: Target, details: dict[str, Any]) -> list[Fact]:
    """What an intent kept of the target's state before the drop."""
    snapshot = details.get("snapshot") or {}
    before = snapshot if target.kind is Kind.NEW else details  # of what was dropped
    facts = [
        Fact(label="Rows", value=in_full(before.get("rows"))),
        Fact(label="State", value=_load(before.get("load"), snapshot)),
    ]
    if target.noun is Kind.COLLECTION:
        facts += _collection_facts(snapshot)
    if source := (snapshot.get("describe") or {}).get("external_source"):
        facts.append(Fact(label="Data outside Milvus", value=name(source)))
    return [*facts, Fact(label="Server", value=str(details.get("server_version") or ""))]


def _load(word: str | None, snapshot: dict[str, Any]) -> str:
    """The load state, and in how many replicas if that is more than one."""
    replicas = snapshot.get("replicas") or 0
    return f"{word or 'unknown'}" + (f", in {replicas} replicas" if replicas > 1 else "")


def _collection_facts(snapshot: dict[str, Any]) -> Iterator[Fact]:
    unavailable = snapshot.get("unavailable") or {}
    for key in ("partitions", "indexes"):
        count = str(len(snapshot.get(key) or ()))
        yield Fact(label=key.capitalize(), value=str(unavailable.get(key) or count))
    aliases = ", ".join(map(readable, snapshot.get("aliases") or ())) or "none"
    yield Fact(label="Aliases", value=str(unavailable.get("aliases") or aliases))


# --- what is created again ------------------------------------------------------------------------

SHOWN = 20  # names in one line
PARTS = ("partitions", "indexes")


def creation_facts(look: TargetState) -> Iterator[Fact]:
    """What will be created, or what an earlier operation left out; and what will not be."""
    creation, detail = look.creation, look.detail
    assert creation  # noqa: S101 (it is asked of nothing else)
    yield Fact(label="Rows", value="None. A snapshot has no rows.")
    if creation.existing:
        id_ = creation.existing.id
        there = f"The collection exists{f' (id {id_})' if id_ else ''}; what is missing is added."
        yield Fact(label="Created before", value=there)
    else:
        yield from _settings(detail)
    key_partitions = f"{creation.blueprint.key_partitions}, by Milvus, for the partition key"
    partitions = key_partitions if creation.blueprint.is_keyed else _few(creation.partitions)
    yield Fact(label="Partitions", value=partitions)
    indexes = [f"{i['index_name']} on {i['field_name']}" for i in creation.indexes]
    yield Fact(label="Indexes", value=_few(indexes))
    yield Fact(label="Aliases", value=_not_set(detail.aliases))
    yield Fact(label="State", value="Not loaded")


def _settings(detail: CollectionDetail) -> Iterator[Fact]:
    count = len(detail.fields)
    more = ", and dynamic fields" if detail.dynamic_fields else ""
    yield Fact(label="Schema", value=f"{count} field{'' if count == 1 else 's'}{more}")
    yield Fact(label="Shards", value=str(detail.shards))
    yield Fact(label="Consistency", value=detail.consistency or "unknown")
    for key, value in detail.properties.items():
        yield Fact(label=key, value=readable(value))


def _few(names: Iterable[str]) -> str:
    """Names as HTML, as many as can be read at a glance."""
    every = list(names)
    more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return format_html("{}{}", _joined(every[:SHOWN], name), more)


def _not_set(aliases: tuple[str, ...] | Unread) -> str:
    if isinstance(aliases, Unread) or not aliases:
        return _joined(aliases, name)
    return format_html("Not set: {}", _joined(aliases, name))


def made_facts(made: dict[str, Any]) -> list[Fact]:
    """What a read-back found of what was created."""
    snapshot, missing = made["snapshot"], made["missing"]
    return [
        Fact(label="Id", value=str(made["identity"]["id"] or "none on this server")),
        *(Fact(label=key.capitalize(), value=str(len(snapshot[key]))) for key in PARTS),
        Fact(label="Missing", value=_few(missing)),
    ]
