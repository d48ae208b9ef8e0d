"""Drop a collection with everything in it."""

from typing import TYPE_CHECKING

from ...access.policy import Action
from ...milvus.errors import Denied, MilvusRejected
from ...milvus.types import CollectionDetail, Identity, Kind, ServerInfo, Target, Unread
from ...milvus.versions import Safety, rename_verdict
from ..private_names import DROP
from .base import Blocker, Condition, DirectOperation, TargetState, other, strict_notes

if TYPE_CHECKING:
    from ...milvus.destroy import Destroyer
    from ...milvus.gateway import Gateway


# Read: docs.zilliz.com/docs/manage-external-collections-console, "Drop an external collection".
EXTERNAL = (
    "This is an external collection. The drop deletes its schema, its indexes and the metadata "
    "of the source. It does not delete the data outside Milvus."
)
STRICT = (
    "Strict mode: Milvus Admin renames it to a temporary name, checks its id, and drops it under "
    "that name. Clients can't find it from the rename on."
)
NO_RENAME = "This cluster has strict_drop, which renames a collection before the drop."
NOTHING_DROPPED = "Turn strict_drop off or change the version of Milvus to drop collections."


class DropCollection(DirectOperation):
    action = Action.DROP_COLLECTION
    is_irreversible = True

    def _read(self, gateway: "Gateway", target: Target) -> TargetState:
        version = gateway.begin_server(target.database)
        detail, server = gateway.collection(target.database, target.name), version()
        strict = _strict_blockers(gateway, detail, server, target)
        is_strict = gateway.cluster.strict_drop and not strict
        return TargetState(
            identity=detail.identity,
            server=server,
            detail=detail,
            rows=detail.rows,
            blockers=strict or alias_blockers(detail, server, target),
            passed=((Condition.RENAMABLE,) if is_strict else ()) + without_alias(detail),
            notes=_notes(detail, server) + _strict_notes(gateway, server),
        )

    def act(self, destroyer: "Destroyer", target: Target) -> None:
        destroyer.drop_collection(target.database, target.name)

    def is_done(self, gateway: "Gateway", target: Target, identity: Identity) -> bool:
        return collection_gone(gateway, target, identity)


def collection_gone(gateway: "Gateway", target: Target, identity: Identity) -> bool:
    """Whether the collection of this identity is gone. Raises as `look`."""
    return name_and_id_gone(gateway, target.database, target.collection, identity)


def name_and_id_gone(gateway: "Gateway", database: str, name: str, identity: Identity) -> bool:
    """Nothing bears the name any more, or something else does, and Milvus does not know the id.

    The id tells a drop from somebody's rename. Without ids: nothing bears the name.
    """
    if identity.verifiable and gateway.are_gone(database, name, identity.id):
        return True
    now = gateway.collection_identity(database, name)
    if now is not None and not (now.verifiable and identity.verifiable and now != identity):
        return False
    return not identity.verifiable or gateway.name_of(database, identity.id) is None


def _strict_blockers(
    gateway: "Gateway", detail: CollectionDetail, server: ServerInfo, target: Target
) -> tuple[Blocker, ...]:
    if not gateway.cluster.strict_drop:
        return ()
    problem = rename_problem(gateway, detail, server, target.database)
    return (Blocker(text=f"{NO_RENAME} {problem} {NOTHING_DROPPED}"),) if problem else ()


def rename_problem(
    gateway: "Gateway", detail: CollectionDetail, server: ServerInfo, database: str
) -> str:
    """Why it can't be renamed and compared by id, in a sentence; empty if nothing is known.

    Where a rename may lose the collection, or without answers to questions by id and by a name
    that no grant knows, it does not begin. Raises Unreachable or Contradiction.
    """
    verdict = rename_verdict(server.version)
    if verdict.safety is Safety.REFUSED:
        return verdict.text
    if not detail.identity.verifiable:
        return "This server has no ids to compare."
    try:
        gateway.name_of(database, detail.identity.id)
        gateway.collection_identity(database, f"{DROP}may_read")
    except (Denied, MilvusRejected) as exc:
        return f"Milvus rejects a request that it needs: {exc}."
    return ""


def _strict_notes(gateway: "Gateway", server: ServerInfo) -> tuple[str, ...]:
    """What strict mode does, and what is known against a rename on this version."""
    verdict = rename_verdict(server.version)
    if verdict.safety is not Safety.WARNING:
        return strict_notes(gateway, STRICT)
    return strict_notes(gateway, STRICT) + strict_notes(gateway, verdict.text)


def alias_blockers(
    detail: CollectionDetail, server: ServerInfo, target: Target
) -> tuple[Blocker, ...]:
    """Milvus 2.5.5 and later refuse; older ones leave the alias behind, pointing at nothing."""
    if server.lite or detail.aliases is Unread.NOT_PERMITTED:
        return ()
    if isinstance(detail.aliases, Unread):
        return (Blocker(text="Its aliases could not be read. Try again in a moment."),)
    return tuple(
        Blocker(
            text=f"The alias {alias} points to this collection. Drop the alias first.",
            remedy=Action.DROP_ALIAS,
            remedy_target=other(target, Kind.ALIAS, alias),
            remedy_label="Drop alias…",
        )
        for alias in detail.aliases
    )


def without_alias(detail: CollectionDetail) -> tuple[Condition, ...]:
    """That no alias points to it, if that could be read and is so."""
    is_known = not isinstance(detail.aliases, Unread)
    return (Condition.NO_ALIAS,) if is_known and not detail.aliases else ()


def _notes(detail: CollectionDetail, server: ServerInfo) -> tuple[str, ...]:
    notes = [EXTERNAL] if detail.external else []
    if detail.load == Unread.UNKNOWN or getattr(detail.load, "held", False):
        notes.append("It is loaded: searches that use it will fail after the drop.")
    if server.lite and detail.aliases and not isinstance(detail.aliases, Unread):
        notes.append(f"Its aliases are dropped with it: {', '.join(detail.aliases)}.")
    if detail.aliases is Unread.NOT_PERMITTED:
        notes.append("Milvus Admin is not permitted to read its aliases, so one may be in use.")
    return tuple(notes)
