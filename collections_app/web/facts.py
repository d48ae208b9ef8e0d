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
    for label, text in look.effects:
        yield Fact(label=label, value=text)


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
    facts = [
        Fact(label="Rows", value=in_full(details.get("rows"))),
        Fact(label="State", value=str(details.get("load") or "unknown")),
    ]
    snapshot = details.get("snapshot") or {}
    if target.kind is Kind.COLLECTION:
        facts += _collection_facts(snapshot)
    if source := (snapshot.get("describe") or {}).get("external_source"):
        facts.append(Fact(label="Data outside Milvus", value=name(source)))
    return [*facts, Fact(label="Server", value=str(details.get("server_version") or ""))]


def _collection_facts(snapshot: dict[str, Any]) -> Iterator[Fact]:
    unavailable = snapshot.get("unavailable") or {}
    for key in ("partitions", "indexes"):
        count = str(len(snapshot.get(key) or ()))
        yield Fact(label=key.capitalize(), value=str(unavailable.get(key) or count))
    aliases = ", ".join(map(readable, snapshot.get("aliases") or ())) or "none"
    yield Fact(label="Aliases", value=str(unavailable.get("aliases") or aliases))
