"""Attribution: own drops are told apart from external ones, in whatever order they are seen."""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from django.utils import timezone

from collections_app.access.policy import Action
from collections_app.audit import log
from collections_app.audit.events import intent_of
from collections_app.audit.log import Entry, Outcome, Phase
from collections_app.clusters import Milvus
from collections_app.models import AuditEvent, Claim, SeenCollection
from collections_app.operations.claims import record_outcome
from collections_app.operations.confirmation import Confirmation
from collections_app.operations.private_names import DROP, private_name
from tests.fixtures import caller
from tests.infra.chain import Chain
from tests.infra.seeds import Seeds
from tests.infra.skins import NONE, V30, V2620
from tests.operations.conftest import carry_out, consent, on_own_connection, settled

from .conftest import Watched, seen

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skins(NONE),
]
as_2620 = pytest.mark.skins(NONE, V2620)  # what is missing has no code there, nor on 2.5.18
as_30 = pytest.mark.skins(NONE, V2620, V30)  # the answer by id has a name there
UNREADABLE = b"\xff\xff\xff"


@pytest.fixture
def begun(watched: Watched, faulty: Milvus) -> Watched:
    watched.add("book")
    watched.look()
    return watched


def drop(begun: Watched, name: str = "book") -> Outcome:
    return carry_out(consent(begun.target(name)))


def left_unknown(begun: Watched, chain: Chain, name: str = "book") -> Confirmation:
    """A drop of ours whose answer nobody could read; Milvus did not do it."""
    confirmation = consent(begun.target(name))
    chain.relay.answer("DropCollection", lambda _: UNREADABLE)
    assert carry_out(confirmation) is Outcome.UNKNOWN
    chain.relay.forward("DropCollection")
    return confirmation


@as_2620
def test_own_drop_records_no_drift(begun: Watched) -> None:
    assert drop(begun) is Outcome.SUCCEEDED
    assert begun.look().events == {}
    assert not SeenCollection.objects.exists()


@as_2620
def test_namesake_after_an_own_drop_is_recorded_as_appeared(begun: Watched) -> None:
    drop(begun)
    begun.add("book")
    begun.look()
    assert seen() == ["appeared book"]


@as_2620
def test_own_drop_after_an_external_rename_records_no_drift(begun: Watched) -> None:
    begun.rename("book", "tome")
    assert drop(begun, "tome") is Outcome.SUCCEEDED
    begun.look()
    assert seen() == []


@as_2620
def test_namesake_dropped_externally_after_an_own_drop_is_gone(begun: Watched) -> None:
    drop(begun)
    begun.add("book")
    begun.look()
    begun.drop("book")
    begun.look()
    assert seen() == ["appeared book", "gone book"]


@as_2620
def test_open_operation_hides_its_target_until_it_is_settled(begun: Watched, chain: Chain) -> None:
    confirmation = left_unknown(begun, chain)
    begun.drop("book")  # as the drop that was on its way
    begun.look()
    assert seen() == []
    assert settled(confirmation) is Outcome.SUCCEEDED
    begun.look()
    assert seen() == []
    assert not SeenCollection.objects.exists()


@as_2620
def test_failed_operation_explains_no_later_drop(
    begun: Watched, chain: Chain, use_cluster: Callable[..., Milvus]
) -> None:
    confirmation = left_unknown(begun, chain)
    record_outcome(confirmation, Outcome.FAILED, "it did not happen", caller(), {})
    begun.look()
    begun.drop("book")
    begun.look()
    assert seen() == ["gone book"]
    assert f"But operation {confirmation.operation_id} asked Milvus to drop it" in told_last()


@as_2620
@pytest.mark.parametrize("namesake", [False, True], ids=["gone", "replaced"])
def test_failed_operation_that_sent_nothing_is_not_named_as_late(
    begun: Watched, chain: Chain, namesake: bool
) -> None:
    chain.proxy.refuse()
    with claimed(begun, Action.DROP_COLLECTION, begun.id_of("book")) as operation:
        end(operation, Outcome.FAILED, "no connection", attempts=0)
    chain.proxy.ok()
    begun.drop("book")
    if namesake:
        begun.add("book")
    begun.look()
    assert seen() == ["replaced book" if namesake else "gone book"]
    assert "But operation" not in told_last()


def told_last() -> str:
    event = AuditEvent.objects.order_by("-sequence").first()
    assert event
    return str(json.loads(event.record)["message"])


@as_2620
def test_open_operation_hides_no_other_collection(begun: Watched, chain: Chain) -> None:
    begun.add("film")
    begun.look()
    left_unknown(begun, chain)
    begun.drop("film")
    begun.look()
    assert seen() == ["appeared film", "gone film"]


