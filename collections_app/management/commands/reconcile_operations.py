"""Verify and record the outcomes of open operations."""

import time
from uuid import UUID

from django.core.management import call_command
from django.db import DatabaseError, close_old_connections

from ...access.principals import Caller
from ...audit import quotas
from ...audit.log import LogUnwritable, Outcome
from ...health import heartbeat
from ...operations.late_drops import follow_up_late_drops
from ...operations.orphans import restore_orphans
from ...operations.protections import record_ended
from ...operations.reconcile import open_operations, settle
from ...personal.store import forget_unused
from ...web import links
from ..rounds import RoundCommand


class Command(RoundCommand):
    help = (
        "Read back the targets of operations without a final outcome, and record what happened. "
        "Never drops anything; restores the name of a collection that a strict drop left renamed. "
        "Exit codes (without --loop): 0 no operation is open; 1 some are still open; 2 wrong usage."
    )
    every = 5.0

    tidy_at = orphans_at = 0.0  # monotonic seconds

    def round(self) -> bool:
        """Whether no operation stays open."""
        self._tidy_up()
        still_open = self._once()
        self._restore_orphans()
        if not self.is_looping:
            self.facts["open"] = still_open
            if not still_open:
                self.say("No operation is open.")
        return not still_open

    def _tidy_up(self) -> None:
        """Once an hour: sessions that are over and nobody ended, and settings that nobody uses."""
        if time.monotonic() < self.tidy_at:
            return
        self.tidy_at = time.monotonic() + 3600
        try:
            call_command("clearsessions")
            forget_unused()
        except DatabaseError as exc:
            self.stderr.write(f"Old sessions and settings were not removed: {type(exc).__name__}")

    def _restore_orphans(self) -> None:
        """Once a minute: it lists every database."""
        if time.monotonic() < self.orphans_at:
            return
        self.orphans_at = time.monotonic() + 60
        try:
            caller = Caller.shell()
            for line in [*restore_orphans(caller), *follow_up_late_drops(caller)]:
                self.say(line)
        except Exception as exc:
            self.stderr.write(f"The search for temporary names failed: {type(exc).__name__}: {exc}")

    def _once(self) -> int:
        """Read back each open operation once. Returns how many stay open."""
        close_old_connections()
        try:
            outcomes = [self._settle(claim.operation_id) for claim in open_operations()]
        except DatabaseError as exc:
            self.stderr.write(f"The database does not answer: {type(exc).__name__}")
            return 1
        self._record_ended()
        self._close_quotas()
        heartbeat.try_record_run(heartbeat.RECONCILE)
        return outcomes.count(Outcome.UNKNOWN)

    def _record_ended(self) -> None:
        """Protections that are over by the clock; nothing waits for this record."""
        try:
            for line in record_ended(Caller.shell()):
                self.say(line)
        except (DatabaseError, LogUnwritable) as exc:
            self.stderr.write(f"The end of a protection could not be recorded: {exc}")

    def _close_quotas(self) -> None:
        """Minutes in which more was refused than the log took; see audit/quotas.py."""
        try:
            quotas.close_old()
        except (DatabaseError, LogUnwritable) as exc:
            self.stderr.write(f"The number of refused attempts could not be recorded: {exc}")

    def _settle(self, operation_id: UUID) -> Outcome:
        """Whatever goes wrong with one operation, the others get their turn."""
        try:
            outcome = settle(operation_id, Caller.shell(), may_rename=True)
        except Exception as exc:
            self.stderr.write(
                f"Operation {operation_id} could not be verified: {type(exc).__name__}: {exc}"
            )
            outcome = Outcome.UNKNOWN
        self._say_outcome(operation_id, outcome)
        return outcome

    def _say_outcome(self, operation_id: UUID, outcome: Outcome) -> None:
        verdict = "is still unknown" if outcome is Outcome.UNKNOWN else f"ended as {outcome}"
        address = links.operation(str(operation_id))
        self.say(f"Operation {operation_id} {verdict}: {address}")
        if self.as_json:  # a loop would keep them for ever
            self.facts.setdefault("operations", {})[str(operation_id)] = str(outcome)
