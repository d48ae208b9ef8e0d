"""Settle operations whose outcome is not known yet."""

import time
from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import DatabaseError, close_old_connections

from ... import pulse, quotas
from ...actors import at_the_shell
from ...audit import LogUnwritable, Outcome
from ...operations.late import follow_up_late_drops
from ...operations.settle import open_operations, settle
from ...operations.strays import give_back_strays


class Command(BaseCommand):
    help = (
        "Look what became of operations without a final outcome, and record it. Never drops "
        "anything; what a strict drop left half-way gets its name back. Exit code 1 if some are "
        "still open (without --loop)."
    )

    tidy_at = strays_at = 0.0  # monotonic seconds

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--loop", action="store_true", help="go on for ever")
        parser.add_argument("--every", type=float, default=5.0, help="seconds between looks")

    def handle(self, *args: Any, **options: Any) -> None:
        while True:
            self._tidy_up()
            still_open = self._once()
            self._look_for_strays()
            if not options["loop"]:
                raise SystemExit(1 if still_open else 0)
            time.sleep(options["every"])

    def _tidy_up(self) -> None:
        """Once an hour, sessions that are over and that nobody ended."""
        if time.monotonic() < self.tidy_at:
            return
        self.tidy_at = time.monotonic() + 3600
        try:
            call_command("clearsessions")
        except DatabaseError as exc:
            self.stderr.write(f"old sessions could not be removed: {type(exc).__name__}")

    def _look_for_strays(self) -> None:
        """Once a minute: it lists every database."""
        if time.monotonic() < self.strays_at:
            return
        self.strays_at = time.monotonic() + 60
        try:
            caller = at_the_shell()
            for told in [*give_back_strays(*caller), *follow_up_late_drops(*caller)]:
                self.stdout.write(told)
        except Exception as exc:
            self.stderr.write(f"private names could not be searched: {type(exc).__name__}: {exc}")

    def _once(self) -> int:
        """Look at each open operation once. Returns how many stay open."""
        close_old_connections()
        try:
            outcomes = [self._settle(claim.operation_id) for claim in open_operations()]
        except DatabaseError as exc:
            self.stderr.write(f"the database does not answer: {type(exc).__name__}")
            return 1
        self._close_quotas()
        pulse.note(pulse.RECONCILE)
        return outcomes.count(Outcome.UNKNOWN)

    def _close_quotas(self) -> None:
        """Minutes in which more was refused than the log took; see quotas.py."""
        try:
            quotas.close_old()
        except (DatabaseError, LogUnwritable) as exc:
            self.stderr.write(f"refusals that were counted can't be recorded: {exc}")

    def _settle(self, operation_id: UUID) -> Outcome:
        """Whatever goes wrong with one operation, the others get their turn."""
        try:
            outcome = settle(operation_id, *at_the_shell(), may_rename=True)
        except Exception as exc:
            self.stderr.write(f"{operation_id}: could not look: {type(exc).__name__}: {exc}")
            outcome = Outcome.UNKNOWN
        self.stdout.write(f"{operation_id}: {outcome}")
        return outcome
