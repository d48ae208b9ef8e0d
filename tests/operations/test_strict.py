"""Strict mode: what is dropped is what was shown, whatever happens in between.

The relay strikes between the requests; everything behind it is the real Milvus, as it is and as
2.6.20: there a missing collection has no code, which is what 2.5.18 has too, and a refusal has
one. What 3.0 says is 2.3.5's or 2.6.20's; tests/test_contract.py has every skin.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from collections_app import clusters
from collections_app.audit.log import Outcome
from collections_app.clusters import Milvus
from collections_app.milvus.errors import Denied
from collections_app.milvus.types import Identity, Kind
from collections_app.models import AuditEvent, Claim
from collections_app.operations.claims import claim_on, claims_in
from collections_app.operations.confirmation import Confirmation
from collections_app.operations.kinds.drop_collection import STRICT, DropCollection
from collections_app.operations.kinds.drop_partition import NOT_STRICT, DropPartition
from collections_app.operations.private_names import DROP as DROP_PREFIX
from collections_app.operations.private_names import operation_of, private_name
from collections_app.operations.protocol import Busy, OperationRejected
from collections_app.operations.reconcile import settle
from tests.fakes import FakeMilvus, use_fake
from tests.fixtures import actor, caller, let_time_pass
from tests.infra.chain import Chain
from tests.infra.milvus_server import MilvusServer
from tests.infra.relay import Failure
from tests.infra.seeds import Seeds
from tests.infra.skins import NONE, V2620
from tests.infra.waiting import until
from tests.operations.conftest import (
    UNREADABLE,
    Shell,
    Thing,
    carry_out,
    consent,
    kill_at,
    settled,
    target_in,
    told,
)
from tests.operations.test_faults import reconcile

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.skins(NONE, V2620)]
DONE = ["intent", "outcome succeeded"]
REFUSED = ["intent", "outcome refused"]
RENAME, DROP = "RenameCollection", "DropCollection"


@pytest.fixture(autouse=True)
def strictly(
    transactional_db: None,
    use_cluster: Callable[..., Milvus],
    chain: Chain,
    make_collection: Seeds,
) -> Iterator[None]:
    """The cluster is strict. What a test leaves half-way is removed under its private name."""
    use_cluster(chain.uri, chain.token, strict_drop=True)
    yield
    for intent in AuditEvent.objects.filter(phase="intent"):
        assert intent.operation_id
        make_collection.renamed(private_name(DROP_PREFIX, intent.operation_id))


@pytest.fixture
def hasty(
    use_cluster: Callable[..., Milvus], chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Milvus]:
    """hasty() lets the time pass after which anybody may settle, and names be given back."""

    def later() -> Milvus:
        let_time_pass(monkeypatch)
        return use_cluster(chain.uri, chain.token, strict_drop=True)

    return later


@pytest.fixture
def thing(make_collection: Seeds) -> Thing:
    return Thing.make(make_collection, Kind.COLLECTION)


def id_of(thing: Thing, name: str = "") -> int:
    """Who bears the name, past everything; 0 if nobody."""
    client, name = thing.seeds.server.client(), name or thing.target.name
    if not client.has_collection(name, timeout=10):
        return 0
    return int(client.describe_collection(name, timeout=10)["collection_id"])


def private(confirmation: Confirmation) -> str:
    return private_name(DROP_PREFIX, confirmation.operation_id)


def details() -> dict[str, object]:
    event = AuditEvent.objects.exclude(phase="intent").order_by("-sequence").first()
    assert event
    record = json.loads(event.record)
    return {"message": record["message"], **record["details"]}


def reconciled(confirmation: Confirmation) -> Outcome:
    who = actor("reconciler")
    return settle(confirmation.operation_id, caller(who), may_rename=True)


# --- undisturbed --------------------------------------------------------------------------------


def test_strict_drop_renames_once_and_drops_once(thing: Thing, chain: Chain) -> None:
    confirmation = consent(thing.target)
    assert carry_out(confirmation) is Outcome.SUCCEEDED
    assert told() == DONE
    assert (chain.relay.count(RENAME), chain.relay.count(DROP)) == (1, 1)
    assert id_of(thing) == id_of(thing, private(confirmation)) == 0
    assert details()["attempts"] == 1


def test_strict_drop_of_loaded_collection_with_rows_succeeds(make_collection: Seeds) -> None:
    thing = Thing.make(make_collection, Kind.COLLECTION, rows=3, loaded=True)
    assert carry_out(consent(thing.target)) is Outcome.SUCCEEDED
    assert not thing.is_there()


def test_namesake_in_another_database_survives(make_collection: Seeds, thing: Thing) -> None:
    database = make_collection.database()
    make_collection(thing.target.name, database=database)
    assert carry_out(consent(thing.target)) is Outcome.SUCCEEDED
    assert make_collection.exists(thing.target.name, database)


def test_strict_rename_stays_in_its_database(make_collection: Seeds, chain: Chain) -> None:
    """Milvus moves a renamed collection to `default` unless `target_db` is given too."""
    database = make_collection.database()
    name = make_collection(database=database)
    target = replace(target_in(name, Kind.COLLECTION), database=database)
    confirmation, seen = consent(target), []
    chain.relay.after(
        RENAME, lambda: seen.append(make_collection.exists(private(confirmation), database))
    )
    assert carry_out(confirmation) is Outcome.SUCCEEDED
    assert seen == [True]


def test_strict_dialog_says_so_and_intent_holds_the_private_name(thing: Thing) -> None:
    gateway = clusters.get("main").gateway
    assert STRICT in DropCollection().read_state(gateway, thing.target).notes
    partition = target_in(thing.target.name, Kind.PARTITION, "novels")
    assert NOT_STRICT in DropPartition().read_state(gateway, partition).notes
    confirmation = consent(thing.target)
    carry_out(confirmation)
    intent = json.loads(AuditEvent.objects.get(phase="intent").record)
    assert intent["details"]["private_name"] == private(confirmation)


# --- a namesake in the last instant -------------------------------------------------------------


def test_namesake_created_just_before_the_rename_is_restored(thing: Thing, chain: Chain) -> None:
    chain.relay.before(RENAME, thing.replace)
    confirmation = consent(thing.target)
    shown = id_of(thing)
    assert carry_out(confirmation) is Outcome.REFUSED
    assert told() == REFUSED
    assert id_of(thing) not in {0, shown}
    assert id_of(thing, private(confirmation)) == 0
    assert (chain.relay.count(RENAME), chain.relay.count(DROP)) == (2, 0)
    assert details()["attempts"] == 0
    assert "original name was restored" in str(details()["message"])


def test_namesake_without_strict_mode_is_dropped(
    thing: Thing, chain: Chain, use_cluster: Callable[..., Milvus]
) -> None:
    """The control: strict mode closes this window."""
    use_cluster(chain.uri, chain.token)
    chain.relay.before(DROP, thing.replace)
    assert carry_out(consent(thing.target)) is Outcome.SUCCEEDED
    assert not thing.is_there()


def test_namesake_whose_name_is_taken_keeps_the_private_one(thing: Thing, chain: Chain) -> None:
    chain.relay.before(RENAME, thing.replace)
    chain.relay.before(RENAME, thing.add_namesake)  # at the second one, back
    confirmation = consent(thing.target)
    assert carry_out(confirmation) is Outcome.REFUSED
    assert id_of(thing)
    assert id_of(thing, private(confirmation))
    assert thing.seeds.renamed(private(confirmation)) in str(details()["message"])


def test_namesake_created_after_the_rename_survives(thing: Thing, chain: Chain) -> None:
    chain.relay.after(RENAME, thing.add_namesake)
    shown = id_of(thing)
    assert carry_out(consent(thing.target)) is Outcome.SUCCEEDED
    assert id_of(thing) not in {0, shown}


# --- answers that never come --------------------------------------------------------------------


def test_rename_with_a_lost_reply_is_verified_and_dropped(thing: Thing, chain: Chain) -> None:
    chain.relay.after(RENAME, chain.proxy.cut)
    assert carry_out(consent(thing.target)) is Outcome.SUCCEEDED
    assert (chain.relay.count(RENAME), chain.relay.count(DROP)) == (1, 1)


def test_rename_that_never_arrived_drops_nothing_and_fails(
    thing: Thing, chain: Chain, hasty: Callable[[], Milvus]
) -> None:
    def lose() -> None:
        raise Failure(grpc.StatusCode.UNAVAILABLE, "lost")

    chain.relay.before(RENAME, lose)
    confirmation = consent(thing.target)
    assert carry_out(confirmation) is Outcome.UNKNOWN
    assert details()["attempts"] == 0
    hasty()
    until(lambda: reconciled(confirmation) is Outcome.FAILED)
    assert thing.is_there()
    assert (chain.relay.count(RENAME), chain.relay.count(DROP)) == (1, 0)


def gone_by_another_hand(thing: Thing, chain: Chain) -> Confirmation:
    """A drop whose rename got no answer, when somebody else had put a namesake in its place."""
    confirmation = consent(thing.target)
    chain.relay.before(RENAME, thing.replace)
    chain.relay.answer(RENAME, lambda _: UNREADABLE)
    assert carry_out(confirmation) is Outcome.UNKNOWN
    chain.relay.forward(RENAME)
    return confirmation


def test_strict_drop_of_one_dropped_externally_fails(
    thing: Thing, chain: Chain, hasty: Callable[[], Milvus]
) -> None:
    confirmation = gone_by_another_hand(thing, chain)
    assert reconciled(confirmation) is Outcome.UNKNOWN, "the rename may still come"
    hasty()
    until(lambda: reconciled(confirmation) is Outcome.FAILED)
    assert "never sent a drop" in str(details()["message"])
    assert thing.is_there()
    assert chain.relay.count(DROP) == 0


def test_namesake_renamed_after_the_read_back_is_restored(thing: Thing, chain: Chain) -> None:
    """Seen in `make chaos`: the reply was lost, and the read-back came just before the rename."""
    confirmation = gone_by_another_hand(thing, chain)
    namesake = id_of(thing)
    come_late(thing, confirmation)
    assert reconciled(confirmation) is Outcome.REFUSED
    assert id_of(thing) == namesake


def test_strict_drop_with_a_lost_reply_is_verified_by_id(thing: Thing, chain: Chain) -> None:
    chain.relay.after(DROP, chain.proxy.cut)
    assert carry_out(consent(thing.target)) is Outcome.SUCCEEDED
    assert chain.relay.count(DROP) == 1


def test_strict_drop_that_never_arrived_is_undone_by_reconcile(
    thing: Thing, chain: Chain, hasty: Callable[[], Milvus]
) -> None:
    confirmation, shown = consent(thing.target), id_of(thing)
    chain.relay.answer(DROP, lambda _: UNREADABLE)
    assert carry_out(confirmation) is Outcome.UNKNOWN
    assert reconciled(confirmation) is Outcome.UNKNOWN, "a late drop may still come"
    assert id_of(thing, private(confirmation)) == shown
    hasty()
    until(lambda: not settle_is_early(confirmation))
    assert settled(confirmation) is Outcome.UNKNOWN, "whoever only looks renames nothing"
    assert reconciled(confirmation) is Outcome.FAILED
    assert id_of(thing) == shown
    assert "original name was restored" in str(details()["message"])
    assert chain.relay.count(DROP) == 1


def test_reconcile_on_a_copied_server_renames_nothing(
    thing: Thing,
    chain: Chain,
    milvus_server: MilvusServer,
    use_cluster: Callable[..., Milvus],
) -> None:
    """A copied server has the same names and ids, and is not the operation's server."""
    confirmation, shown = consent(thing.target), id_of(thing)
    chain.relay.answer(DROP, lambda _: UNREADABLE)
    assert carry_out(confirmation) is Outcome.UNKNOWN
    quick = {"drop_timeout": 0.0, "unknown_timeout": 0.0}
    use_cluster(milvus_server.uri, milvus_server.token, strict_drop=True, **quick)
    assert reconciled(confirmation) is Outcome.UNKNOWN
    assert id_of(thing, private(confirmation)) == shown


