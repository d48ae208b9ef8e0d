"""A process held up between its read and its request must not act on the old state."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from collections_app.access.policy import Action
from collections_app.audit.log import Outcome
from collections_app.audit.verify import verify
from collections_app.milvus.types import Kind
from collections_app.models import Claim
from collections_app.operations.claims import record_outcome
from collections_app.operations.kinds import OPERATIONS
from collections_app.operations.protocol import OperationRejected
from tests.fixtures import caller
from tests.infra.chain import Chain
from tests.infra.seeds import Seeds, unique_name

from .conftest import Thing, carry_out, consent, target_in, told

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def on_intent(act: Callable[[], object]) -> Iterator[None]:
    """Do something when the intent is committed: its line goes out before anything is sent."""

    class Once(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if '"phase":"intent"' in record.getMessage():
                act()

    handler, logger = Once(), logging.getLogger("audit")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


@pytest.fixture
def impatient(use_cluster: Callable[..., Any], chain: Chain) -> None:
    use_cluster(chain.uri, chain.token, drop_timeout=0.5)


@pytest.mark.usefixtures("impatient")
def test_log_blocked_past_the_deadline_sends_nothing(thing: Thing, chain: Chain) -> None:
    confirmation = consent(thing.target)
    with on_intent(lambda: time.sleep(0.6)):
        assert carry_out(confirmation) is Outcome.FAILED
    assert (chain.relay.count(thing.rpc), thing.is_there()) == (0, True)
    assert told() == ["intent", "outcome failed"]
    assert not Claim.objects.exists()


@pytest.mark.usefixtures("faulty")
def test_operation_settled_before_sending_is_not_sent(thing: Thing, chain: Chain) -> None:
    """It was settled as failed and a namesake was created, which survives."""
    confirmation = consent(thing.target)

    def meanwhile() -> None:
        record_outcome(confirmation, Outcome.FAILED, "given up", caller("other"), {})
        thing.replace()

    with on_intent(meanwhile):
        assert carry_out(confirmation) is Outcome.FAILED
    assert (chain.relay.count(thing.rpc), thing.is_there()) == (0, True)
    assert told() == ["intent", "outcome failed"]
    assert not verify().broken


@pytest.mark.usefixtures("faulty")
def test_bug_in_the_read_back_leaves_an_unknown_outcome(
    thing: Thing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object) -> bool:
        raise KeyError("what a newer server left out")

    monkeypatch.setattr(type(OPERATIONS[thing.action]), "is_done", broken)
    assert carry_out(consent(thing.target)) is Outcome.UNKNOWN
    assert told() == ["intent", "outcome unknown"]


@pytest.mark.usefixtures("faulty")
def test_alias_moved_during_its_drop_is_not_called_dropped(
    make_collection: Seeds, chain: Chain
) -> None:
    alias = unique_name("alias")
    here, there = make_collection(aliases=[alias]), make_collection()
    target = target_in(here, Kind.ALIAS, alias)
    confirmation = consent(target, Action.DROP_ALIAS)

    def lost_and_moved(request: bytes) -> bytes:
        chain.direct.client().alter_alias(there, alias, timeout=10)
        return b""  # an empty status: OK

    chain.relay.answer("DropAlias", lost_and_moved)
    assert carry_out(confirmation) is Outcome.UNKNOWN


@pytest.mark.usefixtures("faulty")
def test_unreadable_aliases_block_the_drop(make_collection: Seeds, chain: Chain) -> None:
    import grpc

    collection = make_collection(aliases=[unique_name("alias")])
    confirmation = consent(target_in(collection, Kind.COLLECTION))
    chain.relay.fail("ListAliases", grpc.StatusCode.DEADLINE_EXCEEDED, "too slow")
    with pytest.raises(OperationRejected) as stopped:
        carry_out(confirmation)
    assert stopped.value.outcome is Outcome.BLOCKED
    assert chain.relay.count("DropCollection") == 0
