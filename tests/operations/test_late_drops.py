"""Drops that Milvus carries out after their operation was closed. From 2.6.6 on it stores a drop
that it has accepted (issue #43897). Simulated: the relay swallows the request and the answer, and
sends the request on when the operation is closed.
"""

from collections.abc import Callable
from dataclasses import dataclass

import grpc
import pytest
from django.core.management import call_command
from pymilvus.grpc_gen import milvus_pb2 as pb

from collections_app import clusters
from collections_app.audit.log import Outcome
from collections_app.audit.verify import verify
from collections_app.drift.scan import scan
from collections_app.milvus.types import Kind
from collections_app.models import AuditEvent
from collections_app.operations.confirmation import Confirmation
from collections_app.operations.late_drops import follow_up_late_drops
from tests.fixtures import caller
from tests.infra.chain import Chain
from tests.infra.relay import Failure
from tests.infra.seeds import Seeds
from tests.infra.waiting import until
from tests.operations.conftest import Thing, carry_out, consent, settled, told

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("faulty")]

CLOSED = ["intent", "outcome unknown", "outcome not done so far"]


@dataclass(frozen=True)
class LateDrop:
    """A drop without an answer, which `carry_out` sends to Milvus."""

    thing: Thing
    confirmation: Confirmation
    swallowed: list[bytes]

    def carry_out(self) -> None:
        stub = self.thing.seeds.server.client()._get_connection()._stub
        kind = getattr(pb, f"{self.thing.rpc}Request")
        getattr(stub, self.thing.rpc)(kind.FromString(self.swallowed[0]), timeout=10)
        assert not self.thing.is_there()


def answer_version(chain: Chain, version: str) -> None:
    reply = pb.GetVersionResponse(version=version)
    chain.relay.answer("GetVersion", lambda _: bytes(reply.SerializeToString()))


def drop_without_answer(thing: Thing, chain: Chain, version: str) -> LateDrop:
    answer_version(chain, version)
    swallowed: list[bytes] = []

    def swallow(request: bytes) -> bytes:
        swallowed.append(request)
        raise Failure(grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline passed")

    confirmation = consent(thing.target)
    chain.relay.answer(thing.rpc, swallow)
    assert carry_out(confirmation) is Outcome.UNKNOWN
    chain.relay.forward(thing.rpc)
    return LateDrop(thing, confirmation, swallowed)


def close(late: LateDrop, outcome: Outcome) -> None:
    until(lambda: settled(late.confirmation) is outcome)


@pytest.fixture
def not_done(thing: Thing, chain: Chain, impatient: Callable[[], clusters.Milvus]) -> LateDrop:
    """Closed while it was still there."""
    late = drop_without_answer(thing, chain, "v2.6.20")
    impatient()
    close(late, Outcome.NOT_DONE)
    return late


def follow_up() -> list[str]:
    return follow_up_late_drops(caller("reconciler"))


def test_drop_that_may_still_come_is_closed_as_not_done_so_far(not_done: LateDrop) -> None:
    assert told() == CLOSED
    assert "v2.6.20" in AuditEvent.objects.get(outcome=Outcome.NOT_DONE).record
    assert follow_up() == []
    assert told() == CLOSED


@pytest.mark.parametrize("version", ["v2.3.5", "v2.5.18", "v2.6.5"])
def test_drop_that_an_older_server_forgot_is_closed_as_failed(
    make_collection: Seeds, chain: Chain, impatient: Callable[[], clusters.Milvus], version: str
) -> None:
    thing = Thing.make(make_collection, Kind.COLLECTION)
    late = drop_without_answer(thing, chain, version)
    impatient()
    close(late, Outcome.FAILED)


def test_late_drop_is_a_follow_up_of_its_operation(not_done: LateDrop) -> None:
    not_done.carry_out()
    (told_to_people,) = follow_up()
    assert "carries out every drop that it accepted" in told_to_people
    assert told() == [*CLOSED, "follow_up succeeded"]
    events = AuditEvent.objects.exclude(operation_id=not_done.confirmation.operation_id)
    assert not events.exists()
    assert follow_up() == []  # once is enough
    assert verify().broken == ""


def test_reconciliation_follows_up_a_late_drop(not_done: LateDrop) -> None:
    not_done.carry_out()
    with pytest.raises(SystemExit):
        call_command("reconcile_operations")
    assert told()[-1] == "follow_up succeeded"


def test_late_drop_after_a_second_operation_names_that_one(
    not_done: LateDrop, chain: Chain, use_cluster: Callable[..., clusters.Milvus]
) -> None:
    use_cluster(chain.uri, chain.token)  # with time enough again
    second = consent(not_done.thing.target)
    assert carry_out(second) is Outcome.SUCCEEDED
    (message,) = follow_up()
    assert str(second.operation_id) in message
    assert told()[-1] == "follow_up not done so far"
    assert follow_up() == []


def test_late_drop_is_attributed_to_its_operation(
    make_collection: Seeds, chain: Chain, impatient: Callable[[], clusters.Milvus]
) -> None:
    thing = Thing.make(make_collection, Kind.COLLECTION)
    late = drop_without_answer(thing, chain, "v2.6.20")
    milvus = impatient()
    scan(milvus, ("default",))
    close(late, Outcome.NOT_DONE)
    late.carry_out()
    scan(milvus, ("default",))
    scan(milvus, ("default",))
    about = AuditEvent.objects.filter(name=thing.target.name).order_by("sequence")
    assert about.last().phase == "follow_up"
    assert set(about.values_list("operation_id", flat=True)) == {late.confirmation.operation_id}
