"""What the acts on a collection in the recycle bin have in common: it is found by its item."""

from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models import QuerySet

from ...audit.events import intent_of
from ...milvus.errors import NotFound
from ...milvus.types import Identity, Kind, Target, Unread
from ...models import BinItem
from .base import Condition, Operation, TargetState

if TYPE_CHECKING:
    from ...milvus.gateway import Gateway

NOT_THERE = "it is not in the recycle bin any more"


class BinnedOperation(Operation):
    """An act on what is in the bin. Whoever succeeds takes it out of the index."""

    def _read(self, gateway: "Gateway", target: Target) -> TargetState:
        item = item_at(target)
        detail = gateway.collection(target.database, target.name)
        changes = changes_since(item, detail.identity, detail.rows)
        return TargetState(
            identity=detail.identity,
            server=gateway.server(target.database),
            detail=detail,
            rows=detail.rows,
            passed=() if changes else (Condition.AS_IT_WENT_IN,),
            notes=changes,
        )

    def on_success(self, operation_id: UUID) -> None:
        """Take it out of the index of the bin."""
        if intent := intent_of(operation_id):
            _items(intent.target).delete()


def item_at(target: Target) -> BinItem:
    """The item of a target in the bin. Raises NotFound."""
    found = _items(target).first()
    if found is None:
        raise NotFound(NOT_THERE)
    return found


def item_of(moved: UUID) -> BinItem | None:
    """What that operation moved to the bin, while it is there."""
    return BinItem.objects.filter(pk=moved).first()


def _items(target: Target) -> QuerySet[BinItem]:
    """One or none."""
    return BinItem.objects.filter(
        private_name=target.name,
        cluster=target.cluster,
        database=target.database,
        name=target.collection,
    )


def target_of(item: BinItem) -> Target:
    """What operations on an item are aimed at."""
    return Target(
        cluster=item.cluster,
        database=item.database,
        kind=Kind.BINNED,
        collection=item.name,
        name=item.private_name,
    )


def identity_of(item: BinItem) -> Identity:
    """What went into the bin."""
    return Identity(id=item.collection_id, created_ms=item.created_ms, fingerprint=item.fingerprint)


def changes_since(item: BinItem, found: Identity, rows: int | Unread) -> tuple[str, ...]:
    """What others did to it in the bin, as far as a look shows."""
    if found != identity_of(item):
        return (f"Another collection has its place, id {found.id}.",)
    if isinstance(rows, int) and item.rows is not None and rows != item.rows:
        more = " It may have been truncated." if rows < item.rows else ""
        return (f"It had about {item.rows:,} rows when it went in, and has {rows:,} now.{more}",)
    return ()
