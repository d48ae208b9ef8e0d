"""SQLite has no queue: who just wrote writes again, while others ask ever more rarely and starve.

So the writers of the audit log wait at a door of their own, a file beside the database. When the
log can't be written for a while, few threads of a process wait: the others have pages to serve.
"""

import fcntl
import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection

from ..private import open_private

# Once somebody has waited for so many seconds, so many may wait beside the one who is inside. All
# others are told at once.
PATIENCE, MAY_WAIT = 1.0, 1

_arrivals: list[float] = []  # when each thread came that is at the door, or begins its transaction
_guard = threading.Lock()


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
        door = _open_door()
        try:
            _wait(door, arrival)
            yield
        finally:
            if door is not None:
                os.close(door)


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


def _wait(door: int | None, arrival: float) -> None:
    deadline = arrival + connection.settings_dict["OPTIONS"].get("timeout", 5)
    while True:
        if _is_one_too_many(arrival):  # first: who is inside may have to wait for SQLite itself
            raise OperationalError("database is locked, and others wait for it already")
        if _is_ours(door):
            return
        if time.monotonic() > deadline:
            raise OperationalError("database is locked")
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
