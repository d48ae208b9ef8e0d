"""The audit log at a million events beside the same at a thousand, on SQLite."""

import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from .application import application, get, signed_in
from .figures import at_most, noted
from .history import COLLECTIONS, open_log, operation_id, use
from .measure import milliseconds, rounds
from .places import Place

ROOT = Path(__file__).resolve().parents[2]
SMALL, LARGE = 1000, 1_000_000
NOBODY = Place(0, "http://127.0.0.1:1")  # no page of the log asks Milvus
IN_A_ROW = 5  # changing the database costs a connection, which is not on the clock
PAGE = "/audit/"
FILTERS = {
    "outcome=failed": "outcome=failed",
    "outcome=busy, in no event": "outcome=busy",
    "who": "who=person07",
    "who, in no event": "who=nobody",
    "what": f"what={COLLECTIONS[7]}",
    "what, in no event": "what=nothing",
    "cluster and database": "cluster=prod&database=default",
    "one day": "since=2025-01-01&until=2025-01-01",
}
COMMANDS = {"verify": "verify_audit_log", "export": "export_audit_log"}


def main() -> None:
    with application([NOBODY]):
        logs = [_Log(SMALL), _Log(large())]
        _page_of_both(logs)
        for words, query in FILTERS.items():
            _note(f"audit list, {words}, ms", logs, lambda log, q=query: log.get(f"{PAGE}?{q}"))
        _note("operation page, ms", logs, lambda log: log.get(f"/operations/{operation_id(77)}/"))
        _note("history of a collection, ms", logs, lambda log: log.history())
        for words, command in COMMANDS.items():
            _note_command(words, command, logs)


def large() -> int:
    """How many a million is; EVENTS changes it, to try things out."""
    return int(os.environ.get("EVENTS") or LARGE)


class _Log:
    """One of the two, with somebody who reads it."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.path: Path = open_log(size)
        self.client: Any = signed_in()

    def get(self, url: str) -> None:
        get(self.client, url)

    def history(self) -> None:
        from collections_app.audit.queries import recent_operations

        assert recent_operations("prod", "default", COLLECTIONS[7])


def _page_of_both(logs: list[_Log]) -> None:
    floor, value = _medians(logs, lambda log: get(log.client, PAGE, rows=50), rounds())
    at_most("audit list, ms", logs[1].size, value, floor, 2 * floor, "2 × the floor")


def _note(name: str, logs: list[_Log], act: Callable[[_Log], object]) -> None:
    floor, value = _medians(logs, act, min(rounds(), 10))
    noted(name, logs[1].size, value, floor)


def _medians(logs: list[_Log], act: Callable[[_Log], object], times: int) -> list[float]:
    """In turns, a few requests to one log and a few to the other."""
    taken: list[list[float]] = [[] for _ in logs]
    while len(taken[-1]) < times:
        for log, found in zip(logs, taken, strict=True):
            use(log.path)
            act(log)
            found += [milliseconds(partial(act, log)) for _ in range(IN_A_ROW)]
    return [statistics.median(found) for found in taken]


def _note_command(words: str, command: str, logs: list[_Log]) -> None:
    (small_mb, _), (large_mb, seconds) = [_run(command, log.path) for log in logs]
    noted(f"{words}, peak memory, MB", logs[1].size, large_mb, small_mb)
    noted(f"{words}, s", logs[1].size, seconds)


def _run(command: str, path: Path) -> tuple[float, float]:
    """Megabytes at most, and seconds, of a management command in a process of its own."""
    use(path)
    began, peak = time.perf_counter(), 0.0
    process = subprocess.Popen(
        [sys.executable, "manage.py", command], stdout=subprocess.DEVNULL, cwd=ROOT
    )
    while process.poll() is None:
        peak = max(peak, _peak_so_far(process.pid))
        time.sleep(0.02)
    assert process.returncode == 0, f"{command} ended with {process.returncode}"
    return peak, time.perf_counter() - began


def _peak_so_far(pid: int) -> float:
    """Megabytes. Not wait4's number, in which a child inherits the peak of its parent."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.M)
    return int(found[1]) / 1024 if found else 0.0


if __name__ == "__main__":
    main()
