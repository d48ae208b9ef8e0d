"""The bulkhead of one cluster: while it does not answer, it holds up a few requests and no more."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .circuit_breaker import is_timeout
from .errors import BUSY, Unreachable
from .types import Cluster

MAX_WAIT = 0.5  # seconds without any answer after which no request waits for a slot any more
MAX_WAITERS = 2  # requests that wait so long; more of them would hold the threads of others
SHORT_WAIT = 0.05  # seconds for the others, and a few times what this cluster usually takes


class Bulkhead:
    """Slots for requests of this process to one cluster. Safe to use from many threads.

    At most `cluster.max_concurrent` requests may wait for a cluster that gives no answers, and
    for a moment a few more for a slot. While it answers, every request gets its turn.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._changed = threading.Condition()
        self._taken = self._waiters = 0
        self._in_flight = 0  # calls that have no answer yet
        self._last_answer = time.monotonic()  # or when it had nothing to answer
        self._average_latency = SHORT_WAIT  # seconds to an answer, a moving average

    @contextmanager
    def slot(self) -> Iterator[None]:
        """For one request, as long as it talks to this cluster. Raises Unreachable if all slots
        wait for an answer.
        """
        self._acquire()
        try:
            yield
        finally:
            with self._changed:
                self._taken -= 1
                self._changed.notify()

    def _acquire(self) -> None:
        with self._changed:
            max_wait = MAX_WAIT if self._waiters < MAX_WAITERS else self._short_wait()
            self._waiters += 1
            try:
                while self._taken >= self.cluster.max_concurrent:
                    self._wait(max_wait)
                self._taken += 1
            finally:
                self._waiters -= 1

    def _wait(self, max_wait: float) -> None:
        if self._in_flight and time.monotonic() - self._last_answer > max_wait:
            message = f"{self._taken} requests wait for it already"
            raise Unreachable(message, BUSY, self.cluster.read_timeout)
        self._changed.wait(max_wait / 5)

    def _short_wait(self) -> float:
        """A slow cluster that answers is not one that hangs."""
        return min(SHORT_WAIT + 4 * self._average_latency, MAX_WAIT)

    @contextmanager
    def read(self) -> Iterator[None]:
        """Around one call that reads: its answer shows that the cluster does not hang."""
        began, timed_out = time.monotonic(), False
        with self.write():
            try:
                yield
            except Unreachable:
                timed_out = is_timeout(time.monotonic() - began, self.cluster)
                raise
            finally:
                if not timed_out:
                    self._record_answer(time.monotonic() - began)

    @contextmanager
    def write(self) -> Iterator[None]:
        """Around one call that changes something: never held back, but waiters see it wait."""
        with self._changed:
            if not self._in_flight:
                self._last_answer = time.monotonic()
            self._in_flight += 1
        try:
            yield
        finally:
            with self._changed:
                self._in_flight -= 1
                self._changed.notify_all()

    def _record_answer(self, seconds: float) -> None:
        with self._changed:
            self._average_latency += (seconds - self._average_latency) / 10
            self._last_answer = time.monotonic()
