"""Release a collection from memory; its data stays."""

from dataclasses import replace
from typing import TYPE_CHECKING

from ...access.policy import Action
from ...milvus.types import Identity, Load, Target
from .base import Blocker, Condition, DirectOperation, TargetState, collection_now

if TYPE_CHECKING:
    from ...milvus.destroy import Destroyer
    from ...milvus.gateway import Gateway

NOT_LOADED = Blocker(text="It is not loaded, so there is nothing to release.")
LITE_KEEPS = Blocker(text="Milvus Lite can't release a collection that has no index.")
SEARCHES_FAIL = "Searches that use it fail until it is loaded again. No data is lost."


class ReleaseCollection(DirectOperation):
    action = Action.RELEASE_COLLECTION
    is_irreversible = False
    proof = "Verified: it is no longer loaded."

    def _read(self, gateway: "Gateway", target: Target) -> TargetState:
        detail = gateway.collection(target.database, target.name)
        state = TargetState(
            identity=detail.identity,
            server=gateway.server(target.database),
            detail=detail,
            rows=detail.rows,
            notes=(SEARCHES_FAIL,),
        )
        keeps = state.server.lite and not detail.indexes
        blockers = (LITE_KEEPS,) if keeps else unless_loaded(state)
        return replace(state, blockers=blockers, passed=if_loaded(state))

    def act(self, destroyer: "Destroyer", target: Target) -> None:
        destroyer.release_collection(target.database, target.name)

    def is_done(self, gateway: "Gateway", target: Target, identity: Identity) -> bool:
        name = collection_now(gateway, target, identity.id)
        return name is None or not gateway.load(target.database, name).held


def if_loaded(state: TargetState) -> tuple[Condition, ...]:
    is_loaded = isinstance(state.load, Load) and state.load.held
    return (Condition.LOADED,) if is_loaded else ()


def unless_loaded(state: TargetState) -> tuple[Blocker, ...]:
    return (NOT_LOADED,) if isinstance(state.load, Load) and not state.load.held else ()
