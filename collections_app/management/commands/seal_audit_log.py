"""Write the oldest events of the audit log into a sealed file."""

from argparse import ArgumentParser
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from ... import segments
from ...actors import at_the_shell
from ...audit import LogUnwritable


class Command(BaseCommand):
    help = (
        "Write the events that are in no segment yet, up to a day, into a new file, and record its "
        "SHA-256 in the log. Removes nothing: remove_sealed_segment does."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        until = parser.add_mutually_exclusive_group(required=True)
        until.add_argument("--until", type=date.fromisoformat, help="events before that day")
        until.add_argument("--keep-days", type=int, help="events older than that many days")
        parser.add_argument("--to", type=Path, required=True, help="the folder for the file")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            segment = segments.seal(_moment(options), options["to"], *at_the_shell())
        except OSError as exc:
            raise CommandError(f"The file can't be written: {exc}") from exc
        except LogUnwritable as exc:
            raise CommandError("The log can't be written, so nothing was sealed.") from exc
        except segments.NotDone as exc:
            raise CommandError(str(exc)) from exc
        path = options["to"] / segment.file
        self.stdout.write(f"sealed: events {segment.first} to {segment.last}, in {path}")
        self.stdout.write(f"sha256: {segment.sha256}")


def _moment(options: dict[str, Any]) -> datetime:
    if options["until"]:
        midnight = datetime.combine(options["until"], time())
        return timezone.make_aware(midnight, timezone.get_current_timezone())
    return timezone.now() - timedelta(days=options["keep_days"])