@as_2620
def test_open_partition_drop_does_not_hide_its_collection(begun: Watched) -> None:
    with claimed(begun, Action.DROP_PARTITION, 0):
        begun.drop("book")
        begun.look()
        assert seen() == ["gone book"]


@as_2620
def test_own_drop_under_another_cluster_key_records_no_drift(begun: Watched, settings: Any) -> None:
    settings.CLUSTERS |= {"admin": replace(settings.CLUSTERS["main"], key="admin", label="Admin")}
    carry_out(consent(replace(begun.target(), cluster="admin")))
    begun.look()
    assert seen() == []
    assert not SeenCollection.objects.exists()


@as_30
def test_strict_drop_in_every_phase_records_no_drift(
    begun: Watched, chain: Chain, use_cluster: Callable[..., Milvus]
) -> None:
    """A scan after the rename, and one after the drop, before either outcome is recorded."""
    use_cluster(chain.uri, chain.token, strict_drop=True)
    looks: list[Any] = []
    for rpc in ("RenameCollection", "DropCollection"):
        chain.relay.after(rpc, lambda: looks.append(on_own_connection(begun.look)))
    assert drop(begun) is Outcome.SUCCEEDED
    assert [report.events for report in looks] == [{}, {}]
    begun.look()
    assert seen() == []
    assert not SeenCollection.objects.exists()


# --- in the moments between -----------------------------------------------------------------------


@as_2620
def test_own_drop_that_ends_after_the_list_records_no_drift(begun: Watched, chain: Chain) -> None:
    """The list no longer has it, and the outcome is recorded after the list."""
    results: list[Any] = []

    def while_it_is_gone() -> None:
        results.append(on_own_connection(begun.look))
        results.append(on_own_connection(seen))

    chain.relay.after("DropCollection", while_it_is_gone)
    assert drop(begun) is Outcome.SUCCEEDED
    assert results[0].events == {}
    assert results[1] == []
    begun.look()
    assert seen() == []


@as_2620
@pytest.mark.parametrize("moment", ["ShowCollections", "DescribeCollection"])
def test_own_drop_during_a_scan_records_no_drift(moment: str, begun: Watched, chain: Chain) -> None:
    """Also when a short list makes the scan read it by name: the own drop may be done by then."""
    done: list[Any] = []
    if moment == "DescribeCollection":
        from .test_doubt import short_list

        chain.relay.answer("ShowCollections", short_list())

        def drop_with_a_whole_list() -> None:
            chain.relay.forward("ShowCollections")
            done.append(on_own_connection(lambda: drop(begun)))

        chain.relay.before(moment, drop_with_a_whole_list)
    else:
        chain.relay.before(moment, lambda: done.append(on_own_connection(lambda: drop(begun))))
    begun.look()
    assert done == [Outcome.SUCCEEDED]
    chain.relay.forward("ShowCollections")
    begun.look()
    assert seen() == []
    assert not SeenCollection.objects.exists()


@as_2620
def test_own_drop_after_the_list_is_seen_by_the_next_scan(begun: Watched, chain: Chain) -> None:
    chain.relay.after("ShowCollections", lambda: on_own_connection(lambda: drop(begun)))
    begun.look()
    assert SeenCollection.objects.exists()
    begun.look()
    assert seen() == []
    assert not SeenCollection.objects.exists()


# --- strict mode takes a collection aside under a private name ------------------------------------


def end(operation: uuid.UUID, outcome: Outcome, message: str, **details: Any) -> None:
    intent = intent_of(operation)
    assert intent
    record_outcome(intent, outcome, message, caller(), details)


@contextmanager
def claimed(begun: Watched, action: Action, id_: int) -> Iterator[uuid.UUID]:
    """An operation of ours on `book` that is open meanwhile, and refused in the end."""
    operation, target = uuid.uuid4(), begun.target("book").as_dict()
    common: dict[str, Any] = {
        "action": action,
        "caller": caller(),
        "operation_id": operation,
        "target": target,
    }
    with log.appending():
        Claim.objects.create(
            target=operation.hex,
            operation_id=operation,
            cluster="main",
            actor_display="Ada",
            claimed_at=timezone.now(),
        )
        details = {"identity": {"id": id_, "created_ms": None, "fingerprint": ""}}
        log.append(Entry(phase=Phase.INTENT, details=details, **common))
    yield operation
    end(operation, Outcome.REFUSED, "given back")


def test_rename_of_an_operation_undone_records_no_drift(begun: Watched, chain: Chain) -> None:
    with claimed(begun, Action.DROP_COLLECTION, begun.id_of("book")) as operation:
        begun.rename("book", private := private_name(DROP, operation))
        begun.look()
        begun.rename(private, "book")
    begun.look()
    assert seen() == []