def settle_is_early(confirmation: Confirmation) -> bool:
    from collections_app.operations.reconcile import Intent, drop_deadline_passed

    intent = AuditEvent.objects.get(operation_id=confirmation.operation_id, phase="intent")
    return not drop_deadline_passed(Intent.of(intent))


def test_strict_drop_refused_by_milvus_restores_the_name(thing: Thing, chain: Chain) -> None:
    shown = id_of(thing)
    chain.relay.fail(DROP, grpc.StatusCode.PERMISSION_DENIED, "PrivilegeDropCollection: no")
    assert carry_out(consent(thing.target)) is Outcome.REFUSED
    assert id_of(thing) == shown
    assert details()["attempts"] == 1


def test_rename_refused_by_milvus_changes_nothing(thing: Thing, chain: Chain) -> None:
    chain.relay.fail(RENAME, grpc.StatusCode.PERMISSION_DENIED, "PrivilegeRenameCollection: no")
    shown = id_of(thing)
    assert carry_out(consent(thing.target)) is Outcome.REFUSED
    assert (id_of(thing), chain.relay.count(DROP)) == (shown, 0)


def test_strict_drop_settled_after_the_rename_restores_the_name(thing: Thing, chain: Chain) -> None:
    """A process held up between rename and drop must not drop any more."""
    shown = id_of(thing)
    chain.relay.after(RENAME, lambda: Claim.objects.all().delete())
    carry_out(consent(thing.target))
    assert (id_of(thing), chain.relay.count(DROP)) == (shown, 0)


