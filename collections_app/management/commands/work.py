"""All background tasks in one process, each in a thread of its own."""

from typing import Any

from ... import clusters
from .. import background
from ..shell import Error, ShellCommand

EMBEDDED = (
    "The web process runs the background tasks: {key} is an embedded Milvus Lite, and its file "
    "belongs to one process."
)


class Command(ShellCommand):
    help = (
        "Run all background tasks in one process: reconciliation, plans, the purge of the recycle "
        "bin, notifications and the watch. Any number of machines may run it: tasks share the "
        "work, and the watch is on standby on all but one. A task that fails starts again after "
        "10 seconds. SIGTERM ends it after what is in progress. Exit codes: 0 stopped; 2 wrong "
        "usage."
    )
    ends_with = "Run one task alone: manage.py reconcile_operations --json."

    def is_loop(self, options: dict[str, Any]) -> bool:
        return True

    def handle(self, *args: Any, **options: Any) -> None:
        watched = self._watched()
        tasks = {**background.TASKS, "watch": {"wait": True, "cluster": watched}}
        with background.until_sigterm() as stopped:
            threads = background.start(tasks, stopped, self.stderr)
            try:
                stopped.wait()
            except KeyboardInterrupt:
                self.stderr.write("Interrupted.")
                stopped.set()
            for thread in threads:
                thread.join()

    def _watched(self) -> list[str]:
        """Keys of all clusters. Raises Error if one of them is a file that another process owns."""
        configured = clusters.all_clusters()
        for cluster in configured:
            if cluster.is_embedded:
                raise Error(EMBEDDED.format(key=cluster.key), returncode=2)
        return [cluster.key for cluster in configured]
