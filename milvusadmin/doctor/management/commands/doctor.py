"""Look at everything this installation needs, and say what to do about what is wrong."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from milvusadmin.doctor import examine
from milvusadmin.doctor.findings import State, shown


class Command(BaseCommand):
    help = (
        "Check the database, the audit log, the clusters, sign-in, clocks and static files. "
        "Changes nothing, and prints no secrets. Exit code 1 if there is a problem."
    )
    requires_system_checks = ()  # they are among its findings
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON array, for machines")

    def handle(self, *args: Any, **options: Any) -> None:
        found = examine.everything()
        self.stdout.write(shown(found, as_json=options["json"]))
        raise SystemExit(1 if any(f.state == State.PROBLEM for f in found) else 0)
