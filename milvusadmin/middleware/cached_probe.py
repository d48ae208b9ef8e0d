"""A probe in a thread of its own, whose result is cached: one run serves everybody who asks."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

logger = logging.getLogger(__name__)

GIVE_UP = 30.0  # seconds after which a hanging run is abandoned, and a new one begins


class CachedProbe(Generic[T]):
    """The last result of `probe`, which runs in a thread of its own, one run at a time.

    However many ask, a run begins at most once in `ttl` seconds, and nobody waits once a run has
    taken `timeout` seconds.
    """

    def __init__(self, probe: Callable[[], T], *, ttl: float, timeout: float) -> None:
        self._probe, self._ttl, self._timeout = probe, ttl, timeout
        self._state = threading.Condition()
        self._began, self._running = float("-inf"), False
        self._result: T | None = None

    def get(self) -> T | None:
        """The result; None if there is none in time, or if the probe failed."""
        with self._state:
            age = time.monotonic() - self._began
            if age > (GIVE_UP if self._running else self._ttl):
                self._begin()
                age = 0.0
            self._state.wait_for(lambda: not self._running, max(self._timeout - age, 0.0))
            return None if self._running else self._result

    def _begin(self) -> None:
        self._began, self._running = time.monotonic(), True
        threading.Thread(target=self._run, args=[self._began], daemon=True).start()

    def _run(self, began: float) -> None:
        result = None
        try:
            result = self._probe()
        except Exception as exc:
            logger.error("%s: %s: %s", self._probe.__name__, type(exc).__name__, exc)
        with self._state:
            if began == self._began:  # else it was abandoned
                self._result, self._running = result, False
                self._state.notify_all()
