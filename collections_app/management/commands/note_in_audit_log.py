"""Record a note in the audit log, such as that a backup was restored."""

from argparse import ArgumentParser
from typing import Any

from ...access.principals import Caller
from ...audit.log import Entry, LogUnwritable, Phase, write
from ..shell import Error, ShellCommand


class Command(ShellCommand):
    help = (
        "Record a note about this installation: a backup was restored, a key was changed. "
        "Exit codes: 0 recorded; 1 not recorded; 2 wrong usage."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("text", help="the note")

    def handle(self, *args: Any, **options: Any) -> None:
        caller = Caller.shell()
        note = Entry(
            phase=Phase.ACCESS,
            action="audit.note",
            caller=caller,
            message=options["text"],
        )
        try:
            event = write(note)
        except LogUnwritable as exc:
            raise Error(
                "The audit log can't be written: the note was not recorded. See manage.py doctor."
            ) from exc
        self.say(f"Recorded the note as event {event.sequence}.", event=event.sequence)
