"""Verify the audit log's chain, in the database or in an export."""

from argparse import ArgumentParser
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from django.core.management.base import BaseCommand, CommandError

from ... import custody, pulse, verification

T = TypeVar("T")


class Command(BaseCommand):
    help = "Check that no audit event was changed, removed or added. Names the first broken link."
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--export", help="a JSON Lines export; the database is not asked")
        parser.add_argument("--partial", action="store_true", help="the export was filtered")
        parser.add_argument("--head", help="the hash the last event must have")
        parser.add_argument(
            "--against", help="lines that left the machine: each must be in the database as it was"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["export"]:
            return self._check(options)
        intact = False
        try:
            self._check(options)
            intact = True
        finally:
            pulse.note(pulse.VERIFY, well=intact)

    def _check(self, options: dict[str, Any]) -> None:
        verdict = self._verdict(options)
        if verdict.broken:
            intact = f"{verdict.checked} events before it are intact."
            raise CommandError(f"The chain is broken: {verdict.broken}. {intact}")
        if options["export"] and not verdict.checked:
            raise CommandError(f"{options['export']} holds no event. Was it cut off?")
        if options["head"] and options["head"] != verdict.head:
            raise CommandError(
                f"The chain ends at event {verdict.last_sequence} with {verdict.head}, not with "
                "the given head: the end was cut off, or more was written since."
            )
        self.stdout.write(
            f"intact: {verdict.checked} events, last {verdict.last_sequence}, head {verdict.head}"
        )
        if options["against"]:
            self._compare(options["against"])

    def _compare(self, path: str) -> None:
        try:
            found = self._read(path, custody.compare)
        except ValueError as exc:
            raise CommandError(f"A line of {path} can't be compared: {exc}") from exc
        if found.problem:
            raise CommandError(
                f"The log is not the one that was copied: {found.problem}. Its end was cut off, an "
                "old backup was restored, or it was written anew by somebody who has the key."
            )
        if not found.checked:
            raise CommandError(f"{path} holds no event. Was it cut off?")
        self.stdout.write(
            f"as copied: {found.checked} lines of the copy, up to event {found.last_sequence}"
        )

    def _verdict(self, options: dict[str, Any]) -> verification.Verdict:
        if not options["export"]:
            return verification.verify()
        partial = options["partial"]
        return self._read(
            options["export"], lambda lines: verification.verify_export(lines, partial=partial)
        )

    def _read(self, path: str, check: Callable[[Iterable[str]], T]) -> T:
        try:
            with Path(path).open(encoding="utf-8") as lines:
                return check(lines)
        except (OSError, UnicodeDecodeError) as exc:
            raise CommandError(f"{path} can't be read: {exc}") from exc
