"""Set an alias again that a collection had before it was moved to the bin, or dropped."""

from typing import TYPE_CHECKING

from ...access.policy import Action
from ...milvus.types import Identity, Target
from .base import Blocker, DirectOperation, TargetState, is_name_taken, known
from .restored import restored

if TYPE_CHECKING:
    from ...milvus.destroy import Destroyer
    from ...milvus.gateway import Gateway

NOT_OFFERED = (
    "Milvus Admin sets an alias only after it restored or re-created the collection, and only one "
    "that it had before. Set it with your own client."
)
TAKEN = "Something uses the name {} now: another alias or a collection."


class SetAlias(DirectOperation):
    action = Action.SET_ALIAS
    is_irreversible = False
    proof = "Verified: it points to the collection."
    asks_for_name = False

    def _read(self, gateway: "Gateway", target: Target) -> TargetState:
        """The identity compared is the collection's: an alias has none of its own."""
        detail = gateway.collection(target.database, target.collection)
        return TargetState(
            identity=detail.identity,
            server=gateway.server(target.database),
            detail=detail,
            rows=detail.rows,
            blockers=_blockers(gateway, target, detail.identity),
            notes=("Clients that use this name will find the collection again.",),
        )

    def act(self, destroyer: "Destroyer", target: Target) -> None:
        destroyer.create_alias(target.database, target.collection, target.name)

    def is_done(self, gateway: "Gateway", target: Target, identity: Identity) -> bool:
        detail = gateway.collection(target.database, target.collection)
        return target.name in known(detail.aliases, "The aliases") and detail.identity == identity


def _blockers(gateway: "Gateway", target: Target, identity: Identity) -> tuple[Blocker, ...]:
    if target.name not in restored(target, identity).aliases:
        return (Blocker(text=NOT_OFFERED),)
    taken = is_name_taken(gateway, target.database, target.name)
    return (Blocker(text=TAKEN.format(target.name)),) if taken else ()
