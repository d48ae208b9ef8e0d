"""The rows of collections and of partitions, each with what this person may do about it."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from django.utils.translation import gettext

from ..access.policy import Action, Permissions, Place, place_of, removal_on
from ..milvus import types
from ..milvus.types import CollectionDetail, CollectionSummary, Kind, Partition, Target, Unread
from ..operations.kinds.acts import ACTS
from ..operations.kinds.base import other
from ..operations.kinds.drop_partition import undroppable
from . import links
from .protections import Standing
from .shown import shown
from .tables import CollectionRow, PartitionRow, RowAct

if TYPE_CHECKING:
    from ..models import Claim

Claims = Callable[[Target], "Claim | None"]


def collection_target(database: Place, name: str) -> Target:
    """What operations on a collection of that database are aimed at."""
    return Target(
        cluster=database.cluster,
        database=database.database or "default",
        kind=Kind.COLLECTION,
        collection=name,
        name=name,
    )


def collection_rows(
    rows: Iterable[types.CollectionRow],
    database: Place,
    summaries: Mapping[str, CollectionSummary],
    permissions: Permissions,
    claims: Claims,
    standing: Standing,
) -> list[CollectionRow]:
    """The rows of those collections of a database. Each right is decided once."""
    return [
        CollectionRow(
            name=row.name,
            url=links.collection(target.cluster, target.database, row.name),
            load=row.load,
            created=row.identity.created,
            summary=summaries.get(row.name),
            act=_remove_collection(target, permissions, claims, protection),
            protection=protection,
            id=row.identity.id,
        )
        for row in rows
        for target in [collection_target(database, row.name)]
        for protection in [standing.reason(row.name, row.identity.id)]
    ]


def _remove_collection(
    target: Target, permissions: Permissions, claims: Claims, protection: str
) -> RowAct:
    """The operation in progress, the link to the dialog, or what keeps everybody from it."""
    if claim := claims(target):
        return RowAct(claim=claim)
    if protection:
        return RowAct(badge=gettext("Protected"), reason=shown(protection))
    action = removal_on(target.cluster)
    if permissions.may(action, place_of(target)):
        to_bin = action is Action.MOVE_TO_BIN
        return RowAct(
            url=links.act(action, target),
            label=f"{shown(ACTS[action].title(target))}…"
            if to_bin
            else gettext("Drop %(name)s…") % {"name": target.name},
            text=gettext("Move to bin…") if to_bin else gettext("Drop…"),
            pick=_pick(target),
        )
    return RowAct()


def partition_rows(
    detail: CollectionDetail,
    collection: Target,
    partitions: Iterable[Partition],
    counts: Mapping[str, int | Unread],
    claims: Claims,
) -> list[PartitionRow]:
    """The rows of those partitions. `counts` are their rows, by name."""
    return [
        PartitionRow(
            partition=partition,
            rows=counts.get(partition.name),
            act=_drop_partition(detail, target, claims),
        )
        for partition in partitions
        for target in [other(collection, Kind.PARTITION, partition.name)]
    ]


def _drop_partition(detail: CollectionDetail, target: Target, claims: Claims) -> RowAct:
    if claim := claims(target):
        return RowAct(claim=claim)
    if blocked := undroppable(detail, target.name):
        return RowAct(badge=gettext("Can't be dropped"), reason=shown(blocked[0].text))
    url = links.act(Action.DROP_PARTITION, target)
    label = gettext("Drop partition %(name)s…") % {"name": target.name}
    return RowAct(url=url, label=label, text=gettext("Drop…"), pick=_pick(target))


def _pick(target: Target) -> str:
    return gettext("Select %(name)s") % {"name": target.name}
