"""Record the outcome of an open operation by hand."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from ...access.principals import Caller
from ...audit.events import Intent, intent_of
from ...audit.log import Outcome
from ...clusters import UnknownCluster
from ...milvus.errors import MilvusError
from ...operations.claims import record_outcome
from ...operations.execution import execution_of
from ...operations.reconcile import may_still_run
from ..shell import Error, ShellCommand


class Command(ShellCommand):
    help = (
        "Record the outcome of an operation that stays unknown because Milvus can't be asked any "
        "more: the cluster was removed from the configuration, or the account lost its privileges. "
        "Records who closed it, and why. Sends nothing to Milvus. Exit codes: 0 closed; 1 it can't "
        "be closed, nothing changed; 2 wrong usage."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("operation", type=UUID, help="the operation's id")
        parser.add_argument(
            "--outcome",
            required=True,
            choices=["succeeded", "failed"],
            help="succeeded: it is gone from Milvus; failed: it still exists",
        )
        parser.add_argument("--reason", required=True, help="how you know; recorded")

    def handle(self, *args: Any, **options: Any) -> None:
        operation_id, reason = options["operation"], options["reason"]
        intent = intent_of(operation_id)
        if intent is None:
            raise Error("There is no such operation. Nothing was recorded. Check the id.")
        if may_still_run(intent):
            raise Error(
                "The operation may still be carried out, so its outcome can't be recorded yet. "
                "Wait a minute, then run manage.py reconcile_operations."
            )
        self._refuse_if_left_over(intent)
        details = {"settled": True, "by_hand": True, "reason": reason}
        message = f"Closed by hand: {reason}"
        outcome = Outcome(options["outcome"])
        if not record_outcome(intent, outcome, message, Caller.shell(), details):
            raise Error("The operation is settled already. Nothing was recorded.")
        self.say(f"Closed the operation as {outcome}.", outcome=str(outcome))
        self.say_operation(operation_id)

    def _refuse_if_left_over(self, intent: Intent) -> None:
        """Once it is closed, its name would not be restored. If Milvus can't be asked, go on."""
        try:
            execution = execution_of(intent)
            left = execution.find_orphan()
        except (MilvusError, UnknownCluster):
            return
        if left:
            raise Error(
                f"The collection still has its temporary name, {execution.private_name}. "
                "Nothing was recorded. Run manage.py reconcile_operations, which restores the "
                "name, or rename the collection yourself first."
            )
