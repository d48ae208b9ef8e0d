"""The bulkhead: a cluster that hangs takes a few requests of this process, and no more."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from collections_app.milvus.bulkhead import MAX_WAIT, Bulkhead
from collections_app.milvus.errors import BUSY, Unreachable
from tests.fixtures import cluster_at


def a_bulkhead(max_concurrent: int, read_timeout: float = 0.2) -> Bulkhead:
    limits = {"max_concurrent": max_concurrent, "read_timeout": read_timeout}
    return Bulkhead(cluster_at("http://127.0.0.1:1", **limits))


def request(bulkhead: Bulkhead, until: threading.Event) -> str:
    """Takes a slot and makes a call that lasts until then."""
    try:
        with bulkhead.slot():
            with bulkhead.read():
                until.wait(10)
            return "served"
    except Unreachable as exc:
        return exc.code


def test_bulkhead_without_answers_holds_max_concurrent_requests() -> None:
    bulkhead, ended = a_bulkhead(max_concurrent=2, read_timeout=60.0), threading.Event()
    with ThreadPoolExecutor(10) as pool:
        began = time.monotonic()
        waiting = [pool.submit(request, bulkhead, ended) for _ in range(10)]
        refused = [task.result(5) for task in _finished(waiting, 8)]
        took = time.monotonic() - began
        ended.set()
        assert refused == [BUSY] * 8
        assert took < MAX_WAIT + 1
        assert sorted(task.result(5) for task in waiting) == [BUSY] * 8 + ["served"] * 2


def _finished(tasks: list, count: int) -> list:  # type: ignore[type-arg]
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        done = [task for task in tasks if task.done()]
        if len(done) >= count:
            return done
        time.sleep(0.01)
    raise AssertionError(f"only {len(done)} of {count} came back")


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may take longer than half a second for anything."""
    monkeypatch.setattr("collections_app.milvus.bulkhead.MAX_WAIT", 30.0)


def test_bulkhead_with_answers_serves_every_request(
    patience: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collections_app.milvus.bulkhead.SHORT_WAIT", 1.0)
    bulkhead = a_bulkhead(max_concurrent=2, read_timeout=60.0)

    def short_request(_: int) -> str:
        with bulkhead.slot(), bulkhead.read():
            time.sleep(0.02)
        return "served"

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(short_request, range(100))) == {"served"}


def test_bulkhead_lets_only_two_waiters_wait_long(patience: None) -> None:
    bulkhead, ended = a_bulkhead(max_concurrent=2, read_timeout=60.0), threading.Event()
    for _ in range(50):
        with bulkhead.read():  # it has answered fast so far
            pass
    with ThreadPoolExecutor(10) as pool:
        waiting = [pool.submit(request, bulkhead, ended) for _ in range(10)]
        refused = [task.result(5) for task in _finished(waiting, 6)]
        ended.set()
        assert refused == [BUSY] * 6
        assert sorted(task.result(5) for task in waiting) == [BUSY] * 6 + ["served"] * 4


def test_bulkhead_of_a_slow_cluster_serves_every_request(patience: None) -> None:
    bulkhead = a_bulkhead(max_concurrent=2, read_timeout=60.0)

    def short_request(_: int) -> str:
        with bulkhead.slot(), bulkhead.read():
            time.sleep(0.15)  # longer than SHORT_WAIT
        return "served"

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(short_request, range(16))) == {"served"}


def test_bulkhead_during_a_drop_without_reply_refuses_soon() -> None:
    bulkhead, ended = a_bulkhead(max_concurrent=1), threading.Event()

    def drop() -> None:
        with bulkhead.slot(), bulkhead.write():
            ended.wait(10)

    with ThreadPoolExecutor(1) as pool:
        dropping = pool.submit(drop)
        with pytest.raises(Unreachable, match="wait for it already"):
            _after_it_took_the_slot(bulkhead)
        ended.set()
        dropping.result(5)
    with bulkhead.slot():
        pass


def _after_it_took_the_slot(bulkhead: Bulkhead) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with bulkhead.slot():
            time.sleep(0.01)


def test_bulkhead_slot_is_released_after_any_exception() -> None:
    bulkhead = a_bulkhead(max_concurrent=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), bulkhead.slot():
            raise ZeroDivisionError
    with bulkhead.slot():
        pass
