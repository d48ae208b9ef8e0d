"""Remove from the audit log the events that are in a sealed file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.db import DatabaseError

from ...access.principals import Caller
from ...audit import archive
from ...audit.log import LogUnwritable
from ..shell import Error, ShellCommand


class Command(ShellCommand):
    help = (
        "Remove a sealed segment's events from the database. Needs the segment's file, and removes "
        "the oldest segment only. Records first who removes it. Safe to run again after an "
        "interruption. Exit codes: 0 removed; 1 not removed, or not all of it; 2 wrong usage."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=Path, help="the file that seal_audit_log wrote")
        parser.add_argument(
            "--sha256", required=True, help="its SHA-256 as seal_audit_log printed it, to confirm"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            segment = archive.remove(options["file"], options["sha256"], Caller.shell())
        except OSError as exc:
            raise Error(f"{options['file']} can't be read, so nothing was removed: {exc}") from exc
        except LogUnwritable as exc:
            raise Error(
                "The audit log can't be written, so nothing was removed. Run manage.py doctor."
            ) from exc
        except DatabaseError as exc:
            raise Error(
                f"The database stopped the removal: {exc} Part of the segment may be removed. Run "
                "this again to continue."
            ) from exc
        except archive.ArchiveError as exc:
            raise Error(str(exc)) from exc
        self.say(
            f"Removed events {segment.first} to {segment.last} from the database.",
            first=segment.first,
            last=segment.last,
        )
