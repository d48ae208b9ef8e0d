"""Restore a collection from the recycle bin: the very same one, under its name or another."""

from typing import TYPE_CHECKING

from ...access.policy import Action
from ...milvus.types import Target
from .base import is_name_taken
from .binned import BinnedOperation

if TYPE_CHECKING:
    from ...milvus.gateway import Gateway


class Restore(BinnedOperation):
    action = Action.RESTORE
    is_irreversible = False
    proof = "Verified: this very collection has the name now."
    asks_for_name = False

    def refuses_name(self, gateway: "Gateway", target: Target) -> bool:
        """Milvus decides all the same: it refuses a rename to a name in use (seen: 2.3.5)."""
        return is_name_taken(gateway, target.database, target.collection)
