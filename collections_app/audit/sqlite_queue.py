"""SQLite writers queue on a lock file, because SQLite's own busy handler is unfair.

The process that wrote last writes again, while the others ask ever more rarely and starve.

When the log can't be written for a while, few threads of a process wait: the others have pages to
serve.
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

# Once a thread has waited for so many seconds, so many may wait beside the one that has the slot.
# All others fail at once.
LONG_WAIT, MAX_WAITERS = 1.0, 1

_arrivals: list[float] = []  # when each thread came that waits for the slot, or has it
_arrivals_lock = threading.Lock()

WRITES = re.compile(r"BEGIN|INSERT|UPDATE|DELETE|REPLACE")
LOCKED = "database is locked"  # as SQLite says it


class _Thread(threading.local):
    has_slot = False
    max_wait: Callable[[], float] | None = None


_thread = _Thread()


@contextmanager
def writer_slot() -> Iterator[None]:
    """Only the writer that has the slot may begin a transaction. Leave when it has begun: then the
    next writer waits for its end. On PostgreSQL, which has a queue, nobody waits.

    Raises OperationalError when it takes longer than SQLite's own timeout, or when enough others
    wait already. Without a lock file (its folder can't be written, or its owner denies access)
    there is no order, but the waiters are counted.
    """
    if connection.vendor != "sqlite":
        yield
        return
    with _counted() as arrival:
        lock_file, deadline = _open_lock_file(), arrival + _max_wait()
        try:
            _wait(lock_file, arrival, deadline)
            with _holding(deadline):
                yield
        finally:
            if lock_file is not None:
                os.close(lock_file)


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


@contextmanager
def waiting_at_most(seconds: float) -> Iterator[None]:
    """In this block a queued write gives up after so long: for what a page can do without."""
    before = _thread.max_wait
    _thread.max_wait = lambda: seconds
    try:
        yield
    finally:
        _thread.max_wait = before


def is_busy(exc: BaseException | None) -> bool:
    """Whether this is another process that writes, and not a database out of order."""
    return isinstance(exc, OperationalError) and LOCKED in str(exc)


def _queued(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
    """Around each statement. Inside a transaction the wait is over: it began with BEGIN."""
    if _thread.has_slot or connection.in_atomic_block or not WRITES.match(sql):
        return execute(sql, *rest)
    with writer_slot():
        return execute(sql, *rest)


def _max_wait() -> float:
    usual = float(connection.settings_dict["OPTIONS"].get("timeout", 5))
    return min(usual, _thread.max_wait()) if _thread.max_wait else usual


@contextmanager
def _holding(deadline: float) -> Iterator[None]:
    """SQLite waits for another process until the same deadline, not for its timeout once more."""
    _thread.has_slot = True
    try:
        _set_busy_timeout(max(deadline - time.monotonic(), 0.0))
        yield
    finally:
        _thread.has_slot = False
        _set_busy_timeout(float(connection.settings_dict["OPTIONS"].get("timeout", 5)))


def _set_busy_timeout(seconds: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")


@contextmanager
def _counted() -> Iterator[float]:
    arrival = time.monotonic()
    with _arrivals_lock:
        _arrivals.append(arrival)
    try:
        yield arrival
    finally:
        with _arrivals_lock:
            _arrivals.remove(arrival)


def _open_lock_file() -> int | None:
    try:
        return open_private(f"{connection.settings_dict['NAME']}-writer.lock")
    except OSError:
        return None


def _wait(lock_file: int | None, arrival: float, deadline: float) -> None:
    while True:
        if _is_one_too_many(arrival):  # first: the one that has the slot may wait for SQLite itself
            raise OperationalError(f"{LOCKED}, and others wait for it already")
        if _try_lock(lock_file):
            return
        if time.monotonic() > deadline:
            raise OperationalError(LOCKED)
        time.sleep(random.uniform(0.001, 0.003))  # noqa: S311 (no secret)


def _is_one_too_many(arrival: float) -> bool:
    with _arrivals_lock:
        longest_wait = time.monotonic() - min(_arrivals)
        before = sum(other < arrival for other in _arrivals)
    return longest_wait > LONG_WAIT and before >= MAX_WAITERS


def _try_lock(lock_file: int | None) -> bool:
    if lock_file is None:
        return True
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
