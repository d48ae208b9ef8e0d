"""Drop a collection with everything in it."""

from typing import TYPE_CHECKING

from ..access import Action
from ..milvus.types import CollectionDetail, Identity, Kind, ServerInfo, Target, Unread
from .base import Blocker, Look, Operation, other

if TYPE_CHECKING:
    from ..milvus.destroy import Destroyer
    from ..milvus.gateway import Gateway


class DropCollection(Operation):
    action = Action.DROP_COLLECTION
    kind = Kind.COLLECTION
    verb = "Drop"
    done_word = "dropped"

    def look(self, gateway: "Gateway", target: Target) -> Look:
        detail = gateway.collection(target.database, target.name)
        server = gateway.server(target.database)
        return Look(
            identity=detail.identity,
            server=server,
            detail=detail,
            rows=detail.rows,
            blockers=_alias_blockers(detail, server, target),
            notes=_notes(detail, server),
        )

    def act(self, destroyer: "Destroyer", target: Target) -> None:
        destroyer.drop_collection(target.database, target.name)

    def is_done(self, gateway: "Gateway", target: Target, identity: Identity) -> bool:
        return collection_gone(gateway, target, identity)


def collection_gone(gateway: "Gateway", target: Target, identity: Identity) -> bool:
    """Nothing bears the name any more, or something else does. Without ids: nothing does."""
    now = gateway.collection_identity(target.database, target.collection)
    return now is None or (now.verifiable and identity.verifiable and now != identity)


def _alias_blockers(
    detail: CollectionDetail, server: ServerInfo, target: Target
) -> tuple[Blocker, ...]:
    """Milvus 2.5.5 and later refuse; older ones leave the alias behind, pointing at nothing."""
    if server.lite or detail.aliases is Unread.NOT_PERMITTED:
        return ()
    if isinstance(detail.aliases, Unread):
        return (Blocker(text="Its aliases could not be read just now. Try again in a moment."),)
    return tuple(
        Blocker(
            text=f"The alias {alias} points here. It has to be dropped first.",
            remedy=Action.DROP_ALIAS,
            remedy_target=other(target, Kind.ALIAS, alias),
            remedy_label="Drop alias…",
        )
        for alias in detail.aliases
    )


def _notes(detail: CollectionDetail, server: ServerInfo) -> tuple[str, ...]:
    notes = []
    if detail.load == Unread.UNKNOWN or getattr(detail.load, "held", False):
        notes.append("It is loaded: searches that use it fail from that moment on.")
    if server.lite and detail.aliases and not isinstance(detail.aliases, Unread):
        notes.append(f"Its aliases go with it: {', '.join(detail.aliases)}.")
    if detail.aliases is Unread.NOT_PERMITTED:
        notes.append("Its aliases may not be read, so nobody can say whether one is in use.")
    return tuple(notes)
