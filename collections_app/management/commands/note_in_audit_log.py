"""Put a note into the audit log, such as that a backup was restored."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ...actors import at_the_shell
from ...audit import Entry, LogUnwritable, Phase, write


class Command(BaseCommand):
    help = "Record what happened to this dashboard from outside: restored, moved, a key changed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("text")

    def handle(self, *args: Any, **options: Any) -> None:
        actor, origin = at_the_shell()
        note = Entry(
            phase=Phase.ACCESS,
            action="audit.note",
            actor=actor,
            origin=origin,
            message=options["text"],
        )
        try:
            event = write(note)
        except LogUnwritable as exc:
            raise CommandError("The log can't be written.") from exc
        self.stdout.write(f"event {event.sequence}")