def test_strict_drop_with_milvus_gone_half_way_is_unknown(
    thing: Thing, chain: Chain, use_cluster: Callable[..., Milvus]
) -> None:
    confirmation = consent(thing.target)
    chain.relay.before(RENAME, thing.replace)
    chain.relay.after(RENAME, chain.proxy.refuse)
    assert carry_out(confirmation) is Outcome.UNKNOWN
    chain.proxy.ok()
    namesake = id_of(thing, private(confirmation))
    assert namesake
    until(lambda: reconciled(confirmation) is Outcome.REFUSED)
    assert id_of(thing) == namesake
    assert told() == ["intent", "outcome unknown", "outcome refused"]


# --- killed half-way ----------------------------------------------------------------------------

PLACES = {
    "before the rename": (RENAME, False, Outcome.FAILED),
    "after the rename": (RENAME, True, Outcome.FAILED),
    "before the drop": (DROP, False, Outcome.FAILED),
    "after the drop": (DROP, True, Outcome.SUCCEEDED),
}


def be_strict(shell: Shell) -> None:
    config = Path(shell.environment["MILVUSADMIN_CONFIG"])
    config.write_text(f"{config.read_text()}strict_drop = true\n")


@pytest.mark.both_databases
@pytest.mark.parametrize(("rpc", "done", "outcome"), PLACES.values(), ids=PLACES)
def test_strict_drop_killed_anywhere_is_undone_or_done(
    rpc: str,
    done: bool,
    outcome: Outcome,
    thing: Thing,
    chain: Chain,
    shell: Shell,
    hasty: Callable[[], Milvus],
) -> None:
    shown = id_of(thing)
    be_strict(shell)
    kill_at(chain, shell, thing.command, rpc, done=done)
    assert told() == ["intent"]
    assert reconcile() == 1, "it may be alive for all that others know"
    hasty()
    until(lambda: reconcile() == 0)
    assert told() == ["intent", f"outcome {outcome}"]
    assert id_of(thing) == (shown if outcome is Outcome.FAILED else 0)
    assert chain.relay.count(DROP) <= 1
    operation_id = AuditEvent.objects.get(phase="intent").operation_id
    assert operation_id
    assert not id_of(thing, private_name(DROP_PREFIX, operation_id))


