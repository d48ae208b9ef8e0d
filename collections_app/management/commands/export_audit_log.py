"""Export the audit log from the shell."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from ... import exports
from ...actors import at_the_shell
from ...models import AuditEvent


class Command(BaseCommand):
    help = "Write the whole audit log to standard output, oldest event first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--form", choices=sorted(exports.FORMS), default="jsonl")

    def handle(self, *args: Any, **options: Any) -> None:
        """The export is recorded first, and is its own last event."""
        exports.record(options["form"], {}, *at_the_shell())
        lines, _ = exports.FORMS[options["form"]]
        for line in lines(AuditEvent.objects.order_by("sequence")):
            self.stdout.write(line, ending="")
