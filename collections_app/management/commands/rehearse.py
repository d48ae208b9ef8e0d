"""Try on scratch collections what Milvus Admin assumes about a server."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError

from ... import clusters
from ...access.principals import Caller
from ...audit.log import LogUnwritable
from ...milvus.errors import MilvusError
from ...rehearsal.checks import State
from ...rehearsal.record import Run
from ...rehearsal.report import Report, as_json, as_table
from ...rehearsal.run import new_run, rehearse, sweep

CODES = (
    "Exit codes: 0 every assumption holds; 1 one does not, or it was interrupted, or something "
    "could not be removed; 2 wrong usage, or declined; 3 nothing speaks against an assumption, and "
    "some could not be tried; 7 Milvus did not answer, or the audit log can't be written."
)
PLAN = """\
This tries on {label} ({endpoint}, Milvus {version}) what Milvus Admin assumes about it.
It creates {where},
about thirty small collections one after the other, drops them, and removes everything at its end.
Every name begins with {root}. Nothing else is touched.
It takes seconds, a minute at most, and is recorded in the audit log.
"""
OWN = "the database {root} (or, where that is not permitted, collections in {database})"
SHARED = "collections in the database {database}"


class Command(BaseCommand):
    help = (
        "Create scratch collections on a cluster, send them through the code that drops "
        "collections, remove them, and say which assumptions and promises hold on this server."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.epilog = CODES
        parser.add_argument("--cluster", default="main")
        parser.add_argument(
            "--in-database", metavar="NAME", help="create no database, but collections in this one"
        )
        parser.add_argument("--yes", action="store_true", help="do not ask: for scripts")
        parser.add_argument("--json", action="store_true", help="one JSON object, for machines")
        parser.add_argument(
            "--clean-up", action="store_true", help="only remove what earlier runs left"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["cluster"] not in {cluster.key for cluster in clusters.all_clusters()}:
            message = f"No cluster {options['cluster']} is configured. Nothing was created."
            raise CommandError(message, returncode=2)
        try:
            self._handle(clusters.get(options["cluster"]), options)
        except MilvusError as exc:
            raise CommandError(f"Nothing was created: {exc}", returncode=7) from exc
        except LogUnwritable as exc:
            message = "The audit log can't be written. Nothing was created."
            raise CommandError(message, returncode=7) from exc
        except (DatabaseError, InterfaceError) as exc:
            message = f"The dashboard's database does not answer ({type(exc).__name__})."
            raise CommandError(message, returncode=7) from exc

    def _handle(self, milvus: clusters.Milvus, options: dict[str, Any]) -> None:
        version = milvus.gateway.server().version  # answers, or raises before anything is asked
        plan = new_run(milvus, options["in_database"] or "default", version)
        if not options["clean_up"]:
            self._ask(plan, options)
        caller = Caller.shell()
        left = sweep(milvus, caller)
        for line in left:
            self.stderr.write(line)
        if options["clean_up"]:
            raise SystemExit(1 if any("Left behind" in line for line in left) else 0)
        report = rehearse(milvus, plan, caller, own_database=not options["in_database"])
        self.stdout.write(as_json(report) if options["json"] else as_table(report))
        raise SystemExit(exit_code(report))

    def _ask(self, plan: Run, options: dict[str, Any]) -> None:
        """Say what will be created, and go on if somebody at a terminal agrees."""
        where = (SHARED if options["in_database"] else OWN).format(
            root=plan.root, database=plan.database
        )
        cluster = plan.cluster
        words = {"label": cluster.label, "endpoint": cluster.endpoint, "version": plan.version}
        if options["yes"]:
            return
        self.stderr.write(PLAN.format(**words, where=where, root=plan.root))
        if not sys.stdin.isatty():
            message = "Nobody can be asked here: --yes agrees beforehand. Nothing was created."
            raise CommandError(message, returncode=2)
        self.stderr.write("Start the rehearsal? [y/N] ", ending="")
        if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
            raise CommandError("Declined. Nothing was created.", returncode=2)


def exit_code(report: Report) -> int:
    """For scripts: only 0 says that everything was tried, and holds."""
    if len(report.events) < 2:
        return 7
    if report.is_interrupted or report.left or report.named(State.FAILS):
        return 1
    return 3 if report.named(State.NOT_RUN) else 0
