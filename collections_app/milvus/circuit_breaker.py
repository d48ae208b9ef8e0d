"""The circuit breaker of one cluster: a cluster that does not answer is not called for a while."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

from . import metrics
from .errors import PAUSED, Unreachable
from .types import Cluster


class State(Enum):
    """What happens to the next call."""

    CLOSED = "closed"  # it is made
    OPEN = "open"  # it is not made
    HALF_OPEN = "half-open"  # it is made as a trial; the others are not, until that is over


def is_timeout(seconds: float, cluster: Cluster) -> bool:
    """Whether a call that failed as unreachable waited. A refused connection comes back at once."""
    return seconds > cluster.read_timeout / 2


class CircuitBreaker:
    """Around calls to one cluster. Safe to use from many threads.

    A call without an answer opens it for `cluster.breaker_cooldown` seconds; 0 switches it off.
    The first call after that is a trial: its answer closes the breaker, a timeout opens it again.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._lock = threading.Lock()
        self._opened_at: float | None = None
        self._is_on_trial = False  # a trial call is being made

    @property
    def state(self) -> State:
        """Now."""
        if self._opened_at is None:
            return State.CLOSED
        return State.OPEN if self.cooldown_left > 0 else State.HALF_OPEN

    @property
    def cooldown_left(self) -> float:
        """Seconds until a call may be made again; 0 if it may be made now."""
        if self._opened_at is None:
            return 0.0
        return max(self._opened_at + self.cluster.breaker_cooldown - time.monotonic(), 0.0)

    @contextmanager
    def call(self) -> Iterator[None]:
        """Around one call. Raises Unreachable without making it while the breaker is open."""
        is_trial = self._admit()
        began, timed_out = time.monotonic(), False
        try:
            yield
        except Unreachable as exc:
            timed_out = is_timeout(time.monotonic() - began, self.cluster)
            exc.again_in = self.cluster.breaker_cooldown if timed_out else 0.0
            raise
        finally:
            self._record(is_trial=is_trial, timed_out=timed_out)

    def _admit(self) -> bool:
        """Whether the call is a trial. Raises Unreachable."""
        with self._lock:
            left = self.cooldown_left
            if left > 0:
                raise _not_called(f"in {max(round(left), 1)} s", left)
            if self._is_on_trial:
                raise _not_called("right now, by another request", self.cluster.read_timeout)
            self._is_on_trial = self.state is State.HALF_OPEN
            return self._is_on_trial

    def _record(self, *, is_trial: bool, timed_out: bool) -> None:
        with self._lock:
            if is_trial:
                self._is_on_trial = False
            if not timed_out:
                self._close()
            elif self.cluster.breaker_cooldown:
                self._open()

    def _open(self) -> None:
        self._opened_at = time.monotonic()
        metrics.breaker_opened(self.cluster.key, self.cluster.breaker_cooldown)

    def _close(self) -> None:
        if self._opened_at is not None:
            self._opened_at = None
            metrics.breaker_closed(self.cluster.key)


def _not_called(when: str, retry_in: float) -> Unreachable:
    return Unreachable(f"It did not answer, and is asked again {when}", PAUSED, retry_in)
