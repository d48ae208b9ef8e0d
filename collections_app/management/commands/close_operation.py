"""Close an operation that looking can't settle, by a person's verdict."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from ...actors import at_the_shell
from ...audit import Outcome
from ...clusters import UnknownCluster
from ...intents import Intent, intent_of
from ...milvus.errors import MilvusError
from ...operations.sending import finish
from ...operations.settle import aside_of, being_carried_out


class Command(BaseCommand):
    help = (
        "For an operation that stays unknown because Milvus can't be asked any more (the cluster "
        "left the configuration, or the account lost its rights). Records who said so, and why."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("operation", type=UUID)
        parser.add_argument("--outcome", required=True, choices=["succeeded", "failed"])
        parser.add_argument("--reason", required=True, help="how you know")

    def handle(self, *args: Any, **options: Any) -> None:
        operation_id, reason = options["operation"], options["reason"]
        intent = intent_of(operation_id)
        if intent is None:
            raise CommandError("There is no such operation.")
        if being_carried_out(intent):
            raise CommandError("It may still be carried out. Wait a minute.")
        self._refuse_if_aside(intent)
        details = {"settled": True, "by_hand": True, "reason": reason}
        message = f"Closed by hand: {reason}"
        outcome = Outcome(options["outcome"])
        if not finish(operation_id, outcome, message, *at_the_shell(), details):
            raise CommandError("It is settled already.")
        self.stdout.write(f"{operation_id}: {outcome}")

    def _refuse_if_aside(self, intent: Intent) -> None:
        """Closed, nobody would give it its name back. If Milvus can't be asked, go on."""
        try:
            aside = aside_of(intent)
            held = aside and aside.bearer(aside.private)
        except (MilvusError, UnknownCluster):
            return
        if aside and held:
            remedy = "reconcile_operations gives it its name back; or rename it yourself first."
            raise CommandError(f"It is called {aside.private} now. {remedy}")
