"""Load a collection again that was loaded before it was moved to the bin, or dropped."""

from typing import TYPE_CHECKING

from ...access.policy import Action
from ...milvus.types import Identity, Target
from .base import Blocker, DirectOperation, TargetState, known
from .restored import restored

if TYPE_CHECKING:
    from ...milvus.destroy import Destroyer
    from ...milvus.gateway import Gateway

NOT_OFFERED = Blocker(
    text="Milvus Admin loads a collection only after it restored or re-created it, and only if it "
    "was loaded before. Load it with your own client."
)


class LoadCollection(DirectOperation):
    action = Action.LOAD_COLLECTION
    is_irreversible = False
    proof = "Verified: Milvus is loading it, or has loaded it."
    asks_for_name = False

    def _read(self, gateway: "Gateway", target: Target) -> TargetState:
        detail = gateway.collection(target.database, target.name)
        return TargetState(
            identity=detail.identity,
            server=gateway.server(target.database),
            detail=detail,
            rows=detail.rows,
            blockers=() if restored(target, detail.identity).was_loaded else (NOT_OFFERED,),
            notes=("It takes memory as long as it is loaded.",),
        )

    def act(self, destroyer: "Destroyer", target: Target) -> None:
        """With as many replicas as it had: whoever read the state knows that it came back."""
        replicas = restored(target, None).replicas
        destroyer.load_collection(target.database, target.name, replicas)

    def is_done(self, gateway: "Gateway", target: Target, identity: Identity) -> bool:
        """Loaded or on the way to it, and still this collection."""
        detail = gateway.collection(target.database, target.name)
        return detail.identity == identity and known(detail.load, "The load state").held
