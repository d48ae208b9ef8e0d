"""Drop a collection from the shell."""

from typing import Any

from ...access.policy import Action
from ...milvus.types import Kind, Target
from ..acts import DropCommand


class Command(DropCommand):
    help = "Drop one collection: sent once, verified by reading back, recorded in the audit log."
    action = Action.DROP_COLLECTION

    def target(self, options: dict[str, Any]) -> Target:
        return Target(
            cluster=options["cluster"],
            database=options["database"],
            kind=Kind.COLLECTION,
            collection=options["name"],
            name=options["name"],
        )
