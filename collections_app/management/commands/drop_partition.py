"""Drop a partition from the shell."""

from argparse import ArgumentParser
from typing import Any

from ...access.policy import Action
from ...milvus.types import Kind, Target
from ..acts import DropCommand


class Command(DropCommand):
    help = "Drop one partition: sent once, verified by reading back, recorded in the audit log."
    action = Action.DROP_PARTITION

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--collection", required=True, help="the collection it belongs to")

    def target(self, options: dict[str, Any]) -> Target:
        return Target(
            cluster=options["cluster"],
            database=options["database"],
            kind=Kind.PARTITION,
            collection=options["collection"],
            name=options["name"],
        )
