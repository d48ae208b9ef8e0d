"""Clocks: rounds that take turns, so that a busy moment of the machine hits all alike."""

import math
import os
import random
import statistics
import time
from collections.abc import Callable, Sequence

WARM_UP = 5


def rounds(default: int = 40) -> int:
    """How often each thing is measured: ROUNDS, or what the figure thinks is enough."""
    return int(os.environ.get("ROUNDS") or default)


def in_turns(*acts: Callable[[], object], times: int, warm_up: int = WARM_UP) -> list[float]:
    """The median of each act in milliseconds, measured in turns after a warm-up.

    Every round has another order: what runs after a list of ten thousand is 2 ms slower.
    """
    for _ in range(warm_up):
        for act in acts:
            act()
    taken: list[list[float]] = [[] for _ in acts]
    turns, order = list(zip(acts, taken, strict=True)), random.Random(times)
    for _ in range(times):
        for act, found in order.sample(turns, len(turns)):
            found.append(milliseconds(act))
    return [statistics.median(found) for found in taken]


def milliseconds(act: Callable[[], object]) -> float:
    """How long it takes, once."""
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all values does not exceed."""
    ordered = sorted(values)
    return ordered[max(math.ceil(len(ordered) * share) - 1, 0)]
