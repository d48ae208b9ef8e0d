"""SQLite has no queue: who just wrote writes again, while others ask ever more rarely and starve.

So the writers of the audit log wait at a door of their own, a file beside the database.
"""

import fcntl
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection


@contextmanager
def turn() -> Iterator[None]:
    """Only who is inside may begin. Leave when the transaction has begun: then the next one waits
    for its end, and whoever ends it comes after. On PostgreSQL, which has a queue, nobody waits.

    Raises OperationalError when it takes longer than SQLite's own timeout. Without a door (its
    folder can't be written, or its owner keeps us out) there is no order, and that is all.
    """
    if connection.vendor != "sqlite":
        yield
        return
    try:
        door = os.open(f"{connection.settings_dict['NAME']}-turn", os.O_RDONLY | os.O_CREAT, 0o644)
    except OSError:
        yield
        return
    try:
        _wait(door)
        yield
    finally:
        os.close(door)


def _wait(door: int) -> None:
    deadline = time.monotonic() + connection.settings_dict["OPTIONS"].get("timeout", 5)
    while not _is_ours(door):
        if time.monotonic() > deadline:
            raise OperationalError("database is locked")
        time.sleep(random.uniform(0.001, 0.003))  # noqa: S311 (no secret)


def _is_ours(door: int) -> bool:
    try:
        fcntl.flock(door, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
