"""A cluster that hangs takes seats and then a pause, and nothing else."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from collections_app.milvus.connection import Connection
from collections_app.milvus.errors import Denied, Unreachable
from collections_app.milvus.gateway import Gateway
from collections_app.milvus.guard import BUSY, PATIENCE, PAUSED, Guard
from tests.fixtures import cluster_at
from tests.infra.chain import Chain


def guard(**changes: float) -> Guard:
    return Guard(
        cluster_at("http://127.0.0.1:1", **{"pause": 60.0, "read_timeout": 0.2, **changes})
    )


def time_out(one: Guard) -> None:
    """A call that gets no answer within its deadline."""
    with pytest.raises(Unreachable, match="no answer"), one.call():
        time.sleep(one.cluster.read_timeout)
        raise Unreachable("no answer")


def code_of_a_call(one: Guard) -> str:
    try:
        with one.call():
            return ""
    except Unreachable as exc:
        return exc.code


# --- the breaker ----------------------------------------------------------------------------------


def test_after_a_time_out_nobody_asks_and_the_page_can_say_for_how_long() -> None:
    one = guard()
    time_out(one)
    with pytest.raises(Unreachable, match=r"is asked again in (59|60) s") as caught, one.call():
        raise AssertionError("it was asked")
    assert caught.value.code == PAUSED


@pytest.mark.parametrize("answer", [Denied("no"), Unreachable("refused at once"), None])
def test_an_answer_even_a_bad_one_pauses_nothing(answer: Exception | None) -> None:
    one = guard()
    try:
        with one.call():
            if answer:
                raise answer
    except (Denied, Unreachable):
        pass
    assert code_of_a_call(one) == ""


def test_after_the_pause_one_call_tries_and_the_others_still_do_not() -> None:
    one = guard(pause=0.05)
    time_out(one)
    time.sleep(0.06)
    with one.call():
        assert code_of_a_call(one) == PAUSED
    assert code_of_a_call(one) == ""


def test_a_try_without_an_answer_begins_a_new_pause() -> None:
    one = guard(pause=0.3)
    time_out(one)
    time.sleep(0.31)
    time_out(one)
    assert code_of_a_call(one) == PAUSED


def test_a_pause_of_zero_switches_it_off() -> None:
    one = guard(pause=0.0)
    time_out(one)
    assert code_of_a_call(one) == ""


# --- seats ----------------------------------------------------------------------------------------


def sit(one: Guard, until: threading.Event, calling: bool = True) -> str:
    """One request: takes a seat and makes a call that lasts until then."""
    try:
        with one.seat():
            if calling:
                with one.call():
                    until.wait(10)
            return "seated"
    except Unreachable as exc:
        return exc.code


def test_while_no_answer_comes_only_so_many_wait() -> None:
    one, over = guard(at_once=2, read_timeout=60.0), threading.Event()
    with ThreadPoolExecutor(10) as pool:
        began = time.monotonic()
        waiting = [pool.submit(sit, one, over) for _ in range(10)]
        refused = [task.result(5) for task in _finished(waiting, 8)]
        took = time.monotonic() - began
        over.set()
        assert refused == [BUSY] * 8
        assert took < PATIENCE + 1
        assert sorted(task.result(5) for task in waiting) == [BUSY] * 8 + ["seated"] * 2


def _finished(tasks: list, count: int) -> list:  # type: ignore[type-arg]
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        done = [task for task in tasks if task.done()]
        if len(done) >= count:
            return done
        time.sleep(0.01)
    raise AssertionError(f"only {len(done)} of {count} came back")


def test_while_answers_come_everybody_gets_a_turn() -> None:
    one = guard(at_once=2, read_timeout=60.0)

    def request(_: int) -> str:
        with one.seat(), one.call():
            time.sleep(0.02)
        return "answered"

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(request, range(100))) == {"answered"}


def test_a_crowd_gives_up_at_once_and_only_two_wait_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("collections_app.milvus.guard.PATIENCE", 30.0)
    one, over = guard(at_once=2, read_timeout=60.0), threading.Event()
    for _ in range(50):
        with one.call():  # it is known as a fast one
            pass
    with ThreadPoolExecutor(10) as pool:
        waiting = [pool.submit(sit, one, over) for _ in range(10)]
        refused = [task.result(5) for task in _finished(waiting, 6)]
        over.set()
        assert refused == [BUSY] * 6
        assert sorted(task.result(5) for task in waiting) == [BUSY] * 6 + ["seated"] * 4


def test_a_slow_cluster_that_answers_is_not_one_that_hangs() -> None:
    one = guard(at_once=2, read_timeout=60.0)

    def request(_: int) -> str:
        with one.seat(), one.call():
            time.sleep(0.15)  # longer than BRIEF
        return "answered"

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(request, range(16))) == {"answered"}


def test_a_drop_without_an_answer_is_seen_by_whoever_would_wait() -> None:
    one, over = guard(at_once=1), threading.Event()

    def drop() -> None:
        with one.seat(), one.sending():
            over.wait(10)

    with ThreadPoolExecutor(1) as pool:
        dropping = pool.submit(drop)
        with pytest.raises(Unreachable, match="wait for it already"):
            _after_it_sat_down(one)
        over.set()
        dropping.result(5)
    with one.seat():
        pass


def _after_it_sat_down(one: Guard) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with one.seat():
            time.sleep(0.01)


def test_a_drop_is_sent_during_a_pause_and_does_not_end_it() -> None:
    one, sent = guard(), False
    time_out(one)
    with one.sending():
        sent = True
    assert (sent, code_of_a_call(one)) == (True, PAUSED)


def test_a_seat_is_given_back_whatever_happens() -> None:
    one = guard(at_once=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), one.seat():
            raise ZeroDivisionError
    with one.seat():
        pass


# --- a real Milvus --------------------------------------------------------------------------------


def test_a_real_milvus_that_stalls_is_asked_once_and_found_again(chain: Chain) -> None:
    cluster = cluster_at(chain.uri, chain.token, read_timeout=1.0, pause=1.0)
    gateway = Gateway(Connection(cluster))
    assert "default" in gateway.databases()
    chain.proxy.stall()
    with pytest.raises(Unreachable) as first:
        gateway.databases()
    before = time.monotonic()
    with pytest.raises(Unreachable) as second:
        gateway.databases()
    assert time.monotonic() - before < 0.1
    assert (first.value.code == PAUSED, second.value.code == PAUSED) == (False, True)
    chain.proxy.ok()
    time.sleep(1.1)
    assert "default" in gateway.databases()
