"""Everything that destroys, by one protocol (protocol.py).

authorize → look → compare → record intent → act once → look again → record outcome
"""

from ..access import Action
from .base import Operation
from .drop_alias import DropAlias
from .drop_collection import DropCollection
from .drop_partition import DropPartition
from .release_collection import ReleaseCollection
from .release_partition import ReleasePartition

OPERATIONS: dict[Action, Operation] = {
    operation.action: operation
    for operation in (
        DropCollection(),
        DropPartition(),
        DropAlias(),
        ReleaseCollection(),
        ReleasePartition(),
    )
}
