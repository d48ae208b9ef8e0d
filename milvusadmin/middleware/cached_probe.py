"""An answer that is found on the side: once for all who ask, and never waited for too long."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

logger = logging.getLogger(__name__)

GIVE_UP = 30.0  # seconds after which a search that hangs is left to itself, and a new one begins


class Latest(Generic[T]):
    """What `find` gave lately. `find` runs in a thread of its own, one at a time.

    However many ask, it begins at most once in `keep` seconds; whoever asks waits at most until it
    has been running for `deadline` seconds.
    """

    def __init__(self, find: Callable[[], T], *, keep: float, deadline: float) -> None:
        self._find, self._keep, self._deadline = find, keep, deadline
        self._state = threading.Condition()
        self._began, self._running = float("-inf"), False
        self._found: T | None = None

    def get(self) -> T | None:
        """The answer; None if there is none in time, or if finding it failed."""
        with self._state:
            age = time.monotonic() - self._began
            if age > (GIVE_UP if self._running else self._keep):
                self._begin()
                age = 0.0
            self._state.wait_for(lambda: not self._running, max(self._deadline - age, 0.0))
            return None if self._running else self._found

    def _begin(self) -> None:
        self._began, self._running = time.monotonic(), True
        threading.Thread(target=self._run, args=[self._began], daemon=True).start()

    def _run(self, began: float) -> None:
        found = None
        try:
            found = self._find()
        except Exception as exc:
            logger.error("%s: %s: %s", self._find.__name__, type(exc).__name__, exc)
        with self._state:
            if began == self._began:  # else it was given up
                self._found, self._running = found, False
                self._state.notify_all()
