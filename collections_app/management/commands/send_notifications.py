"""Send what people are told about approvals, by mail and by a webhook."""

from argparse import ArgumentParser
from typing import Any

from django.db import DatabaseError, InterfaceError, close_old_connections

from ...audit.log import LogUnwritable
from ...health import heartbeat
from ...plans import delivery, rule_watch
from ..background import until_sigterm
from ..shell import ShellCommand


class Command(ShellCommand):
    help = (
        "Send the notifications about approvals that are due, by mail and to the webhook, and "
        "record a changed rule of approvals. What fails is tried again, up to 8 times within half "
        "an hour. Exit codes (without --loop): 0 nothing is due any more; 1 something could not be "
        "sent, or the database does not answer; 2 wrong usage."
    )
    is_recorded = False  # the rules of this process don't change
    ends_with = "Leave out --loop."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--loop", action="store_true", help="run until stopped")
        parser.add_argument(
            "--every", type=float, default=2.0, help="with --loop: seconds between rounds (2)"
        )

    def is_loop(self, options: dict[str, Any]) -> bool:
        return bool(options["loop"])

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["loop"]:
            raise SystemExit(0 if self._round() else 1)
        with until_sigterm() as stopped:
            while not stopped.is_set():
                self._round()
                stopped.wait(options["every"])

    def _round(self) -> bool:
        close_old_connections()
        try:
            if not self.is_recorded:
                rule_watch.record_changes()
                self.is_recorded = True
            tried = delivery.deliver_due()
            failed = sum(1 for _ in delivery.problems())
        except (DatabaseError, InterfaceError, LogUnwritable) as exc:
            self.stderr.write(f"The database of Milvus Admin does not answer: {exc}")
            return False
        heartbeat.try_record_run(heartbeat.NOTIFY)
        if tried:
            self.say(f"Notifications tried: {tried}. Not delivered: {failed}.")
        return not failed
