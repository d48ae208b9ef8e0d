"""What the commands share: sentences for people, `--json` for scripts, and where audit lines go."""

import json
import logging
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from ..web import links

AUDIT_LOGGER = logging.getLogger("audit")
NOT_PRINTED = (
    "{events} recorded in the audit log. The JSON {lines} not printed on a terminal: set "
    "AUDIT_LOG_FILE, or redirect standard error, to keep a copy."
)


class Error(CommandError):
    """What happened, what it means, and what to do next. Django prints the class's name first."""


class ShellCommand(BaseCommand):
    """A command that ends. Prints sentences; with --json, one JSON object on standard output.

    The object has `ok`, `exit_code`, `messages` and what `say` was given besides, also when the
    command fails: then the last message is the error. A loop prints each line at once instead.
    """

    ends_with = ""  # how a command that can loop is told to end

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object for scripts")

    def execute(self, *args: Any, **options: Any) -> str | None:
        self.messages: list[str] = []
        self.facts: dict[str, Any] = {}
        self.as_json = bool(options.get("json"))
        if self.is_loop(options):
            if self.as_json:
                raise Error(f"--json prints one object at the end. {self.ends_with}", returncode=2)
            return super().execute(*args, **options)
        with audit_lines_kept_off_terminal() as lines:
            try:
                super().execute(*args, **options)
            except CommandError as exc:
                self.messages.append(str(exc))
                self._finish(exc.returncode)
                raise
            except SystemExit as exc:
                self._finish(int(exc.code or 0))
                raise
            else:
                self._finish(0)
            finally:
                self._say_where(len(lines))
        return None

    def is_loop(self, options: dict[str, Any]) -> bool:
        """Whether it runs until it is stopped: its audit lines go where a server's go."""
        return False

    def say(self, sentence: str, **facts: Any) -> None:
        """Tell a person, or keep it and the facts for the JSON object."""
        self.facts |= facts
        if self.as_json:
            self.messages.append(sentence)
        else:
            self.stdout.write(sentence)

    def say_operation(self, operation_id: UUID | str) -> None:
        """The operation's id, and the address of its page."""
        address = links.operation(str(operation_id))
        sentence = f"Operation {operation_id}: {address}"
        self.say(sentence, operation=str(operation_id), address=address)

    def _finish(self, code: int) -> None:
        if self.as_json:
            ended = {"ok": code == 0, "exit_code": code, **self.facts, "messages": self.messages}
            self.stdout.write(json.dumps(ended, default=str))

    def _say_where(self, count: int) -> None:
        if count:
            events = "1 event was" if count == 1 else f"{count} events were"
            lines = "line is" if count == 1 else "lines are"
            self.stderr.write(NOT_PRINTED.format(events=events, lines=lines))


@contextmanager
def audit_lines_kept_off_terminal() -> Iterator[list[str]]:
    """Hold back audit lines that would go to a terminal. Yields the list of those held back.

    Only there: a file, a pipe, cron, systemd and a container's log get them as ever. The events
    are in the database in any case; the line is their copy.
    """
    held: list[str] = []

    def hold(record: logging.LogRecord) -> bool:
        held.append(record.getMessage())
        return False

    handlers = [handler for handler in AUDIT_LOGGER.handlers if _is_terminal(handler)]
    for handler in handlers:
        handler.addFilter(hold)
    try:
        yield held
    finally:
        for handler in handlers:
            handler.removeFilter(hold)


def _is_terminal(handler: logging.Handler) -> bool:
    stream = getattr(handler, "stream", None)
    return bool(stream and hasattr(stream, "isatty") and stream.isatty())
