"""Cached probes: one call for all who ask, and a bounded wait."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from milvusadmin.middleware import cached_probe
from milvusadmin.middleware.cached_probe import CachedProbe


class Counting:
    """Counts how often it is asked, and answers when `gate` is open."""

    def __init__(self) -> None:
        self.asked, self.gate = 0, threading.Event()

    def __call__(self) -> int:
        self.asked += 1
        asked = self.asked
        assert self.gate.wait(10)
        return asked


@pytest.fixture
def counting() -> Counting:
    return Counting()


def test_cached_probe_answers_a_crowd_with_one_call(counting: Counting) -> None:
    found = CachedProbe(counting, ttl=60, timeout=10)
    with ThreadPoolExecutor(8) as crowd:
        answers = [crowd.submit(found.get) for _ in range(8)]
        counting.gate.set()
        assert {answer.result() for answer in answers} == {1}
    assert (found.get(), counting.asked) == (1, 1)


def test_cached_probe_past_its_ttl_calls_again(counting: Counting) -> None:
    counting.gate.set()
    found = CachedProbe(counting, ttl=0.05, timeout=10)
    assert found.get() == 1
    time.sleep(0.06)
    assert found.get() == 2


def test_cached_probe_that_hangs_is_waited_for_once(counting: Counting) -> None:
    found = CachedProbe(counting, ttl=0.05, timeout=0.3)
    began = time.monotonic()
    assert found.get() is None
    assert 0.25 < time.monotonic() - began < 5
    began = time.monotonic()
    assert [found.get() for _ in range(5)] == [None] * 5
    assert time.monotonic() - began < 1.2
    assert counting.asked == 1
    counting.gate.set()


def test_cached_probe_that_hangs_for_good_is_given_up(
    counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cached_probe, "GIVE_UP", 0.2)
    found = CachedProbe(counting, ttl=0.0, timeout=0.1)
    assert found.get() is None
    time.sleep(0.2)
    assert found.get() is None
    assert counting.asked == 2
    counting.gate.set()
    assert CachedProbe(counting, ttl=0, timeout=10).get() == 3


def test_cached_probe_that_fails_is_no_answer() -> None:
    def fail() -> int:
        raise ValueError

    assert CachedProbe(fail, ttl=60, timeout=10).get() is None
