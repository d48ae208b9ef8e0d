"""Exports and verification read the whole log: few at once, so that threads are left for pages."""

import threading
from collections.abc import Iterator

from ..access.principals import Actor

AT_ONCE = 2  # in this process, of its eight threads

_running: dict[object, tuple[str, str]] = {}  # each one's own key: who runs it
_guard = threading.Lock()


class AlreadyRunning(Exception):
    """This person reads the whole log already, or enough others do."""


class LongRead:
    """The right to read the whole log once. Begins when it is made; `close()` ends it.

    Raises AlreadyRunning. An export is an iterator that Django closes, whatever happens to it.
    """

    def __init__(self, actor: Actor, lines: Iterator[str] | None = None) -> None:
        self._key, self._lines = object(), lines or iter(())
        person = (actor.issuer, actor.subject)
        with _guard:
            if person in _running.values() or len(_running) >= AT_ONCE:
                raise AlreadyRunning
            _running[self._key] = person

    def __iter__(self) -> Iterator[str]:
        return self._lines

    def close(self) -> None:
        with _guard:
            _running.pop(self._key, None)

    def __del__(self) -> None:
        """An answer that got lost before the server had it was not closed."""
        self.close()
