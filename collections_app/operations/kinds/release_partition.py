"""Release a partition from memory; its rows stay. The first step before dropping a loaded one."""

from dataclasses import replace
from typing import TYPE_CHECKING

from ...access.policy import Action
from ...milvus.errors import Unreachable
from ...milvus.types import Identity, Target, Unread
from .base import Blocker, DirectOperation, TargetState
from .drop_partition import partition_now, read_partition
from .release_collection import SEARCHES_FAIL, if_loaded, unless_loaded

if TYPE_CHECKING:
    from ...milvus.destroy import Destroyer
    from ...milvus.gateway import Gateway

LITE = Blocker(text="Milvus Lite can't release a single partition.")


class ReleasePartition(DirectOperation):
    action = Action.RELEASE_PARTITION
    is_irreversible = False
    proof = "Verified: it is no longer loaded."

    def _read(self, gateway: "Gateway", target: Target) -> TargetState:
        _, state = read_partition(gateway, target)
        blockers = (LITE,) if state.server.lite else unless_loaded(state)
        return replace(state, blockers=blockers, passed=if_loaded(state), notes=(SEARCHES_FAIL,))

    def act(self, destroyer: "Destroyer", target: Target) -> None:
        destroyer.release_partition(target.database, target.collection, target.name)

    def is_done(self, gateway: "Gateway", target: Target, identity: Identity) -> bool:
        found = partition_now(gateway, target, identity)
        if found is None:
            return True
        if isinstance(found.load, Unread):
            raise Unreachable(f"The load state is {found.load.value}")
        return not found.load.held