def test_strict_drop_killed_with_a_namesake_restores_it(
    thing: Thing, chain: Chain, shell: Shell, hasty: Callable[[], Milvus]
) -> None:
    shown = id_of(thing)
    chain.relay.before(RENAME, thing.replace)
    be_strict(shell)
    kill_at(chain, shell, thing.command, RENAME, done=True)
    hasty()
    until(lambda: reconcile() == 0)
    assert told() == REFUSED
    assert id_of(thing) not in {0, shown}
    assert chain.relay.count(DROP) == 0


def test_strict_drop_killed_then_dropped_externally_fails(
    thing: Thing, chain: Chain, shell: Shell, hasty: Callable[[], Milvus]
) -> None:
    be_strict(shell)
    kill_at(chain, shell, thing.command, RENAME, done=False)
    thing.remove()
    hasty()
    until(lambda: reconcile() == 0)
    assert told() == ["intent", "outcome failed"]
    assert "never sent a drop" in str(details()["message"])


def test_close_operation_with_a_renamed_collection_waits(
    thing: Thing, chain: Chain, hasty: Callable[[], Milvus]
) -> None:
    confirmation = consent(thing.target)
    chain.relay.answer(DROP, lambda _: UNREADABLE)
    carry_out(confirmation)
    close = ["close_operation", str(confirmation.operation_id), "--outcome=failed", "--reason=x"]
    with pytest.raises(CommandError, match=private(confirmation)):
        call_command(*close)
    hasty()
    until(lambda: reconcile() == 0)
    with pytest.raises(CommandError, match="settled already"):
        call_command(*close)


