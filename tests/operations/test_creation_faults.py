"""A creation that stops half way: what its record says, and how it goes on from there."""

import threading
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from django.db import connection

from collections_app.access.policy import Action
from collections_app.audit.log import Outcome
from collections_app.audit.queries import Event
from collections_app.milvus.types import Kind, Target
from collections_app.models import AuditEvent, Claim
from collections_app.operations.protocol import Busy, OperationRejected
from collections_app.operations.reconcile import settle
from tests.fixtures import actor, caller
from tests.infra.chain import Chain
from tests.infra.relay import Failure
from tests.infra.seeds import Seeds
from tests.infra.waiting import until
from tests.operations.conftest import (
    UNREADABLE,
    Shell,
    carry_out,
    consent,
    kill_at,
    settled,
    target_in,
    told,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("faulty")]

CREATOR = actor("ada", ("operator", "creator"))
PARTITIONS = ["novels", "poems"]


@pytest.fixture
def new(make_collection: Seeds) -> Target:
    """What a creation from the drop of a collection with partitions and an index is aimed at."""
    target = target_in(make_collection(partitions=PARTITIONS, indexed=True), Kind.COLLECTION)
    drop = consent(target)
    assert carry_out(drop) is Outcome.SUCCEEDED
    return Target(
        cluster="main",
        database="default",
        kind=Kind.NEW,
        collection=target.name,
        name=str(drop.operation_id),
    )


def create(new: Target) -> Outcome:
    return carry_out(consent(new, Action.CREATE, CREATOR), CREATOR)


def details() -> dict[str, Any]:
    row = AuditEvent.objects.filter(action=Action.CREATE).order_by("sequence").last()
    assert row
    return Event.of(row).details


def partitions(new: Target, chain: Chain) -> set[str]:
    client = chain.server.client()
    return set(client.list_partitions(new.collection, timeout=10)) - {"_default"}


def stop_at(chain: Chain, rpc: str, nth: int = 1) -> None:
    """Milvus refuses the nth request of this kind from now on."""
    for _ in range(nth - 1):
        chain.relay.before(rpc, lambda: None)
    chain.relay.before(rpc, lambda: refuse("not any more"))


def refuse(text: str) -> None:
    raise Failure(grpc.StatusCode.PERMISSION_DENIED, text)


def lose() -> None:
    raise Failure(grpc.StatusCode.UNAVAILABLE, "the connection is gone")


@pytest.mark.parametrize(
    ("rpc", "nth", "missing"),
    [
        ("CreatePartition", 1, ["partition novels", "partition poems", "index vector on vector"]),
        ("CreatePartition", 2, ["partition poems", "index vector on vector"]),
        ("CreateIndex", 1, ["index vector on vector"]),
    ],
)
def test_creation_refused_half_way_is_incomplete(
    rpc: str, nth: int, missing: list[str], new: Target, chain: Chain
) -> None:
    stop_at(chain, rpc, nth)
    assert create(new) is Outcome.INCOMPLETE
    assert details()["made"]["missing"] == missing
    assert details()["made"]["identity"]["id"]
    assert not Claim.objects.exists()
    assert told()[-1] == "outcome incomplete"


def test_incomplete_creation_is_completed_by_another(new: Target, chain: Chain) -> None:
    stop_at(chain, "CreatePartition", 2)
    assert create(new) is Outcome.INCOMPLETE
    first, sent = details()["made"]["identity"], chain.relay.count("CreateCollection")

    assert create(new) is Outcome.SUCCEEDED
    assert details()["made"]["identity"] == first
    assert details()["made"]["missing"] == []
    assert partitions(new, chain) == set(PARTITIONS)
    assert chain.relay.count("CreateCollection") == sent
    with pytest.raises(OperationRejected, match="has this name"):
        create(new)


def test_namesake_of_an_incomplete_one_is_never_completed(
    new: Target, chain: Chain, make_collection: Seeds
) -> None:
    stop_at(chain, "CreatePartition")
    assert create(new) is Outcome.INCOMPLETE
    chain.server.client().drop_collection(new.collection, timeout=10)
    make_collection(new.collection)
    with pytest.raises(OperationRejected, match="has this name"):
        create(new)
    assert partitions(new, chain) == set()


