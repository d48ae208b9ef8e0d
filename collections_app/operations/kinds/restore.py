"""Restore a collection from the recycle bin: the very same one, under its name or another."""

from typing import TYPE_CHECKING

from ...access.policy import Action
from ...milvus.types import Identity, Target
from .binned import BinnedOperation

if TYPE_CHECKING:
    from ...milvus.destroy import Destroyer
    from ...milvus.gateway import Gateway


class Restore(BinnedOperation):
    action = Action.RESTORE
    is_irreversible = False
    proof = "Verified: this very collection has the name now."
    asks_for_name = False

    def act(self, destroyer: "Destroyer", target: Target) -> None:
        raise NotImplementedError("operations/bin_moves.py knows its new name")

    def is_done(self, gateway: "Gateway", target: Target, identity: Identity) -> bool:
        raise NotImplementedError("operations/bin_moves.py knows its new name")