# --- a rename that comes after all patience -------------------------------------------------------


@pytest.fixture
def closed(thing: Thing, chain: Chain, hasty: Callable[[], Milvus]) -> Confirmation:
    """A drop of the thing whose rename got lost, so that it was closed as failed."""

    def lose() -> None:
        raise Failure(grpc.StatusCode.UNAVAILABLE, "lost")

    chain.relay.before(RENAME, lose)
    confirmation = consent(thing.target)
    carry_out(confirmation)
    hasty()
    until(lambda: reconciled(confirmation) is Outcome.FAILED)
    return confirmation


CLOSED = ["intent", "outcome unknown", "outcome failed"]
TAKEN_BACK = [*CLOSED, "follow_up failed", "follow_up failed"]  # before the rename, and after


def come_late(thing: Thing, confirmation: Confirmation) -> None:
    """What Milvus does with a rename that it had for all that time."""
    thing.seeds.server.client().rename_collection(thing.target.name, private(confirmation))


@pytest.mark.both_databases
def test_rename_after_the_operation_closed_is_undone(thing: Thing, closed: Confirmation) -> None:
    shown = id_of(thing)
    come_late(thing, closed)
    assert reconcile() == 0
    assert (id_of(thing), id_of(thing, private(closed))) == (shown, 0)
    assert told() == TAKEN_BACK
    assert "after the operation closed" in str(details()["message"])
    assert "original name was restored" in str(details()["message"])
    assert reconcile() == 0
    assert told() == TAKEN_BACK


def test_namesake_caught_by_a_late_rename_is_restored(thing: Thing, closed: Confirmation) -> None:
    thing.replace()
    namesake = id_of(thing)
    come_late(thing, closed)
    assert reconcile() == 0
    assert id_of(thing) == namesake
    assert f"another collection, id {namesake}" in str(details()["message"])


