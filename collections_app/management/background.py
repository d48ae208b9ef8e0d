"""The background tasks: which there are, how they run in one process, and how SIGTERM ends them."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management import call_command
from django.db import connections

from .. import clusters
from ..plans.running import stopping

Tasks = dict[str, dict[str, Any]]

TASKS: Tasks = {
    "reconcile_operations": {"loop": True},
    "run_plans": {},
    "purge_recycle_bin": {"loop": True},
    "send_notifications": {"loop": True},
}
SECONDS_BEFORE_RESTART = 10.0


@contextmanager
def until_sigterm() -> Iterator[threading.Event]:
    """An event that SIGTERM sets. In a thread it is the event of the whole process."""
    if threading.current_thread() is not threading.main_thread():
        yield stopping
        return
    stopping.clear()
    before = signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    try:
        yield stopping
    finally:
        signal.signal(signal.SIGTERM, before)


def start(tasks: Tasks, stopped: threading.Event, err: Any = None) -> list[threading.Thread]:
    """Run each task in a thread of its own until `stopped`. Problems go to `err`."""
    common = (stopped, err or sys.stderr)
    threads = [
        threading.Thread(target=_keep_running, args=(*task, *common), daemon=True)
        for task in tasks.items()
    ]
    for thread in threads:
        thread.start()
    return threads


def start_beside() -> None:
    """Run the tasks in this process if it owns the file of a Milvus Lite: no other may open it."""
    if any(cluster.is_embedded for cluster in clusters.all_clusters()):
        start(TASKS, stopping)


def _keep_running(name: str, options: dict[str, Any], stopped: threading.Event, err: Any) -> None:
    """A task that fails takes no other with it; its heartbeat is late then."""
    while not stopped.is_set():
        try:
            call_command(name, stderr=err, **options)
        except BaseException as exc:
            err.write(f"{name} failed and starts again: {type(exc).__name__}: {exc}\n")
            stopped.wait(SECONDS_BEFORE_RESTART)
    connections.close_all()
