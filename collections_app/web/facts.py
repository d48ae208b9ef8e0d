"""Lists of facts about a target: in the dialog, and on the page of an operation."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext, gettext_lazy, ngettext, pgettext

from ..milvus.types import CollectionDetail, Index, Kind, Target, Unread
from ..names import readable
from ..operations.kinds.base import TargetState
from .display import ago, at, in_full, name, state
from .shown import comma, listed, shown, word

PARTS = {"partitions": gettext_lazy("Partitions"), "indexes": gettext_lazy("Indexes")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A line of a list of facts. `value` may be HTML that is safe."""

    label: str
    value: str


def dialog_facts(target: Target, look: TargetState) -> Iterator[Fact]:
    """What would be lost."""
    size = pgettext("between parts", ", ").join(_size(target, look))
    yield Fact(label=gettext("Rows"), value=size)
    created = look.identity.created
    yield Fact(
        label=gettext("Created"),
        value=pgettext("between parts", ", ").join((ago(created), at(created)))
        if created
        else word("unknown"),
    )
    yield Fact(label=gettext("State"), value=state(look.load))
    if look.detail.external:
        source = look.detail.external.source
        yield Fact(label=gettext("Data outside Milvus"), value=name(source or word("unknown")))
    if target.kind is Kind.COLLECTION:
        yield Fact(label=gettext("Indexes"), value=_joined(look.detail.indexes, _index))
        yield Fact(label=gettext("Aliases"), value=_joined(look.detail.aliases, name))


def stored_rows(rows: int | Unread, *, is_exact: bool, detail: CollectionDetail) -> str:
    """A count of rows. What a server stores may include deleted ones."""
    is_stored = not isinstance(rows, Unread) and not detail.external
    count = in_full(rows, is_exact)
    return gettext("%(count)s stored") % {"count": count} if is_stored else count


def _size(target: Target, look: TargetState) -> Iterator[str]:
    yield stored_rows(look.rows, is_exact=look.server.lite, detail=look.detail)
    partitions = look.detail.partitions
    if target.kind is Kind.COLLECTION and not isinstance(partitions, Unread):
        count = len(partitions)
        text = ngettext("in %(count)s partition", "in %(count)s partitions", count)
        yield text % {"count": count}


def _index(index: Index) -> str:
    return format_html(gettext("{} on {}"), index.type, name(index.field))


def _joined(values: Iterable[Any] | Unread, shown: Any) -> str:
    """The values as HTML; why they are unknown; or "none"."""
    if isinstance(values, Unread):
        return word(values.value)
    return format_html_join(comma(), "{}", ((shown(value),) for value in values)) or gettext("none")


def snapshot_facts(target: Target, details: dict[str, Any]) -> list[Fact]:
    """What an intent kept of the target's state before the drop."""
    snapshot = details.get("snapshot") or {}
    before = snapshot if target.kind is Kind.NEW else details  # of what was dropped
    facts = [
        Fact(label=gettext("Rows"), value=in_full(before.get("rows"))),
        Fact(label=gettext("State"), value=_load(before.get("load"), snapshot)),
    ]
    if target.noun is Kind.COLLECTION:
        facts += _collection_facts(snapshot)
    if source := (snapshot.get("describe") or {}).get("external_source"):
        facts.append(Fact(label=gettext("Data outside Milvus"), value=name(source)))
    return [*facts, Fact(label=gettext("Server"), value=str(details.get("server_version") or ""))]


def _load(text: str | None, snapshot: dict[str, Any]) -> str:
    """The load state, and in how many replicas if that is more than one."""
    replicas = snapshot.get("replicas") or 0
    state = shown(text or "unknown")
    if replicas <= 1:
        return state
    return gettext("%(state)s, in %(count)s replicas") % {"state": state, "count": replicas}


def _collection_facts(snapshot: dict[str, Any]) -> Iterator[Fact]:
    unavailable = snapshot.get("unavailable") or {}
    for key, label in PARTS.items():
        count = str(len(snapshot.get(key) or ()))
        yield Fact(label=str(label), value=word(unavailable.get(key)) or count)
    aliases = listed(map(readable, snapshot.get("aliases") or ())) or gettext("none")
    yield Fact(label=gettext("Aliases"), value=word(unavailable.get("aliases")) or aliases)


# --- what is created again ------------------------------------------------------------------------

SHOWN = 20  # names in one line


def creation_facts(look: TargetState) -> Iterator[Fact]:
    """What will be created, or what an earlier operation left out; and what will not be."""
    creation, detail = look.creation, look.detail
    assert creation  # noqa: S101 (it is asked of nothing else)
    yield Fact(label=gettext("Rows"), value=gettext("None. A snapshot has no rows."))
    if creation.existing:
        id_ = creation.existing.id
        if id_:
            text = gettext("The collection exists (id %(id)s); what is missing is added.")
            there = text % {"id": id_}
        else:
            there = gettext("The collection exists; what is missing is added.")
        yield Fact(label=gettext("Created before"), value=there)
    else:
        yield from _settings(detail)
    count = {"count": creation.blueprint.key_partitions}
    key_partitions = gettext("%(count)s, by Milvus, for the partition key") % count
    partitions = key_partitions if creation.blueprint.is_keyed else _few(creation.partitions)
    yield Fact(label=gettext("Partitions"), value=partitions)
    on = gettext("%(index)s on %(field)s")
    indexes = [on % {"index": i["index_name"], "field": i["field_name"]} for i in creation.indexes]
    yield Fact(label=gettext("Indexes"), value=_few(indexes))
    yield Fact(label=gettext("Aliases"), value=_not_set(detail.aliases))
    yield Fact(label=gettext("State"), value=word("Not loaded"))


def _settings(detail: CollectionDetail) -> Iterator[Fact]:
    count = len(detail.fields)
    text = ngettext("%(count)s field", "%(count)s fields", count)
    if detail.dynamic_fields:
        text = ngettext(
            "%(count)s field, and dynamic fields", "%(count)s fields, and dynamic fields", count
        )
    yield Fact(label=gettext("Schema"), value=text % {"count": count})
    yield Fact(label=gettext("Shards"), value=str(detail.shards))
    yield Fact(label=gettext("Consistency"), value=detail.consistency or word("unknown"))
    for key, value in detail.properties.items():
        yield Fact(label=key, value=readable(value))


def _few(names: Iterable[str]) -> str:
    """Names as HTML, as many as can be read at a glance."""
    every = list(names)
    first = _joined(every[:SHOWN], name)
    if len(every) <= SHOWN:
        return first
    return format_html(gettext("{} and {} more"), first, len(every) - SHOWN)


def _not_set(aliases: tuple[str, ...] | Unread) -> str:
    if isinstance(aliases, Unread) or not aliases:
        return _joined(aliases, name)
    return format_html(gettext("Not set: {}"), _joined(aliases, name))


def made_facts(made: dict[str, Any]) -> list[Fact]:
    """What a read-back found of what was created."""
    snapshot, missing = made["snapshot"], made["missing"]
    return [
        Fact(
            label=gettext("Id"), value=str(made["identity"]["id"] or gettext("none on this server"))
        ),
        *(Fact(label=str(label), value=str(len(snapshot[key]))) for key, label in PARTS.items()),
        Fact(label=gettext("Missing"), value=_few(missing)),
    ]
