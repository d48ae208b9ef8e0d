"""Every access rule, on one page. Default is no."""

from enum import StrEnum

from .actors import Actor


class Action(StrEnum):
    """What can be done. The value is what the audit log says."""

    VIEW = "view"
    READ_AUDIT = "audit.read"
    DROP_COLLECTION = "collection.drop"
    DROP_PARTITION = "partition.drop"
    RELEASE_COLLECTION = "collection.release"
    RELEASE_PARTITION = "partition.release"
    DROP_ALIAS = "alias.drop"


# Releasing and dropping an alias are steps on the way to a drop, and need the same permission.
PERMISSION = {
    Action.VIEW: "view_milvus",
    Action.READ_AUDIT: "read_audit",
    Action.DROP_COLLECTION: "drop_collection",
    Action.DROP_PARTITION: "drop_partition",
    Action.RELEASE_COLLECTION: "drop_collection",
    Action.RELEASE_PARTITION: "drop_partition",
    Action.DROP_ALIAS: "drop_collection",
}


def may(actor: Actor, action: Action) -> bool:
    """Whether the actor may do this. Dropping implies seeing."""
    if "*" in actor.rights:
        return True
    if action is Action.VIEW:
        return bool(actor.rights & {"view_milvus", "drop_collection", "drop_partition"})
    return PERMISSION[action] in actor.rights
