"""Write the oldest events of the audit log into a sealed file."""

from argparse import ArgumentParser
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from django.utils import timezone

from ...access.principals import Caller
from ...audit import archive
from ...audit.log import LogUnwritable
from ..shell import Error, ShellCommand


class Command(ShellCommand):
    help = (
        "Write the oldest events that are in no segment yet to a new file, and record its SHA-256 "
        "in the audit log. Removes nothing; remove_sealed_segment does that. Exit codes: 0 sealed; "
        "1 nothing was sealed; 2 wrong usage."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        until = parser.add_mutually_exclusive_group(required=True)
        until.add_argument("--until", type=date.fromisoformat, help="events before that day")
        until.add_argument("--keep-days", type=int, help="events older than that many days")
        parser.add_argument("--to", type=Path, required=True, help="the folder for the file")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            segment = archive.seal(_moment(options), options["to"], Caller.shell())
        except OSError as exc:
            raise Error(f"The file can't be written, so nothing was sealed: {exc}") from exc
        except LogUnwritable as exc:
            raise Error(
                "The audit log can't be written, so nothing was sealed. Run manage.py doctor."
            ) from exc
        except archive.ArchiveError as exc:
            raise Error(str(exc)) from exc
        path = options["to"] / segment.file
        events = f"events {segment.first} to {segment.last}"
        facts = {"first": segment.first, "last": segment.last, "file": str(path)}
        self.say(f"Sealed {events} in {path}. Nothing was removed.", **facts)
        self.say(f"SHA-256: {segment.sha256}", sha256=segment.sha256)


def _moment(options: dict[str, Any]) -> datetime:
    if options["until"]:
        midnight = datetime.combine(options["until"], time())
        return timezone.make_aware(midnight, timezone.get_current_timezone())
    return timezone.now() - timedelta(days=options["keep_days"])
