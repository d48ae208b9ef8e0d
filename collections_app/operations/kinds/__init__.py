"""The kinds of operations: one file for each act, and what all acts have in common."""

from ...access.policy import Action
from .base import DirectOperation, Operation
from .create_collection import CreateCollection
from .drop_alias import DropAlias
from .drop_collection import DropCollection
from .drop_partition import DropPartition
from .load_collection import LoadCollection
from .move_to_bin import MoveToBin
from .protection import KeepProtected, Protect, Unprotect
from .purge import Purge
from .release_collection import ReleaseCollection
from .release_partition import ReleasePartition
from .restore import Restore
from .set_alias import SetAlias

OPERATIONS: dict[Action, Operation] = {
    operation.action: operation
    for operation in (
        DropCollection(),
        DropPartition(),
        DropAlias(),
        ReleaseCollection(),
        ReleasePartition(),
        MoveToBin(),
        Restore(),
        Purge(),
        SetAlias(),
        LoadCollection(),
        CreateCollection(),
        Protect(),
        Unprotect(),
        KeepProtected(),
    )
}


def direct(action: Action) -> DirectOperation:
    """The operation of an act of one request. Raises TypeError for a rename or a creation."""
    operation = OPERATIONS[action]
    if not isinstance(operation, DirectOperation):
        raise TypeError(f"{action} is not one request")
    return operation