def test_namesake_that_comes_half_way_gets_nothing(
    new: Target, chain: Chain, make_collection: Seeds
) -> None:
    def replace() -> None:
        chain.server.client().drop_collection(new.collection, timeout=10)
        make_collection(new.collection)

    chain.relay.after("CreatePartition", replace)
    assert create(new) is Outcome.INCOMPLETE
    assert partitions(new, chain) == set()
    assert chain.relay.count("CreateIndex") == 0


def test_namesake_with_other_fields_is_refused_by_milvus(
    new: Target, chain: Chain, make_collection: Seeds
) -> None:
    chain.relay.before(
        "CreateCollection", lambda: make_collection(new.collection, partition_key=True)
    )
    assert create(new) is Outcome.REFUSED
    assert "made" not in details()
    assert not Claim.objects.exists()


def test_creation_without_an_answer_is_unknown_and_settled(
    new: Target, chain: Chain, impatient: Callable[[], Any]
) -> None:
    confirmation = consent(new, Action.CREATE, CREATOR)
    chain.relay.after("CreateCollection", lose)
    assert carry_out(confirmation, CREATOR) is Outcome.UNKNOWN
    with pytest.raises(OperationRejected):
        create(new)
    impatient()
    until(lambda: settled(confirmation) is Outcome.INCOMPLETE)
    assert details()["made"]["missing"]
    assert "partition novels" in details()["seen"]


def test_creation_that_never_arrived_is_settled_as_failed(
    new: Target, chain: Chain, impatient: Callable[[], Any]
) -> None:
    confirmation = consent(new, Action.CREATE, CREATOR)
    chain.relay.answer("CreateCollection", lambda _: UNREADABLE)
    assert carry_out(confirmation, CREATOR) is Outcome.UNKNOWN
    impatient()
    until(lambda: settled(confirmation) is Outcome.FAILED)
    assert details()["seen"].startswith("It does not exist after the drop deadline")


@pytest.mark.parametrize(
    ("rpc", "done", "expected"),
    [
        ("CreateCollection", False, Outcome.FAILED),
        ("CreateCollection", True, Outcome.INCOMPLETE),
        ("CreatePartition", False, Outcome.INCOMPLETE),
        ("CreateIndex", True, Outcome.SUCCEEDED),
    ],
)
def test_killed_creation_is_settled_by_what_is_there(
    rpc: str,
    done: bool,
    expected: Outcome,
    new: Target,
    chain: Chain,
    shell: Shell,
    impatient: Callable[[], Any],
) -> None:
    kill_at(chain, shell, ["recreate_collection", new.name, new.collection], rpc, done=done)
    claim = Claim.objects.get()
    impatient()
    until(lambda: settle(claim.operation_id, caller("settler")) is expected)
    assert ("made" in details()) is (expected is not Outcome.FAILED)


def test_rights_taken_away_after_the_dialog_stop_a_creation(new: Target, chain: Chain) -> None:
    confirmation, before = (
        consent(new, Action.CREATE, CREATOR),
        chain.relay.count("CreateCollection"),
    )
    with pytest.raises(OperationRejected, match="No rule grants"):
        carry_out(confirmation, actor("ada", ("operator",)))
    assert chain.relay.count("CreateCollection") == before
    assert told()[-1] == "rejected denied"


def test_drop_of_the_name_waits_for_its_creation(new: Target, chain: Chain) -> None:
    arrived, go_on = threading.Event(), threading.Event()
    chain.relay.before("CreateIndex", lambda: (arrived.set(), go_on.wait(10)))
    confirmation = consent(new, Action.CREATE, CREATOR)
    outcomes: list[Any] = []

    def run() -> None:
        try:
            outcomes.append(carry_out(confirmation, CREATOR))
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert arrived.wait(10)
    with pytest.raises(Busy):
        carry_out(consent(target_in(new.collection, Kind.COLLECTION)))
    go_on.set()
    thread.join(20)
    assert outcomes == [Outcome.SUCCEEDED]


def test_shell_creates_and_says_so(new: Target, shell: Shell, chain: Chain) -> None:
    code, out, err = shell.run("recreate_collection", new.name, new.collection, "--reason", "OPS-1")
    assert (code, err.count("Outcome")) == (0, 0), err
    assert f"Re-created collection {new.collection} in database default on main. Verified" in out
    assert partitions(new, chain) == set(PARTITIONS)
    code, _, err = shell.run("recreate_collection", new.name, new.collection)
    assert code == 3 and "has this name" in err
    code, _, err = shell.run("recreate_collection", "0" * 32, new.collection)
    assert code == 4
