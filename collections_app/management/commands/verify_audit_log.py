"""Verify the audit log's chain, in the database or in an export."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ... import audit


class Command(BaseCommand):
    help = "Check that no audit event was changed, removed or added. Names the first broken link."
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--export", help="a JSON Lines export; the database is not asked")
        parser.add_argument("--partial", action="store_true", help="the export was filtered")
        parser.add_argument("--head", help="the hash the last event must have")

    def handle(self, *args: Any, **options: Any) -> None:
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

    def _verdict(self, options: dict[str, Any]) -> audit.Verdict:
        if not options["export"]:
            return audit.verify()
        try:
            with Path(options["export"]).open(encoding="utf-8") as lines:
                return audit.verify_export(lines, partial=options["partial"])
        except (OSError, UnicodeDecodeError) as exc:
            raise CommandError(f"{options['export']} can't be read: {exc}") from exc
