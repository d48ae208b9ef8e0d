"""What keeps one cluster that hangs from being felt anywhere else in this process."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from . import metrics
from .errors import BUSY, PAUSED, Unreachable
from .types import Cluster

PATIENCE = 0.5  # seconds without any answer after which nobody waits for a seat any more
MAY_WAIT = 2  # requests that have this patience; more of them would take the threads of others
BRIEF = 0.05  # seconds for the others, and a few times what this cluster usually takes


class Guard:
    """Seats for requests, and a breaker for calls. Safe to use from many threads.

    At most `cluster.at_once` requests may wait for a cluster that gives no answers, and for a
    moment a few more for a seat. A call that got none within its deadline opens the breaker: for
    `cluster.pause` seconds nobody asks, then one call tries. 0 seconds switches it off.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._state = threading.Condition()
        self._seated = self._waiting = 0
        self._calling = 0
        self._heard = time.monotonic()  # when it answered last, or had nothing to answer
        self._usual = BRIEF  # seconds to an answer, lately
        self._closed_from: float | None = None  # when the breaker opened; None: calls pass
        self._trying = False

    # --- seats --------------------------------------------------------------------------------

    @contextmanager
    def seat(self) -> Iterator[None]:
        """For one request, as long as it talks to this cluster. Raises Unreachable if it hangs."""
        self._sit_down()
        try:
            yield
        finally:
            with self._state:
                self._seated -= 1
                self._state.notify()

    def _sit_down(self) -> None:
        with self._state:
            patience = PATIENCE if self._waiting < MAY_WAIT else self._brief()
            self._waiting += 1
            try:
                while self._seated >= self.cluster.at_once:
                    self._wait_for_a_seat(patience)
                self._seated += 1
            finally:
                self._waiting -= 1

    def _wait_for_a_seat(self, patience: float) -> None:
        if self._calling and time.monotonic() - self._heard > patience:
            waiting = f"{self._seated} requests wait for it already"
            raise Unreachable(waiting, BUSY, self.cluster.read_timeout)
        self._state.wait(patience / 5)

    def _brief(self) -> float:
        """A slow cluster that answers is not one that hangs."""
        return min(BRIEF + 4 * self._usual, PATIENCE)

    # --- the breaker --------------------------------------------------------------------------

    @contextmanager
    def call(self) -> Iterator[None]:
        """Around one call. Raises Unreachable without making it while the breaker is open."""
        tries = self._admit()
        began, silent = time.monotonic(), False
        try:
            yield
        except Unreachable as exc:
            # A refused connection comes back at once and holds nobody up.
            silent = time.monotonic() - began > self.cluster.read_timeout / 2
            exc.again_in = self.cluster.pause if silent else 0.0
            raise
        finally:
            self._over(time.monotonic() - began, silent, tries)

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Around the one request that destroys: never held back, but whoever waits sees it wait."""
        with self._state:
            self._begin()
        try:
            yield
        finally:
            with self._state:
                self._calling -= 1
                self._state.notify_all()

    def _admit(self) -> bool:
        with self._state:
            left = self.pause_left()
            if left > 0 or self._trying:
                when = f"in {max(round(left), 1)} s" if left > 0 else "right now, by somebody else"
                wait = left if left > 0 else self.cluster.read_timeout
                raise Unreachable(f"It did not answer, and is asked again {when}", PAUSED, wait)
            self._trying = self._closed_from is not None
            self._begin()
            return self._trying

    def _begin(self) -> None:
        if not self._calling:
            self._heard = time.monotonic()
        self._calling += 1

    def _over(self, took: float, silent: bool, tries: bool) -> None:
        with self._state:
            self._calling -= 1
            if tries:
                self._trying = False
            if not silent:
                self._usual += (took - self._usual) / 10
                self._heard = time.monotonic()
                self._close()
            elif self.cluster.pause:
                self._closed_from = time.monotonic()
                metrics.paused(self.cluster.key, self.cluster.pause)
            self._state.notify_all()

    def _close(self) -> None:
        if self._closed_from is not None:
            self._closed_from = None
            metrics.paused(self.cluster.key, 0)

    def pause_left(self) -> float:
        """Seconds until somebody may ask again; 0 if calls pass."""
        if self._closed_from is None:
            return 0.0
        return max(self._closed_from + self.cluster.pause - time.monotonic(), 0.0)
