"""Settle operations whose outcome is not known yet."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from ...actors import at_the_shell
from ...audit import LogUnwritable, Outcome
from ...operations.settle import open_operations, settle


class Command(BaseCommand):
    help = (
        "Look what became of operations without a final outcome, and record it. Never sends "
        "anything again. Exit code 1 if some are still open (without --loop)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--loop", action="store_true", help="go on for ever")
        parser.add_argument("--every", type=float, default=5.0, help="seconds between looks")

    def handle(self, *args: Any, **options: Any) -> None:
        while True:
            still_open = self._once()
            if not options["loop"]:
                raise SystemExit(1 if still_open else 0)
            time.sleep(options["every"])

    def _once(self) -> int:
        """Look at each open operation once. Returns how many stay open."""
        actor, origin = at_the_shell()
        still_open = 0
        for claim in open_operations():
            try:
                outcome = settle(claim.operation_id, actor, origin)
            except LogUnwritable as exc:
                self.stderr.write(f"{claim.operation_id}: the audit log can't be written: {exc}")
                outcome = Outcome.UNKNOWN
            still_open += outcome is Outcome.UNKNOWN
            self.stdout.write(f"{claim.operation_id}: {outcome}")
        return still_open
