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
    verb = "Restore"
    done_word = "restored"
    is_irreversible = False
    proof = "Verified: the collection with this id has this name."

    def title(self, target: Target) -> str:
        return f"Restore collection {target.collection}"

    def act(self, destroyer: "Destroyer", target: Target) -> None:
        raise NotImplementedError("operations/bin_moves.py knows its new name")

    def is_done(self, gateway: "Gateway", target: Target, identity: Identity) -> bool:
        raise NotImplementedError("operations/bin_moves.py knows its new name")
