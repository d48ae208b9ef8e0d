"""What this process read a moment ago, for the next pages of the same reader."""

import threading
import time
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Lately(Generic[K, V]):
    """Keeps `at_most` values, the newest, each for so many seconds. Safe to use from many threads.

    Another process knows nothing of them: whoever asks must be able to do without.
    """

    def __init__(self, *, seconds: float, at_most: int) -> None:
        self._seconds, self._at_most = seconds, at_most
        self._values: dict[K, tuple[float, V]] = {}
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """The value, if it is not too old."""
        with self._lock:
            put_at, value = self._values.get(key, (float("-inf"), None))
        return value if time.monotonic() - put_at < self._seconds else None

    def put(self, key: K, value: V) -> None:
        with self._lock:
            self._values.pop(key, None)  # to the end of the line
            self._values[key] = (time.monotonic(), value)
            while len(self._values) > self._at_most:
                del self._values[next(iter(self._values))]
