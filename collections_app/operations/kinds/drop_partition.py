"""Drop a partition with all its rows."""

from dataclasses import replace
from typing import TYPE_CHECKING

from ...access.policy import Action
from ...milvus.errors import NotFound
from ...milvus.types import (
    CollectionDetail,
    Identity,
    Load,
    Partition,
    ServerInfo,
    Target,
    Unread,
)
from .base import (
    Blocker,
    Condition,
    DirectOperation,
    TargetState,
    collection_now,
    known,
    strict_notes,
)

if TYPE_CHECKING:
    from ...milvus.destroy import Destroyer
    from ...milvus.gateway import Gateway

DEFAULT_PARTITION = "_default"
NOT_STRICT = (
    "Strict mode can't cover partitions, because Milvus can't rename them. A replacement between "
    "the last check and the drop would not be noticed."
)
NO_WAY_BACK = (
    "The recycle bin does not cover partitions, because Milvus can't rename them. There is no way "
    "to get this partition back."
)
COLLECTION_GONE = (
    "Its whole collection no longer exists either. This operation did not request that: find out "
    "who dropped it, or whether Milvus did."
)


class DropPartition(DirectOperation):
    action = Action.DROP_PARTITION
    is_irreversible = True

    def _read(self, gateway: "Gateway", target: Target) -> TargetState:
        partition, state = read_partition(gateway, target)
        blockers = undroppable(state.detail, partition.name)
        if not blockers and not state.server.lite:
            blockers = _loaded(partition, target)
        return replace(
            state,
            blockers=blockers,
            passed=_passed(state.detail, partition),
            notes=_notes(partition, state.server)
            + strict_notes(gateway, NOT_STRICT)
            + ((NO_WAY_BACK,) if gateway.cluster.recycle_bin else ()),
        )

    def act(self, destroyer: "Destroyer", target: Target) -> None:
        destroyer.drop_partition(target.database, target.collection, target.name)

    def is_done(self, gateway: "Gateway", target: Target, identity: Identity) -> bool:
        return partition_now(gateway, target, identity) is None

    def side_effect(self, gateway: "Gateway", target: Target, identity: Identity) -> str:
        """Builds of Milvus 2.6 of November 2025 dropped the whole collection (issue #45476)."""
        there = collection_now(gateway, target, identity.collection_id)
        return "" if there else COLLECTION_GONE


def read_partition(gateway: "Gateway", target: Target) -> tuple[Partition, TargetState]:
    """The partition inside its collection. Raises as `read_state` does: unreadable is not gone.

    On Milvus Lite partitions have no identity, so the collection's fingerprint stands in.
    """
    detail = gateway.collection(target.database, target.collection)
    known(detail.partitions, "The partitions")
    partition = detail.partition(target.name)
    if partition is None:
        raise NotFound(f"partition not found[partition={target.name}]")
    rows = gateway.partition_rows(target.database, target.collection, [target.name])
    own = replace(partition.identity, collection_id=detail.identity.id)
    identity = own if own.verifiable else detail.identity
    return partition, TargetState(
        identity=identity,
        server=gateway.server(target.database),
        detail=detail,
        partition=partition,
        rows=rows.get(target.name, Unread.UNKNOWN),
    )


def partition_now(gateway: "Gateway", target: Target, identity: Identity) -> Partition | None:
    """The partition as it is now; None if it or its collection is gone. A namesake is another.

    Raises Denied or Unreachable, also when only the partitions can't be read; NotFound if its
    collection goes, or gets another name, at this very moment.
    """
    name = collection_now(gateway, target, identity.collection_id)
    found = () if name is None else gateway.partitions(target.database, name)
    named = next((p for p in found if p.name == target.name), None)
    if named and identity.verifiable and named.identity.verifiable:
        return named if named.identity.id == identity.id else None
    return named


def undroppable(detail: CollectionDetail, name: str) -> tuple[Blocker, ...]:
    """Partitions Milvus never drops: no button, and a crafted request is refused."""
    if detail.partition_key:
        text = (
            f"This collection is split by its partition key, {detail.partition_key}. "
            "Milvus can't drop its partitions one by one."
        )
        return (Blocker(text=text),)
    if name == DEFAULT_PARTITION:
        return (
            Blocker(text="Every collection keeps its default partition. Milvus never drops it."),
        )
    return ()


def _loaded(partition: Partition, target: Target) -> tuple[Blocker, ...]:
    if not isinstance(partition.load, Load) or not partition.load.held:
        return ()
    return (
        Blocker(
            text="It is loaded. Milvus refuses to drop it until it is released.",
            remedy=Action.RELEASE_PARTITION,
            remedy_target=target,
            remedy_label="Release partition…",
        ),
    )


def _passed(detail: CollectionDetail, partition: Partition) -> tuple[Condition, ...]:
    if undroppable(detail, partition.name):
        return ()
    is_released = isinstance(partition.load, Load) and not partition.load.held
    return (Condition.DROPPABLE, *((Condition.NOT_LOADED,) if is_released else ()))


def _notes(partition: Partition, server: ServerInfo) -> tuple[str, ...]:
    if isinstance(partition.load, Unread):
        return (
            f"Its load state is {partition.load.value}. Milvus refuses the drop if it is loaded.",
        )
    if server.lite and partition.load.held:
        return ("It is loaded. Milvus Lite drops loaded partitions, too.",)
    return ()
