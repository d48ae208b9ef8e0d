"""Detect changes made in Milvus outside Milvus Admin."""

from argparse import ArgumentParser
from typing import Any

from django.db import DatabaseError, InterfaceError, close_old_connections

from ... import clusters
from ...drift.lock import Lock, lock
from ...drift.scan import Report, scan
from ...health import heartbeat
from ...milvus.types import Cluster
from ..background import until_sigterm
from ..shell import Error, ShellCommand

EMBEDDED = (
    "{key} is an embedded Milvus Lite, and its file belongs to one process. Stop Milvus Admin and "
    "use --once, or name other clusters with --cluster."
)


class Taken(Exception):
    """Another watch is running. Says which."""


class Command(ShellCommand):
    help = (
        "Keep an inventory of all collections, and record which of them are created, dropped, "
        "replaced or renamed outside Milvus Admin. Only one watch runs for all machines that share "
        "the database. Exit codes: 0 stopped, or (with --once) everything was read; 1 another "
        "watch is running, a wrong option, or (with --once) something could not be read."
    )
    ends_with = "Add --once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--every", type=float, default=60.0, help="seconds between scans (60)")
        parser.add_argument("--once", action="store_true", help="scan once, for cron")
        parser.add_argument(
            "--wait", action="store_true", help="stand by while another watch is running"
        )
        parser.add_argument("--cluster", action="append", help="only this cluster; may be repeated")
        parser.add_argument(
            "--database", action="append", help="only this database; may be repeated"
        )

    def is_loop(self, options: dict[str, Any]) -> bool:
        return not options["once"]

    def handle(self, *args: Any, **options: Any) -> None:
        self.options, self.standing_by = options, False
        if not 0 < options["every"] <= 86400:
            raise Error("--every is the seconds between two scans: above 0, at most 86400.")
        self.clusters = self._clusters()
        held = lock()
        try:
            with until_sigterm() as self.stopped:
                self._loop(held)
        except Taken as exc:
            raise Error(
                f"Another watch is running: {exc}. Only one may run. Use --wait to stand by."
            ) from exc
        except KeyboardInterrupt:
            self.stderr.write("Interrupted.")
        finally:
            held.release()

    def _clusters(self) -> list[Cluster]:
        wanted, known = self.options["cluster"], {c.key: c for c in clusters.all_clusters()}
        for key in wanted or ():
            if key not in known:
                raise Error(f"No cluster {key} is configured. Configured: {', '.join(known)}.")
        chosen = [c for key, c in known.items() if not wanted or key in wanted]
        embedded = [c.key for c in chosen if c.is_embedded]
        if embedded and not self.options["once"]:
            raise Error(EMBEDDED.format(key=embedded[0]))
        return chosen

    def _loop(self, held: Lock) -> None:
        while not self.stopped.is_set():
            ours = self._is_ours(held)
            whole = ours and min(map(self._scan, self.clusters))  # all of them: no short cut
            if ours:
                heartbeat.try_record_run(heartbeat.WATCH, ok=whole)
            if self.options["once"] and (ours or not self.options["wait"]):
                raise SystemExit(0 if whole else 1)
            self.stopped.wait(self.options["every"])

    def _is_ours(self, held: Lock) -> bool:
        """Asked before each scan: a lock that was lost may be somebody else's by now."""
        close_old_connections()
        try:
            if held.acquire():
                return True
            self._stand_by(held.holder())
        except (DatabaseError, InterfaceError) as exc:
            self.stderr.write(f"The database does not answer: {type(exc).__name__}")
        return False

    def _stand_by(self, holder: str) -> None:
        if not self.options["wait"]:
            raise Taken(holder or "it does not say where")
        if not self.standing_by:
            self.stderr.write(f"Another watch is running: {holder}. Standing by.")
        self.standing_by = True

    def _scan(self, cluster: Cluster) -> bool:
        """Whatever goes wrong with one cluster, the others get their turn. Whether all was read."""
        if self.stopped.is_set():
            return False
        try:
            milvus, only = clusters.get(cluster.key), self.options["database"] or ()
            report = scan(milvus, only, self.stopped.is_set)
        except Exception as exc:
            report = Report(problems=[f"nothing was recorded: {type(exc).__name__}: {exc}"])
        if report.problems and cluster.is_embedded:
            report.problems.append(EMBEDDED.format(key=cluster.key))
        for problem in report.problems:
            self.stderr.write(f"{cluster.key}: {problem}")
            self._note("problems", cluster, problem)
        for action, count in sorted(report.events.items()):
            events = "event" if count == 1 else "events"
            self.say(f"{cluster.key}: recorded {count} {action} {events}")
            self._note("events", cluster, {"action": action, "count": count})
        return not report.problems

    def _note(self, fact: str, cluster: Cluster, about: object) -> None:
        if self.as_json:  # a loop would keep them for ever
            self.facts.setdefault(fact, {}).setdefault(cluster.key, []).append(about)