def test_list_with_a_private_name_of_one_just_ended_is_no_drift(
    begun: Watched, chain: Chain
) -> None:
    with claimed(begun, Action.DROP_COLLECTION, begun.id_of("book")) as operation:
        begun.rename("book", private := private_name(DROP, operation))

        def give_back() -> None:
            begun.rename(private, "book")
            end(operation, Outcome.REFUSED, "given back")

        chain.relay.after("ShowCollections", lambda: on_own_connection(give_back))
        begun.look()
    begun.look()
    assert seen() == []


@as_2620
def test_namesake_renamed_by_mistake_keeps_its_name_in_drift(begun: Watched, chain: Chain) -> None:
    shown = begun.id_of("book")
    begun.drop("book")
    begun.add("book")
    with claimed(begun, Action.DROP_COLLECTION, shown) as operation:
        begun.rename("book", private := private_name(DROP, operation))
        begun.look()
        assert seen() == []
        begun.rename(private, "book")
    begun.look()
    assert seen() == ["replaced book"]


@as_2620
def test_private_name_left_behind_is_kept_and_its_drop_recorded(begun: Watched) -> None:
    """Its operation explains the private name. What others do to it afterwards is external."""
    with claimed(begun, Action.DROP_COLLECTION, begun.id_of("book")) as operation:
        begun.rename("book", private := private_name(DROP, operation))
    begun.look()
    assert seen() == []
    begun.drop(private)
    begun.look()
    assert seen() == [f"gone {private}"]


@as_2620
def test_private_name_dropped_may_be_an_own_late_drop(begun: Watched) -> None:
    """Closed as failed, and left because its original name was taken: the drop may still come."""
    with claimed(begun, Action.DROP_COLLECTION, begun.id_of("book")) as operation:
        begun.rename("book", private := private_name(DROP, operation))
        end(operation, Outcome.FAILED, "left aside", settled=True)
    begun.look()
    begun.drop(private)
    begun.look()
    assert seen() == [f"gone {private}"]
    assert f"But operation {operation} asked Milvus to drop it" in told_last()


def test_late_rename_taken_back_is_no_external_rename(
    begun: Watched,
) -> None:
    with claimed(begun, Action.DROP_COLLECTION, begun.id_of("book")) as operation:
        private = private_name(DROP, operation)
    begun.rename("book", private)
    begun.look()
    begun.rename(private, "book")
    begun.look()
    assert seen() == []


def test_private_name_left_behind_renamed_is_recorded(begun: Watched) -> None:
    with claimed(begun, Action.DROP_COLLECTION, begun.id_of("book")) as operation:
        begun.rename("book", private := private_name(DROP, operation))
    begun.look()
    begun.rename(private, "book_kept")
    begun.look()
    assert seen() == [f"renamed {private}", "renamed book_kept"]


def test_name_that_only_looks_private_is_recorded(begun: Watched) -> None:
    begun.rename("book", private := private_name(DROP, uuid.uuid4()))
    begun.look()
    assert seen() == ["renamed book", f"renamed {private}"]


@pytest.fixture
def ended(begun: Watched) -> uuid.UUID:
    """An operation of ours on `book` that is over, and left no trace in Milvus."""
    with claimed(begun, Action.DROP_COLLECTION, begun.id_of("book")) as operation:
        pass
    return operation


def test_stranger_under_an_own_private_name_is_recorded(begun: Watched, ended: uuid.UUID) -> None:
    """Anybody with access to Milvus sees such names; the operation only ever renamed `book`."""
    begun.add("payroll")
    begun.look()
    begun.rename("payroll", private := private_name(DROP, ended))
    begun.look()
    assert seen() == ["appeared payroll", "renamed payroll", f"renamed {private}"]
    begun.rename(private, "book_2")
    begun.look()
    assert seen()[3:] == [f"renamed {private}", "renamed book_2"]


def test_private_name_in_another_database_is_recorded(
    begun: Watched, ended: uuid.UUID, make_collection: Seeds
) -> None:
    elsewhere = Watched(make_collection, make_collection.database())
    elsewhere.add("book")
    elsewhere.look()
    elsewhere.rename("book", private := private_name(DROP, ended))
    elsewhere.look()
    assert seen() == ["renamed book", f"renamed {private}"]


def test_private_name_in_another_case_is_recorded(begun: Watched, ended: uuid.UUID) -> None:
    begun.rename("book", shouted := f"{DROP}{ended.hex.upper()}")
    begun.look()
    assert seen() == ["renamed book", f"renamed {shouted}"]
