"""Reconciliation: an open operation is settled by read-back, once, and for good."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.utils import timezone

from collections_app.access.policy import Action
from collections_app.audit.log import LogUnwritable, Outcome
from collections_app.audit.verify import verify
from collections_app.clusters import Milvus
from collections_app.milvus.errors import MilvusRejected
from collections_app.milvus.types import Kind
from collections_app.models import AuditEvent, Claim
from collections_app.operations import deadlines
from collections_app.operations.confirmation import Confirmation
from collections_app.operations.kinds.acts import ACTS
from collections_app.operations.reconcile import open_operations
from tests.fakes import use_fake
from tests.infra.chain import Chain
from tests.infra.milvus_server import MilvusServer
from tests.infra.seeds import Seeds, unique_name
from tests.infra.waiting import until
from tests.operations.conftest import (
    PARTITION,
    RPC,
    Thing,
    at_once,
    carry_out,
    consent,
    leave_unknown,
    on_own_connection,
    read_only_database,
    settled,
    target_in,
    told,
)
from tests.operations.test_held_up import on_intent

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("faulty")]

UNKNOWN = ["intent", "outcome unknown"]


@pytest.fixture
def open_drop(thing: Thing, chain: Chain) -> Confirmation:
    return leave_unknown(thing, chain)


def test_drop_still_there_before_the_deadline_stays_unknown(
    open_drop: Confirmation, use_cluster: Callable[..., Milvus], chain: Chain
) -> None:
    use_cluster(chain.uri, chain.token, unknown_timeout=60.0)
    assert settled(open_drop) is Outcome.UNKNOWN
    assert told() == UNKNOWN
    assert open_operations()


def set_clock(monkeypatch: pytest.MonkeyPatch, hours: int) -> None:
    wrong = timezone.now() + timedelta(hours=hours)
    monkeypatch.setattr(timezone, "now", lambda: wrong)


def test_clock_set_forward_does_not_end_the_drop_deadline(
    open_drop: Confirmation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise "failed" might be recorded while the request is still on its way."""
    set_clock(monkeypatch, 1)
    assert settled(open_drop) is Outcome.UNKNOWN
    assert told() == UNKNOWN


def test_drop_deadline_starts_when_the_request_was_sent(
    thing: Thing, chain: Chain, use_cluster: Callable[..., Milvus]
) -> None:
    """A slow log may delay it; it still has its whole deadline."""
    use_cluster(chain.uri, chain.token, drop_timeout=2.0, unknown_timeout=0.5)
    confirmation, sent = consent(thing.target), []
    chain.relay.before(thing.rpc, lambda: sent.append(time.monotonic()) or chain.relay.hold())
    with on_intent(lambda: time.sleep(1)):
        assert carry_out(confirmation) is Outcome.UNKNOWN
    until(lambda: settled(confirmation) is Outcome.FAILED)
    assert time.monotonic() - sent[0] >= 2.5


def test_clock_set_back_does_not_extend_the_drop_deadline(
    open_drop: Confirmation, monkeypatch: pytest.MonkeyPatch, impatient: Callable[[], Milvus]
) -> None:
    set_clock(monkeypatch, -1)
    impatient()
    until(lambda: settled(open_drop) is Outcome.FAILED)


