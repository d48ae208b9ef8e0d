"""Remove from the audit log the events that are in a sealed file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from ... import segments
from ...actors import at_the_shell
from ...audit import LogUnwritable


class Command(BaseCommand):
    help = (
        "Remove a sealed segment's events from the database. Only while its file is at hand, and "
        "only the oldest segment. Who did it is recorded first. Was it killed? Do it again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="the file that seal_audit_log wrote")
        parser.add_argument(
            "--sha256", required=True, help="its hash, as seal_audit_log printed it: to confirm"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            segment = segments.remove(options["file"], options["sha256"], *at_the_shell())
        except OSError as exc:
            raise CommandError(f"{options['file']} can't be read: {exc}") from exc
        except LogUnwritable as exc:
            raise CommandError("The log can't be written, so nothing was removed.") from exc
        except DatabaseError as exc:
            raise CommandError(f"The database stopped it: {exc} Do it again.") from exc
        except segments.NotDone as exc:
            raise CommandError(str(exc)) from exc
        self.stdout.write(f"removed: events {segment.first} to {segment.last}")
