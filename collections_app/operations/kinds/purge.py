"""Purge a collection from the recycle bin: drop it under the name that nobody else uses."""

from dataclasses import replace
from typing import TYPE_CHECKING

from ...access.policy import Action
from ...milvus.types import Identity, Target
from .base import Blocker, DirectOperation, TargetState
from .binned import BinnedOperation
from .drop_collection import alias_blockers, name_and_id_gone, without_alias

if TYPE_CHECKING:
    from ...milvus.destroy import Destroyer
    from ...milvus.gateway import Gateway


class Purge(BinnedOperation, DirectOperation):
    action = Action.PURGE
    is_irreversible = True

    def _read(self, gateway: "Gateway", target: Target) -> TargetState:
        state = super()._read(gateway, target)
        aliases = alias_blockers(state.detail, state.server, target)
        # Without a remedy: in the bin nothing but the three acts of the bin is offered.
        passed = state.passed + without_alias(state.detail)
        return replace(state, blockers=tuple(Blocker(text=b.text) for b in aliases), passed=passed)

    def act(self, destroyer: "Destroyer", target: Target) -> None:
        destroyer.drop_collection(target.database, target.name)

    def is_done(self, gateway: "Gateway", target: Target, identity: Identity) -> bool:
        return name_and_id_gone(gateway, target.database, target.name, identity)
