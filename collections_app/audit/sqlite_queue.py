"""SQLite has no queue: who just wrote writes again, while others ask ever more rarely and starve.

So the writers of the audit log wait at a door of their own, a file beside the database. When the
log can't be written for a while, few threads of a process wait: the others have pages to serve.
"""

import fcntl
import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, connection

from ..private import open_private

# Once somebody has waited for so many seconds, so many may wait beside the one who is inside. All
# others are told at once.
PATIENCE, MAY_WAIT = 1.0, 1

_arrivals: list[float] = []  # when each thread came that is at the door, or begins its transaction
_guard = threading.Lock()

WRITES = re.compile(r"BEGIN|INSERT|UPDATE|DELETE|REPLACE")
LOCKED = "database is locked"  # as SQLite says it


class _Thread(threading.local):
    is_inside = False
    max_wait: Callable[[], float] | None = None


_thread = _Thread()


@contextmanager
def turn() -> Iterator[None]:
    """Only who is inside may begin. Leave when the transaction has begun: then the next one waits
    for its end, and whoever ends it comes after. On PostgreSQL, which has a queue, nobody waits.

    Raises OperationalError when it takes longer than SQLite's own timeout, or when enough others
    wait already for what does not come. Without a door (its folder can't be written, or its owner
    keeps us out) there is no order, but those who are at it are counted all the same.
    """
    if connection.vendor != "sqlite":
        yield
        return
    with _counted() as arrival:
        door, deadline = _open_door(), arrival + _max_wait()
        try:
            _wait(door, arrival, deadline)
            with _inside(deadline):
                yield
        finally:
            if door is not None:
                os.close(door)


@contextmanager
def all_writes_queued(max_wait: Callable[[], float]) -> Iterator[None]:
    """In this block every write waits as the audit log's do, for `max_wait()` seconds at most.

    For what others write on a request: sessions, users, the lock-out after wrong passwords. Each
    would wait for SQLite's whole timeout, in as many threads as there are requests.
    """
    if connection.vendor != "sqlite":
        yield
        return
    _thread.max_wait = max_wait
    try:
        with connection.execute_wrapper(_queued):
            yield
    finally:
        _thread.max_wait = None


def is_busy(exc: BaseException | None) -> bool:
    """Whether this is another process that writes, and not a database out of order."""
    return isinstance(exc, OperationalError) and LOCKED in str(exc)


def _queued(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
    """Around each statement. Inside a transaction the wait is over: it began with BEGIN."""
    if _thread.is_inside or connection.in_atomic_block or not WRITES.match(sql):
        return execute(sql, *rest)
    with turn():
        return execute(sql, *rest)


def _max_wait() -> float:
    usual = float(connection.settings_dict["OPTIONS"].get("timeout", 5))
    return min(usual, _thread.max_wait()) if _thread.max_wait else usual


@contextmanager
def _inside(deadline: float) -> Iterator[None]:
    """SQLite waits for another process until the same deadline, not for its timeout once more."""
    _thread.is_inside = True
    try:
        _set_busy_timeout(max(deadline - time.monotonic(), 0.0))
        yield
    finally:
        _thread.is_inside = False
        _set_busy_timeout(float(connection.settings_dict["OPTIONS"].get("timeout", 5)))


def _set_busy_timeout(seconds: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")


@contextmanager
def _counted() -> Iterator[float]:
    arrival = time.monotonic()
    with _guard:
        _arrivals.append(arrival)
    try:
        yield arrival
    finally:
        with _guard:
            _arrivals.remove(arrival)


def _open_door() -> int | None:
    try:
        return open_private(f"{connection.settings_dict['NAME']}-turn")
    except OSError:
        return None


def _wait(door: int | None, arrival: float, deadline: float) -> None:
    while True:
        if _is_one_too_many(arrival):  # first: who is inside may have to wait for SQLite itself
            raise OperationalError(f"{LOCKED}, and others wait for it already")
        if _is_ours(door):
            return
        if time.monotonic() > deadline:
            raise OperationalError(LOCKED)
        time.sleep(random.uniform(0.001, 0.003))  # noqa: S311 (no secret)


def _is_one_too_many(arrival: float) -> bool:
    with _guard:
        longest = time.monotonic() - min(_arrivals)
        before = sum(other < arrival for other in _arrivals)
    return longest > PATIENCE and before >= MAY_WAIT


def _is_ours(door: int | None) -> bool:
    if door is None:
        return True
    try:
        fcntl.flock(door, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