def test_drop_deadline_after_a_reboot_follows_the_wall_clock(
    open_drop: Confirmation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(deadlines, "BOOT_ID", tmp_path / "another")
    assert settled(open_drop) is Outcome.UNKNOWN
    set_clock(monkeypatch, 1)
    assert settled(open_drop) is Outcome.FAILED


def test_target_gone_before_the_deadline_settles_as_succeeded(
    open_drop: Confirmation, thing: Thing, chain: Chain
) -> None:
    thing.remove()
    assert settled(open_drop) is Outcome.SUCCEEDED
    assert told() == [*UNKNOWN, "outcome succeeded"]
    assert not open_operations()
    assert chain.relay.count(thing.rpc) == 1


def test_namesake_in_place_of_the_target_settles_as_succeeded(
    open_drop: Confirmation, thing: Thing, chain: Chain
) -> None:
    thing.replace()
    chain.relay.forward(thing.rpc)
    assert settled(open_drop) is Outcome.SUCCEEDED
    assert thing.is_there()
    assert chain.relay.count(thing.rpc) == 1


def test_partition_whose_collection_is_gone_is_gone(make_collection: Seeds, chain: Chain) -> None:
    thing = Thing.make(make_collection, Kind.PARTITION)
    open_drop = leave_unknown(thing, chain)
    make_collection.server.client().drop_collection(thing.target.collection, timeout=10)
    assert settled(open_drop) is Outcome.SUCCEEDED


def test_settled_operation_is_not_read_again(
    open_drop: Confirmation, thing: Thing, chain: Chain, impatient: Callable[[], Milvus]
) -> None:
    impatient()
    until(lambda: settled(open_drop) is Outcome.FAILED)
    thing.remove()
    asked = chain.relay.calls
    assert settled(open_drop) is Outcome.FAILED
    assert chain.relay.calls == asked
    assert told() == [*UNKNOWN, "outcome failed"]


@pytest.mark.both_databases
def test_four_concurrent_settlers_record_one_outcome(open_drop: Confirmation, thing: Thing) -> None:
    thing.remove()
    results = at_once(*[lambda: settled(open_drop)] * 4)
    assert results == [Outcome.SUCCEEDED] * 4
    assert told() == [*UNKNOWN, "outcome succeeded"]
    assert not verify().broken


def test_settle_during_its_own_execution_does_nothing(thing: Thing, chain: Chain) -> None:
    """Even if the target is already gone: its own process is about to record that."""
    confirmation = consent(thing.target)
    seen: list[object] = []

    def meanwhile() -> None:
        before = chain.relay.calls
        seen.append(on_own_connection(lambda: settled(confirmation)))
        seen.append(chain.relay.calls == before)

    chain.relay.after(thing.rpc, meanwhile)
    assert carry_out(confirmation) is Outcome.SUCCEEDED
    assert seen == [Outcome.UNKNOWN, True]
    assert told() == ["intent", "outcome succeeded"]


def test_settle_on_unreachable_server_leaves_it_unknown(
    open_drop: Confirmation,
    thing: Thing,
    chain: Chain,
    impatient: Callable[[], Milvus],
    caplog: pytest.LogCaptureFixture,
) -> None:
    thing.remove()
    impatient()
    chain.proxy.refuse()
    assert settled(open_drop) is Outcome.UNKNOWN
    assert told() == UNKNOWN
    assert "can't be read back: Unreachable" in caplog.text
    chain.proxy.ok()
    until(lambda: settled(open_drop) is Outcome.SUCCEEDED)


def test_settle_on_removed_cluster_leaves_it_unknown(
    open_drop: Confirmation, settings: object
) -> None:
    settings.CLUSTERS = {}  # type: ignore[attr-defined]
    assert settled(open_drop) is Outcome.UNKNOWN
    assert Claim.objects.exists()


def test_settle_with_an_unwritable_log_leaves_it_open(
    open_drop: Confirmation, thing: Thing
) -> None:
    thing.remove()
    with read_only_database(), pytest.raises(LogUnwritable):
        settled(open_drop)
    assert open_operations()
    assert settled(open_drop) is Outcome.SUCCEEDED


def test_outcome_records_who_settled_and_who_dropped(open_drop: Confirmation, thing: Thing) -> None:
    thing.remove()
    settled(open_drop)
    events = AuditEvent.objects.filter(operation_id=open_drop.operation_id).order_by("sequence")
    assert [event.actor for event in events] == [
        "Ada|test|ada",
        "Ada|test|ada",
        "Settler|test|settler",
    ]
    assert {(event.action, event.name) for event in events} == {
        (thing.action, thing.target.name),
    }
    assert json.loads(events[2].record)["details"]["settled"] is True


def test_settle_unknown_operation_raises(open_drop: Confirmation) -> None:
    with pytest.raises(AuditEvent.DoesNotExist):
        settled(replace(open_drop, operation_id=uuid4()))


def test_open_operations_come_oldest_first(make_collection: Seeds, chain: Chain) -> None:
    things = [Thing.make(make_collection, kind) for kind in (Kind.PARTITION, Kind.COLLECTION)]
    wanted = [leave_unknown(thing, chain).operation_id for thing in things]
    assert [claim.operation_id for claim in open_operations()] == wanted


# --- another server, another name ---------------------------------------------------------------


def test_settle_on_changed_address_asks_no_server(
    open_drop: Confirmation,
    thing: Thing,
    chain: Chain,
    lite_uri: str,
    use_cluster: Callable[..., Milvus],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The target is not on that server, which proves nothing: the former server still has it."""
    use_cluster(lite_uri, drop_timeout=0.1, unknown_timeout=0.1)
    assert settled(open_drop) is Outcome.UNKNOWN
    assert (told(), thing.is_there()) == (UNKNOWN, True)
    assert "main has another address now" in caplog.text
    use_cluster(chain.uri, chain.token)
    thing.remove()
    assert settled(open_drop) is Outcome.SUCCEEDED


def test_close_operation_sent_to_a_former_address_is_allowed(
    open_drop: Confirmation, milvus_server: MilvusServer, use_cluster: Callable[..., Milvus]
) -> None:
    use_cluster(milvus_server.uri, milvus_server.token, drop_timeout=0.1)
    reason = "the old server has it"
    call_command("close_operation", open_drop.operation_id, outcome="failed", reason=reason)
    assert told() == [*UNKNOWN, "outcome failed"]


@pytest.mark.parametrize("kind", [Kind.COLLECTION, Kind.PARTITION])
def test_settle_name_longer_than_the_column_uses_it_in_full(
    kind: Kind, make_collection: Seeds, chain: Chain
) -> None:
    """Milvus takes 255 characters and any number of trailing spaces."""
    name = unique_name("long").ljust(255, "x") + "  "
    if kind is Kind.COLLECTION:
        target = target_in(make_collection(name), kind)
    else:
        target = target_in(make_collection(partitions=[name]), kind, name)
    thing = Thing(make_collection, target)
    open_drop = leave_unknown(thing, chain)
    assert settled(open_drop) is Outcome.UNKNOWN
    thing.remove()
    assert settled(open_drop) is Outcome.SUCCEEDED
    last = AuditEvent.objects.latest("sequence")
    assert json.loads(last.record)["target"]["name"] == name


RENAMED = {
    "drop": (Action.DROP_PARTITION, False),
    "release": (Action.RELEASE_PARTITION, True),
    "release all": (Action.RELEASE_COLLECTION, True),
}


@pytest.mark.parametrize("successor", ["nothing", "a namesake", "an alias"])
@pytest.mark.parametrize(("action", "loaded"), RENAMED.values(), ids=RENAMED)
def test_settle_in_a_renamed_collection_is_not_called_gone(
    action: Action,
    loaded: bool,
    successor: str,
    make_collection: Seeds,
    chain: Chain,
    impatient: Callable[[], Milvus],
) -> None:
    """The request was never carried out; the name it was sent with proves nothing."""
    collection = make_collection(partitions=[PARTITION], loaded=loaded)
    kind, client = ACTS[action].kind, make_collection.server.client()
    target = target_in(collection, kind, collection if kind is Kind.COLLECTION else PARTITION)
    new = make_collection.renamed(unique_name())
    confirmation = consent(target, action)

    def elsewhere(request: bytes) -> bytes:
        client.rename_collection(collection, new, timeout=10)
        if successor == "a namesake":
            make_collection(collection)
        if successor == "an alias":
            client.create_alias(make_collection(), collection, timeout=10)
        return b""  # OK

    chain.relay.answer(RPC[action], elsewhere)
    assert carry_out(confirmation) is Outcome.UNKNOWN
    impatient()
    until(lambda: settled(confirmation) is not Outcome.UNKNOWN)
    assert told() == [*UNKNOWN, "outcome failed"]


def test_partition_dropped_before_its_collection_renamed_is_gone(
    make_collection: Seeds, chain: Chain
) -> None:
    thing = Thing.make(make_collection, Kind.PARTITION)
    client, new = make_collection.server.client(), make_collection.renamed(unique_name())
    chain.relay.after(
        "DropPartition",
        lambda: client.rename_collection(thing.target.collection, new, timeout=10),
    )
    assert carry_out(consent(thing.target)) is Outcome.SUCCEEDED


def test_drop_whose_id_cannot_be_read_stays_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Milvus may say later that it was only renamed."""
    fake = use_fake(monkeypatch)
    fake.add("book")

    def refuse(database: str, collection_id: int) -> str | None:
        raise MilvusRejected("too many requests", "8")

    monkeypatch.setattr(fake, "name_of", refuse)
    assert carry_out(consent(target_in("book", Kind.COLLECTION))) is Outcome.UNKNOWN
