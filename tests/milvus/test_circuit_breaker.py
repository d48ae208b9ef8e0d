"""The circuit breaker: a silent cluster is paused, and then tried again."""

import time

import pytest

from collections_app.milvus.circuit_breaker import CircuitBreaker, State
from collections_app.milvus.connection import Connection
from collections_app.milvus.destroy import Destroyer
from collections_app.milvus.errors import PAUSED, Denied, Unreachable
from collections_app.milvus.gateway import Gateway
from tests.fixtures import cluster_at
from tests.infra.chain import Chain


def a_breaker(breaker_cooldown: float = 60.0) -> CircuitBreaker:
    return CircuitBreaker(
        cluster_at("http://127.0.0.1:1", breaker_cooldown=breaker_cooldown, read_timeout=0.2)
    )


def time_out(breaker: CircuitBreaker) -> None:
    """A call that gets no answer within its deadline."""
    with pytest.raises(Unreachable, match="no answer"), breaker.call():
        time.sleep(breaker.cluster.read_timeout)
        raise Unreachable("no answer")


def code_of_a_call(breaker: CircuitBreaker) -> str:
    try:
        with breaker.call():
            return ""
    except Unreachable as exc:
        return exc.code


def test_circuit_breaker_after_a_timeout_opens_and_says_how_long() -> None:
    breaker = a_breaker()
    time_out(breaker)
    assert breaker.state is State.OPEN
    with pytest.raises(Unreachable, match=r"is asked again in (59|60) s") as caught, breaker.call():
        raise AssertionError("it was called")
    assert caught.value.code == PAUSED


@pytest.mark.parametrize("answer", [Denied("no"), Unreachable("refused at once"), None])
def test_circuit_breaker_after_any_answer_stays_closed(answer: Exception | None) -> None:
    breaker = a_breaker()
    try:
        with breaker.call():
            if answer:
                raise answer
    except (Denied, Unreachable):
        pass
    assert breaker.state is State.CLOSED
    assert code_of_a_call(breaker) == ""


def test_circuit_breaker_half_open_lets_one_trial_through() -> None:
    breaker = a_breaker(0.05)
    time_out(breaker)
    time.sleep(0.06)
    assert breaker.state is State.HALF_OPEN
    with breaker.call():
        assert code_of_a_call(breaker) == PAUSED
    assert breaker.state is State.CLOSED
    assert code_of_a_call(breaker) == ""


def test_circuit_breaker_trial_that_times_out_opens_it_again() -> None:
    breaker = a_breaker(0.3)
    time_out(breaker)
    time.sleep(0.31)
    time_out(breaker)
    assert breaker.state is State.OPEN
    assert code_of_a_call(breaker) == PAUSED


def test_circuit_breaker_with_a_cooldown_of_zero_is_off() -> None:
    breaker = a_breaker(0.0)
    time_out(breaker)
    assert breaker.state is State.CLOSED


def test_circuit_breaker_with_a_stalled_milvus_calls_it_once(chain: Chain) -> None:
    cluster = cluster_at(chain.uri, chain.token, read_timeout=1.0, breaker_cooldown=1.0)
    gateway = Gateway(Connection(cluster))
    assert "default" in gateway.databases()
    chain.proxy.stall()
    with pytest.raises(Unreachable) as first:
        gateway.databases()
    before = time.monotonic()
    with pytest.raises(Unreachable) as second:
        gateway.databases()
    assert time.monotonic() - before < 0.9
    assert (first.value.code == PAUSED, second.value.code == PAUSED) == (False, True)
    chain.proxy.ok()
    time.sleep(1.1)
    assert "default" in gateway.databases()


def test_drop_with_an_open_circuit_breaker_is_sent(chain: Chain) -> None:
    connection = Connection(cluster_at(chain.uri, chain.token, breaker_cooldown=60.0))
    assert not connection.lite("default")
    connection.breaker._open()
    Destroyer(connection).drop_collection("default", "no_such_collection")  # 2.3.5 says OK
    assert chain.relay.count("DropCollection") == 1
    assert connection.breaker.state is State.OPEN
