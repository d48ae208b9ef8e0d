"""Export the audit log from the shell."""

from argparse import ArgumentParser
from typing import Any

from ...access.principals import Caller
from ...audit import export
from ...models import AuditEvent
from ..shell import ShellCommand


class Command(ShellCommand):
    help = (
        "Write the whole audit log to standard output, oldest event first. The export is recorded "
        "first, and is its own last event. Exit codes: 0 written; 1 failed; 2 wrong usage."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Without --json: the output has formats of its own."""
        parser.add_argument(
            "--form",
            choices=sorted(export.FORMS),
            default="jsonl",
            help="jsonl can be verified; csv is for a spreadsheet (jsonl)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """The export is recorded first, and is its own last event."""
        export.record(options["form"], {}, Caller.shell())
        lines, _ = export.FORMS[options["form"]]
        for line in lines(AuditEvent.objects.order_by("sequence")):
            self.stdout.write(line, ending="")
