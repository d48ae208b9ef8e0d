"""Purge a collection from the recycle bin: drop it under the name that nobody else uses."""

from dataclasses import replace
from typing import TYPE_CHECKING

from ...access.policy import Action
from ...milvus.types import Identity, Target
from .base import Blocker, Look
from .binned import BinnedOperation
from .drop_collection import alias_blockers, name_and_id_gone

if TYPE_CHECKING:
    from ...milvus.destroy import Destroyer
    from ...milvus.gateway import Gateway


class Purge(BinnedOperation):
    action = Action.PURGE
    verb = "Purge"
    done_word = "purged"

    def title(self, target: Target) -> str:
        return f"Purge collection {target.collection}"

    def read(self, gateway: "Gateway", target: Target) -> Look:
        look = super().read(gateway, target)
        aliases = alias_blockers(look.detail, look.server, target)
        # Without a remedy: in the bin nothing but the three acts of the bin is offered.
        return replace(look, blockers=tuple(Blocker(text=b.text) for b in aliases))

    def act(self, destroyer: "Destroyer", target: Target) -> None:
        destroyer.drop_collection(target.database, target.name)

    def is_done(self, gateway: "Gateway", target: Target, identity: Identity) -> bool:
        return name_and_id_gone(gateway, target.database, target.name, identity)
