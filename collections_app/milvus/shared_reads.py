"""Reads for many things of one database: what is about the whole of it is asked once."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from .connection import Connection, done
from .reads import Names, Reads

T = TypeVar("T")


class SharedReads(Reads):
    """For a short while, and for threads that read many things at a time: each makes its single
    reads one after the other.

    A plan of a thousand asked three thousand times for what one list of collections tells.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._answers: dict[tuple[str, str], Callable[[], Any]] = {}
        self._asking = threading.Lock()

    def listed(self, database: str) -> Names:
        return self._once("listed", database, super().listed)

    def loads(self, database: str) -> dict[str, int]:
        return self._once("loads", database, super().loads)

    def version(self, database: str) -> str:
        return self._once("version", database, super().version)

    def start(self, read: Callable[[], T]) -> Callable[[], T]:
        return done(read)

    def _once(self, what: str, database: str, read: Callable[[str], T]) -> T:
        """Its first answer, also if that is an error: others don't wait for it once more."""
        with self._asking:
            if (what, database) not in self._answers:
                self._answers[what, database] = done(lambda: read(database))
            answer: Callable[[], T] = self._answers[what, database]
        return answer()
