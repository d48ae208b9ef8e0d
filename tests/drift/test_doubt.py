"""Unreadable is not gone: errors, short lists, lost privileges, a server that starts."""

import json
from typing import Any

import grpc
import pytest
from pymilvus.grpc_gen import milvus_pb2 as pb

from collections_app.audit.verify import verify
from collections_app.clusters import Milvus
from collections_app.drift.scan import scan
from collections_app.models import AuditEvent, SeenCollection, WatchedDatabase
from tests.fakes import FakeMilvus
from tests.infra.chain import Chain
from tests.infra.seeds import Seeds
from tests.infra.skins import NONE, V30, V2620
from tests.infra.waiting import until

from .conftest import Watched, seen

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skins(NONE),
]
as_2620 = pytest.mark.skins(NONE, V2620)  # what is missing has no code there, nor on 2.5.18
as_30 = pytest.mark.skins(NONE, V30)  # the answer by id has a name there
DENIED = (grpc.StatusCode.PERMISSION_DENIED, "PrivilegeDescribeCollection: permission deny to u")


@pytest.fixture
def begun(watched: Watched, faulty: Milvus) -> Watched:
    """Watched through `chain`, with `book` in it."""
    watched.add("book")
    watched.look()
    return watched


def short_list(*, but: tuple[str, ...] = ()) -> Any:
    """A ShowCollections that leaves all but these out."""
    reply = pb.ShowCollectionsResponse(
        collection_names=but, collection_ids=range(len(but)), created_utc_timestamps=[0] * len(but)
    )
    return lambda _: reply.SerializeToString()


def test_empty_list_alone_makes_nothing_gone(begun: Watched, chain: Chain) -> None:
    chain.relay.answer("ShowCollections", short_list())
    assert begun.look().events == {}
    chain.relay.forward("ShowCollections")
    assert begun.look().events == {}
    assert seen() == []


@as_2620
def test_collection_no_longer_visible_is_reported_not_gone(begun: Watched, chain: Chain) -> None:
    chain.relay.answer("ShowCollections", short_list())
    chain.relay.fail("DescribeCollection", *DENIED)
    begun.drop("book")
    for _ in range(2):
        report = begun.look()
        assert report.events == {}
        assert "1 known collections are in no list" in report.problems[0]
    chain.relay.forward("ShowCollections")
    chain.relay.forward("DescribeCollection")
    assert begun.look().events == {"collection.gone": 1}
    record = json.loads(AuditEvent.objects.latest("sequence").record)
    first = json.loads(AuditEvent.objects.earliest("sequence").record)
    listed = record["details"]["last_listed"]
    assert listed < first["recorded_at"], "it was in the first list only, and not in those since"


def test_collection_back_in_the_list_was_never_gone(begun: Watched, chain: Chain) -> None:
    chain.relay.answer("ShowCollections", short_list())
    begun.look()
    assert SeenCollection.objects.exclude(last_listed_at=None).exists()
    chain.relay.forward("ShowCollections")
    begun.look()
    assert not SeenCollection.objects.exclude(last_listed_at=None).exists()


FAULTS = {
    "refused": lambda chain: chain.proxy.refuse(),
    "hanging": lambda chain: chain.proxy.stall(),
    "not ready": lambda chain: chain.relay.answer(
        "ShowCollections",
        lambda _: pb.ShowCollectionsResponse(
            status={"code": 1, "error_code": 1, "reason": "service not ready[Initializing]"}
        ).SerializeToString(),
    ),
    "not permitted": lambda chain: chain.relay.fail("ShowCollections", *DENIED),
    "nonsense": lambda chain: chain.relay.answer("ShowCollections", lambda _: b"\xff\xff"),
}