def test_late_rename_with_its_name_taken_is_recorded_once(
    thing: Thing, closed: Confirmation, chain: Chain
) -> None:
    come_late(thing, closed)
    thing.add_namesake()
    assert reconcile() == 0
    sent = chain.relay.count(RENAME)
    assert f"called {private(closed)} now" in str(details()["message"])
    assert reconcile() == 0
    assert told() == TAKEN_BACK
    assert chain.relay.count(RENAME) == sent
    assert id_of(thing, private(closed))


def test_late_rename_with_milvus_down_is_undone_at_the_next_run(
    thing: Thing, closed: Confirmation, chain: Chain
) -> None:
    shown = id_of(thing)
    come_late(thing, closed)
    chain.proxy.refuse()
    assert reconcile() == 0
    chain.proxy.ok()
    until(lambda: reconcile() == 0 and id_of(thing) == shown)
    assert told() == TAKEN_BACK


@pytest.mark.skins(NONE)
def test_name_that_only_resembles_a_private_one_is_left_alone(
    make_collection: Seeds, thing: Thing, chain: Chain
) -> None:
    name = make_collection(private_name(DROP_PREFIX, uuid.uuid4()))
    partition = consent(target_in(make_collection(partitions=["p"]), Kind.PARTITION, "p"))
    assert carry_out(partition) is Outcome.SUCCEEDED, "an operation without a private name"
    other = make_collection(private(partition))
    assert reconcile() == 0
    assert make_collection.exists(name)
    assert make_collection.exists(other)
    assert chain.relay.count(RENAME) == 0


# --- a private name in the open -----------------------------------------------------------------


def test_operation_in_progress_claims_both_names(thing: Thing, chain: Chain) -> None:
    confirmation = consent(thing.target)
    chain.relay.answer(DROP, lambda _: UNREADABLE)
    carry_out(confirmation)
    for name in (thing.target.name, private(confirmation)):
        target = target_in(name, Kind.COLLECTION)
        for claim in (claim_on(target), claims_in("main")(target)):
            assert claim
            assert claim.operation_id == confirmation.operation_id
    with pytest.raises(Busy):
        carry_out(consent(target_in(private(confirmation), Kind.COLLECTION)))
    assert chain.relay.count(DROP) == 1
    assert claim_on(target_in("another", Kind.COLLECTION)) is None


@pytest.mark.skins(NONE)
@pytest.mark.parametrize("name", ["book", DROP_PREFIX, f"{DROP_PREFIX}nothex", ""])
def test_name_without_the_private_pattern_has_no_operation(name: str) -> None:
    assert operation_of(name, DROP_PREFIX) is None


@pytest.mark.skins(NONE)
def test_strict_drop_without_ids_is_blocked(
    use_cluster: Callable[..., Milvus], lite_uri: str
) -> None:
    from collections_app.milvus.connection import Connection

    milvus = use_cluster(lite_uri, strict_drop=True)
    client = Connection(milvus.cluster).client("default")
    client.create_collection("book", dimension=4)
    target = target_in("book", Kind.COLLECTION)
    look = DropCollection().read_state(milvus.gateway, target)
    assert "strict_drop" in look.blockers[0].text
    with pytest.raises(OperationRejected, match="strict_drop"):
        carry_out(consent(target))
    assert client.has_collection("book")


@pytest.mark.skins(NONE)
@pytest.mark.parametrize("narrow", [True, False], ids=["other names denied", "ids denied"])
def test_strict_drop_that_cannot_be_read_back_is_not_begun(
    narrow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Newer servers grant by name: after the rename an account for `book` alone sees nothing."""
    fake: FakeMilvus = use_fake(monkeypatch, strict_drop=True)
    fake.add("book")
    if narrow:
        known = fake.collection_identity

        def only_book(database: str, name: str) -> Identity | None:
            if name != "book":
                raise Denied("not permitted", "1401")
            return known(database, name)

        monkeypatch.setattr(fake, "collection_identity", only_book)
    else:
        fake.denied("name_of")
    with pytest.raises(OperationRejected, match="strict_drop"):
        carry_out(consent(target_in("book", Kind.COLLECTION)))
    assert fake.sent == []
