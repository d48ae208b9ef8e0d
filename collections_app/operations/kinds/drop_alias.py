"""Drop an alias; the collection it points to stays."""

from typing import TYPE_CHECKING

from ...access.policy import Action
from ...milvus.errors import NotFound
from ...milvus.types import Identity, Target
from .base import DirectOperation, TargetState, known

if TYPE_CHECKING:
    from ...milvus.destroy import Destroyer
    from ...milvus.gateway import Gateway


class DropAlias(DirectOperation):
    action = Action.DROP_ALIAS
    is_irreversible = True

    def _read(self, gateway: "Gateway", target: Target) -> TargetState:
        """The identity compared is the collection's: an alias has none of its own."""
        detail = gateway.collection(target.database, target.collection)
        if target.name not in known(detail.aliases, "The aliases"):
            raise NotFound(f"alias not found[alias={target.name}]")
        note = f"Clients that use the name {target.name} will no longer find the collection."
        return TargetState(
            identity=detail.identity,
            server=gateway.server(target.database),
            detail=detail,
            rows=detail.rows,
            notes=(note,),
        )

    def act(self, destroyer: "Destroyer", target: Target) -> None:
        destroyer.drop_alias(target.database, target.name)

    def is_done(self, gateway: "Gateway", target: Target, identity: Identity) -> bool:
        """Gone altogether: one that was pointed elsewhere meanwhile still exists."""
        return not gateway.alias_exists(target.database, target.name)