@as_2620
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_read_error_keeps_the_inventory(
    fault: Any, begun: Watched, chain: Chain, use_cluster: Any
) -> None:
    use_cluster(chain.uri, chain.token, read_timeout=3.0)
    before = list(WatchedDatabase.objects.values())
    fault(chain)
    begun.drop("book")
    assert begun.look().problems
    assert seen() == []
    assert list(WatchedDatabase.objects.values()) == before
    chain.proxy.ok()
    chain.relay.forward("ShowCollections")
    until(lambda: not begun.look().problems)  # gRPC takes its time to connect again
    assert seen() == ["gone book"]


@as_2620
def test_failed_read_by_name_is_no_proof_of_gone(begun: Watched, chain: Chain) -> None:
    begun.drop("book")
    chain.relay.fail("DescribeCollection", grpc.StatusCode.UNAVAILABLE, "Socket closed")
    assert begun.look().problems
    assert seen() == []
    chain.relay.forward("DescribeCollection")
    begun.look()
    assert seen() == ["gone book"]


@as_2620
def test_namesake_after_the_list_is_recorded_by_the_next_scan(begun: Watched, chain: Chain) -> None:
    begun.drop("book")
    chain.relay.after("ShowCollections", lambda: begun.add("book"))
    begun.look()
    assert seen() == ["gone book"]
    begun.look()
    assert seen() == ["gone book", "appeared book"]


@as_30
def test_collection_moved_to_an_unlisted_database_is_not_gone(
    begun: Watched, make_collection: Seeds
) -> None:
    """Milvus still knows its id."""
    elsewhere = make_collection.database()
    begun.rename("book", "book", elsewhere)
    begun.add("book")
    for _ in range(2):
        assert "such as 'book'" in begun.look().problems[0]
    assert seen() == ["appeared book"]
    begun.look(elsewhere)
    assert seen() == ["appeared book", "renamed book", "renamed book"]
    assert begun.look(elsewhere).events == {}


def test_collection_visible_again_is_recorded_as_older(begun: Watched, chain: Chain) -> None:
    """Seen for the first time, and older than the last list: the event says so."""
    chain.relay.answer("ShowCollections", short_list())
    begun.look()
    WatchedDatabase.objects.update(listed_at="2040-01-01T00:00:00Z")
    SeenCollection.objects.all().delete()
    chain.relay.forward("ShowCollections")
    begun.look()
    message = json.loads(AuditEvent.objects.latest("sequence").record)["message"]
    assert "It was created before that, so until now it could not be seen." in message


def test_databases_that_may_not_be_listed_are_kept(fake: FakeMilvus, settings: Any) -> None:
    fake.add("book")
    fake.add("film", database="second")
    cluster = _main()
    scan(cluster)
    fake.denied("databases")
    fake.drop_collection("second", "film")
    report = scan(cluster)
    assert report.events == {"collection.gone": 1}
    assert "Grant ListDatabases" in report.problems[0]
    assert "--database" in report.problems[0]


def test_silent_cluster_keeps_its_inventory(fake: FakeMilvus) -> None:
    from collections_app.milvus.errors import Unreachable

    scan(_main())
    fake.unreachable = True
    with pytest.raises(Unreachable):
        scan(_main())
    assert AuditEvent.objects.count() == 1


def test_first_list_that_may_be_short_is_recorded_as_such(fake: FakeMilvus) -> None:
    fake.all_listed = False
    scan(_main())
    (event,) = AuditEvent.objects.all()
    assert "with 0 collections" in json.loads(event.record)["message"]
    assert "only what the account of Milvus Admin was granted" in event.record


def test_scan_with_a_thousand_new_collections_records_each(fake: FakeMilvus) -> None:
    scan(_main())
    for number in range(1000):
        fake.add(f"c{number}")
    assert scan(_main()).events == {"collection.appeared": 1000}
    assert SeenCollection.objects.count() == 1000
    verdict = verify()
    assert (verdict.checked, verdict.broken) == (1001, "")


def _main() -> Milvus:
    from collections_app import clusters

    return clusters.get("main")
