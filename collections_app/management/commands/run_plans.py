"""The background process of plans: reads their items, and carries out what was confirmed."""

from argparse import ArgumentParser
from typing import Any

from ...health import heartbeat
from ...plans import worker
from ..background import until_sigterm
from ..shell import ShellCommand


class Command(ShellCommand):
    help = (
        "Read the items of plans, and carry out confirmed plans, on any number of machines. "
        "SIGTERM ends it after the items in progress. Exit codes: 0 stopped, or (with --once) "
        "nothing is left that can be done now; 2 wrong usage."
    )
    ends_with = "Add --once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--once", action="store_true", help="end when nothing is left to do")
        parser.add_argument(
            "--every", type=float, default=1.0, help="seconds between two checks for work (1)"
        )

    def is_loop(self, options: dict[str, Any]) -> bool:
        return not options["once"]

    def handle(self, *args: Any, **options: Any) -> None:
        with until_sigterm():
            try:
                worker.loop(beat, every=options["every"], once=options["once"])
            except KeyboardInterrupt:
                self.stderr.write("Interrupted.")


def beat() -> None:
    heartbeat.try_record_run(heartbeat.PLANS)
