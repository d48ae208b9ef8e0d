"""Create a dropped collection again, empty, from the shell."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from ...access.policy import Action
from ...audit.events import intent_of
from ...audit.log import Outcome
from ...milvus.types import Kind, Target
from ...operations.kinds.create_collection import NO_SOURCE
from ..acts import ActCommand
from ..shell import Error

CODES = (
    "Exit codes: 0 created and verified; 1 failed or incomplete; 2 wrong usage; 3 blocked (the "
    "name is taken), rejected by Milvus or not permitted; 4 no such drop in the audit log; 5 "
    "changed, or another operation is in progress; 6 unknown: sent, but not verified (run "
    "reconcile_operations); 7 Milvus or the audit log is unavailable, nothing was sent."
)


class Command(ActCommand):
    help = (
        "Create a dropped collection again, empty, from the snapshot that the audit log has of it: "
        "schema, partitions and indexes, without rows, aliases and grants. A collection that was "
        "created in part is completed by the same command."
    )
    action = Action.CREATE
    noun = "request"
    not_again = "Don't send it again"
    next = {  # noqa: RUF012 (read only)
        Outcome.INCOMPLETE: "incomplete: {what} was created in part. Its page says what is "
        "missing. Run this again to complete it.",
        Outcome.REFUSED: "refused: Milvus rejected it, and {what} was not created. Its page has "
        "the message from Milvus.",
        Outcome.DENIED: "denied: Milvus does not permit this account to create {what}. Grant the "
        "privilege: docs/milvus.md lists them.",
        Outcome.UNKNOWN: "unknown: the request was sent, but {what} could not be verified. Run "
        "manage.py reconcile_operations to verify and record it.",
    }
    otherwise = "{outcome}: this operation did not create {what}. Its page says why."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.epilog = CODES
        parser.add_argument("operation", type=UUID, help="the id of the drop")
        parser.add_argument("name", help="the exact name that the collection gets")
        parser.add_argument("--reason", default="", help="recorded in the audit log")

    def handle(self, *args: Any, **options: Any) -> None:
        drop = intent_of(options["operation"])
        if drop is None:
            raise Error(f"{NO_SOURCE.capitalize()}. Nothing was sent.", returncode=4)
        target = Target(
            cluster=drop.target.cluster,
            database=drop.target.database,
            kind=Kind.NEW,
            collection=options["name"],
            name=str(options["operation"]),
        )
        self.carry_out(target, {**options, "id": None})
